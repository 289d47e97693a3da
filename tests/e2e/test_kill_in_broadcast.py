"""kill -9 of the dispatcher in the middle of a broadcast: everybody has it once, whatever had no answer yet."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

from tests.support.deliveries import request, user_named
from tests.support.dispatching import open_bench
from tests.support.line_server import LineServer, line_server
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_local.embedded.child import ChildProgram
from todoke_local.ports import free_port
from todoke_shared.kafka.topics import create_topics

KILLS = 5 if os.environ.get("TODOKE_TEST_LONG") else 1
GROUPS = 8 * (KILLS + 1)
RECIPIENTS = 500 * GROUPS
NEWS = "新茶が届きました"


async def test_a_broadcast_reaches_everybody_once_though_its_dispatcher_is_killed(
    kafka_bootstrap: str, postgres_dsn: str, tmp_path: Path
) -> None:
    """LINE takes each group at once and answers late: the kill comes when it has groups that nobody has recorded."""
    await create_topics(kafka_bootstrap)
    everybody = [user_named(f"m{number}") for number in range(RECIPIENTS)]
    async with open_bench(postgres_dsn) as bench, line_server() as server:
        await server.befriend(*everybody)
        await server.faults({"fault": "delay", "seconds": 0.5, "endpoint": "multicast"})
        # Its clock stands in the past, so all of them are due when the process starts.
        await bench.take(
            bench.dispatcher(MemoryLine()), *(request(f"m{number}", text=NEWS) for number in range(RECIPIENTS))
        )
        settings = {
            "TODOKE_POSTGRES_DSN": postgres_dsn,
            "TODOKE_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "TODOKE_LINE_API_URL": server.url,
            "TODOKE_MULTICAST_RATE": "20",
            "TODOKE_DISPATCHER_PORT": str(free_port()),
        }
        unrecorded = 0
        for kill in range(KILLS + 1):
            child = ChildProgram(
                "todoke_local.service_process", "dispatcher", environment=settings, log=tmp_path / f"{kill}.log"
            )
            await child.start()
            if kill < KILLS:
                await until_accepted(server, 4 * (kill + 1))
                os.kill(child.process_id, signal.SIGKILL)
                unrecorded += await accepted_by_line(server) - await bench.pool.fetchval(
                    "SELECT count(*) FROM multicasts WHERE state = 'accepted'"
                )
                await child.stop()
                # The lease ends: what time would do in 15 seconds.
                await bench.pool.execute("UPDATE multicasts SET next_attempt_at = now() WHERE state = 'attempting'")
            else:
                await until_accepted(server, GROUPS)
                async with asyncio.timeout(60):
                    while (await bench.states()).keys() != {"accepted"}:
                        await asyncio.sleep(0.1)
                await child.stop()
        assert unrecorded > 0, "the kill came too late to test anything"
        sent = Counter(str(to) for each in await server.accepted() for to in each["to"])  # type: ignore[attr-defined]
        assert sent == Counter(everybody)
        assert (await server.stats())["billed"] == await bench.reserved() == RECIPIENTS


async def accepted_by_line(server: LineServer) -> int:
    """How many requests LINE has taken."""
    return int(str((await server.stats())["accepted"]))


async def until_accepted(server: LineServer, number: int) -> None:
    """Return once LINE has taken so many requests."""
    async with asyncio.timeout(60):
        while await accepted_by_line(server) < number:
            await asyncio.sleep(0.02)
