"""kill -9 of the dispatcher in the middle of a broadcast: everybody has it once, whatever had no answer yet."""

import os
from collections import Counter
from pathlib import Path

from tests.support.deliveries import request, user_named
from tests.support.dispatching import open_bench
from tests.support.instances import Instances
from tests.support.line_server import line_server
from tests.support.waiting import until
from todoke_dispatcher.adapters.memory import MemoryLine

KILLS = 5 if os.environ.get("TODOKE_TEST_LONG") else 1
GROUPS = 8 * (KILLS + 1)
RECIPIENTS = 500 * GROUPS
NEWS = "新茶が届きました"


async def test_a_broadcast_reaches_everybody_once_though_its_dispatcher_is_killed(
    own_kafka: str, postgres_dsn: str, tmp_path: Path
) -> None:
    """LINE takes each group at once and answers late: the kill comes when it has groups that nobody has recorded."""
    everybody = [user_named(f"m{number}") for number in range(RECIPIENTS)]
    async with open_bench(postgres_dsn) as bench, line_server() as server:
        await server.befriend(*everybody)
        await server.faults({"fault": "delay", "seconds": 0.5, "endpoint": "multicast"})
        # Its clock stands in the past, so all of them are due when the process starts.
        await bench.take(
            bench.dispatcher(MemoryLine()), *(request(f"m{number}", text=NEWS) for number in range(RECIPIENTS))
        )
        told = {"TODOKE_LINE_API_URL": server.url, "TODOKE_MULTICAST_RATE": "20"}
        unrecorded = 0
        async with Instances(
            service="dispatcher", dsn=postgres_dsn, bootstrap_servers=own_kafka, directory=tmp_path, environment=told
        ) as dispatchers:
            for kill in range(KILLS):
                await dispatchers.start("one")
                await server.until_accepted(4 * (kill + 1))
                await dispatchers.kill("one")
                unrecorded += await server.count("accepted") - await bench.pool.fetchval(
                    "SELECT count(*) FROM multicasts WHERE state = 'accepted'"
                )
                # The lease ends: what time would do in 15 seconds.
                await bench.pool.execute("UPDATE multicasts SET next_attempt_at = now() WHERE state = 'attempting'")
            await dispatchers.start("one")
            await until(bench.states, lambda states: states == {"accepted": RECIPIENTS}, "all are accepted")
        assert unrecorded > 0, "the kill came too late to test anything"
        sent = Counter(str(to) for each in await server.accepted() for to in each["to"])  # type: ignore[attr-defined]
        assert sent == Counter(everybody)
        assert await server.count("billed") == await bench.reserved() == RECIPIENTS
