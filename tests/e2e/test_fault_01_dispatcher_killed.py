"""Fault test 1 of RELIABILITY: kill -9 of the dispatcher, again and again, while it sends: each message once.

TODOKE_TEST_LONG=1: 20 kills in 20,000 messages at 200 a second, and the leases of the dead end by themselves.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.deliveries import request, user_named
from tests.support.dispatching import Bench, open_bench
from tests.support.line_server import LineServer, line_server
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_local.embedded.child import ChildProgram
from todoke_local.ports import free_port
from todoke_shared.kafka.topics import create_topics

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
KILLS, MESSAGES = (20, 20_000) if LONG else (2, 700)
RATE = 200
IN_FLIGHT = 50
pytestmark = pytest.mark.timeout(900 if LONG else 120)


async def test_fault_01_each_message_is_accepted_once_though_the_dispatcher_is_killed(
    kafka_bootstrap: str, postgres_dsn: str, tmp_path: Path
) -> None:
    """What it had sent and not recorded goes out again with its key, and LINE knows it; others follow in seconds."""
    await create_topics(kafka_bootstrap)
    everybody = [user_named(f"m{number}") for number in range(MESSAGES)]
    async with open_bench(postgres_dsn) as bench, line_server() as server:
        await server.befriend(*everybody)
        # Taken at once and answered late: a kill always leaves some that nobody has recorded.
        await server.faults({"fault": "delay", "seconds": 0.15, "endpoint": "push"})
        await _owe(bench)
        environment = {
            "TODOKE_POSTGRES_DSN": postgres_dsn,
            "TODOKE_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "TODOKE_LINE_API_URL": server.url,
            "TODOKE_PUSH_RATE": str(RATE),
            "TODOKE_MAX_IN_FLIGHT": str(IN_FLIGHT),
            "TODOKE_DISPATCHER_PORT": str(free_port()),
        }
        unrecorded, waits = 0, []
        for kill in range(KILLS + 1):
            child = ChildProgram(
                "todoke_local.service_process", "dispatcher", environment=environment, log=tmp_path / f"{kill}.log"
            )
            before = await accepted(server)
            await child.start()
            waits.append(await until_accepted(server, before + 1))
            if kill == KILLS:
                break
            await until_accepted(server, MESSAGES * (kill + 1) // (KILLS + 1))
            os.kill(child.process_id, signal.SIGKILL)
            unrecorded += await accepted(server) - (await bench.states()).get("accepted", 0)
            await child.stop()
        if not LONG:  # what time would do in 15 seconds
            await bench.pool.execute(
                "UPDATE deliveries SET next_attempt_at = now() WHERE state = 'attempting' AND attempts = 0 "
                "AND changed_at < (SELECT max(changed_at) FROM deliveries) - interval '1 second'"
            )
        await _until_all_are_accepted(bench, 180 if LONG else 40)
        await child.stop()
        assert unrecorded > 0, "the kills came too late to test anything"
        assert max(waits) <= 20, waits
        stats = await server.stats()
        assert (stats["accepted"], stats["duplicates"]) == (MESSAGES, 0)
        assert 0 < int(str(stats["conflicts"])) <= KILLS * IN_FLIGHT
        assert await bench.reserved() == stats["billed"] == MESSAGES


async def _owe(bench: Bench) -> None:
    """All of them are due when the first process starts: the bench's clock stands in the past."""
    dispatcher = bench.dispatcher(MemoryLine())
    for first in range(0, MESSAGES, 1000):
        await bench.take(dispatcher, *(request(f"m{number}") for number in range(first, min(first + 1000, MESSAGES))))


async def _until_all_are_accepted(bench: Bench, seconds: float) -> None:
    """Of campaigns nothing is owed here: what an earlier test left in the topic is none of ours."""
    deadline = time.monotonic() + seconds
    states = "SELECT state, count(*) FROM deliveries WHERE campaign IS NULL GROUP BY state"
    while (found := {row["state"]: row["count"] for row in await bench.pool.fetch(states)}) != {"accepted": MESSAGES}:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def accepted(server: LineServer) -> int:
    """How many requests LINE has taken."""
    return int(str((await server.stats())["accepted"]))


async def until_accepted(server: LineServer, number: int) -> float:
    """Return once LINE has taken so many requests, and how many seconds that took."""
    started = time.monotonic()
    async with asyncio.timeout(60):
        while await accepted(server) < number:
            await asyncio.sleep(0.02)
    return time.monotonic() - started
