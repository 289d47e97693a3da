"""Fault test 1 of RELIABILITY: kill -9 of the dispatcher, again and again, while it sends: each message once.

TODOKE_TEST_LONG=1: 20 kills in 20,000 messages at 200 a second, and the leases of the dead end by themselves.
"""

import os
import time
from pathlib import Path

import pytest

from tests.support.deliveries import request, user_named
from tests.support.dispatching import Bench, open_bench
from tests.support.instances import Instances
from tests.support.line_server import line_server
from tests.support.waiting import until
from todoke_dispatcher.adapters.memory import MemoryLine

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
KILLS, MESSAGES = (20, 20_000) if LONG else (2, 700)
RATE = 200
IN_FLIGHT = 50
pytestmark = pytest.mark.timeout(900 if LONG else 120)


async def test_fault_01_each_message_is_accepted_once_though_the_dispatcher_is_killed(
    own_kafka: str, postgres_dsn: str, tmp_path: Path
) -> None:
    """What it had sent and not recorded goes out again with its key, and LINE knows it; others follow in seconds."""
    everybody = [user_named(f"m{number}") for number in range(MESSAGES)]
    async with open_bench(postgres_dsn) as bench, line_server() as server:
        await server.befriend(*everybody)
        # Taken at once and answered late: a kill always leaves some that nobody has recorded.
        await server.faults({"fault": "delay", "seconds": 0.15, "endpoint": "push"})
        await _owe(bench)
        told = {
            "TODOKE_LINE_API_URL": server.url,
            "TODOKE_PUSH_RATE": str(RATE),
            "TODOKE_MAX_IN_FLIGHT": str(IN_FLIGHT),
        }
        unrecorded, waits = 0, []
        async with Instances(
            service="dispatcher", dsn=postgres_dsn, bootstrap_servers=own_kafka, directory=tmp_path, environment=told
        ) as dispatchers:
            for kill in range(KILLS + 1):
                before, began = await server.count("accepted"), time.monotonic()
                await dispatchers.start("one")
                await server.until_accepted(before + 1)
                waits.append(time.monotonic() - began)
                if kill == KILLS:
                    break
                await server.until_accepted(MESSAGES * (kill + 1) // (KILLS + 1))
                await dispatchers.kill("one")
                unrecorded += await server.count("accepted") - (await bench.states()).get("accepted", 0)
            if not LONG:  # what time would do in 15 seconds
                await bench.pool.execute(
                    "UPDATE deliveries SET next_attempt_at = now() WHERE state = 'attempting' AND attempts = 0 "
                    "AND changed_at < (SELECT max(changed_at) FROM deliveries) - interval '1 second'"
                )
            await until(bench.states, lambda states: states == {"accepted": MESSAGES}, "all are accepted", seconds=180)
        assert unrecorded > 0, "the kills came too late to test anything"
        assert not LONG or max(waits) <= 20, waits  # beside other tests a machine may start a process slowly
        stats = await server.stats()
        assert (stats["accepted"], stats["duplicates"]) == (MESSAGES, 0)
        assert 0 < await server.count("conflicts") <= KILLS * IN_FLIGHT
        assert await bench.reserved() == stats["billed"] == MESSAGES


async def _owe(bench: Bench) -> None:
    """All of them are due when the first process starts: the bench's clock stands in the past."""
    dispatcher = bench.dispatcher(MemoryLine())
    for first in range(0, MESSAGES, 1000):
        await bench.take(dispatcher, *(request(f"m{number}") for number in range(first, min(first + 1000, MESSAGES))))
