"""GET /r/{token}: how long a tapped link waits for its 302, at a broadcast's rate and at a quiet shop's.

Ingest as it runs, links in PostgreSQL, every click published. Floor: `bare_doors.py redirect` on the same server.
"""

from collections.abc import Sequence
from uuid import uuid4

from benchmarks.figures import Bench, Figure, percentile
from benchmarks.ingest import open_kafka
from benchmarks.open_load import open_load
from benchmarks.rooms import Server, open_database, open_server
from todoke_dispatcher.adapters.links import MessageLink, NewLink, store
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool

LINKS, RATES = 2_000, (200, 1_000)
_BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148 Safari Line/14.7.0"
)


async def store_links(dsn: str) -> list[str]:
    """So many messages' links; their tokens."""
    async with await open_pool(dsn, application="benchmarks", schema="dispatcher", size=1) as pool:
        now = (await sample_clock(pool)).now
        links = [
            NewLink(
                "https://shop.example/cart",
                campaign="cart-abandonment",
                step="first-reminder",
                message=MessageLink(uuid4(), 0, "main", "marketing", uuid4(), uuid4()),
            )
            for _ in range(LINKS)
        ]
        async with pool.acquire() as connection:
            return await store(connection, links, now)


async def measure(bench: Bench, server: Server, requests: Sequence[bytes], rate: int) -> list[float]:
    """Seconds of each answer at so many requests a second; all of them 302."""
    answers = await open_load(server.port, requests, per_second=rate, seconds=bench.seconds / 2)
    answers.check_all(b"302")
    return answers.seconds


async def run(bench: Bench) -> list[Figure]:
    """Ours and the floor in turn, at each rate; nearly every link is new to memory at first."""
    figures: list[Figure] = []
    async with open_kafka() as (bootstrap, kafka), open_database() as dsn:
        requests = [_get(token) for token in await store_links(dsn)]
        environment = {"TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TODOKE_POSTGRES_DSN": dsn}
        setting = "TODOKE_INGEST_PORT"
        ingest = ("todoke_local.service_process", "ingest")
        async with (
            open_server(*ingest, port_setting=setting, environment=environment, ready="/readyz") as ours,
            open_server("benchmarks.bare_doors", "redirect", port_setting=setting, environment=environment) as floor,
        ):
            for server in (ours, floor):
                await open_load(server.port, requests[:50], per_second=100, seconds=0.5)  # to warm up
            with bench.shown("open loop", len(RATES)) as done:
                for rate in RATES:
                    mine = await measure(bench, ours, requests, rate)
                    least = await measure(bench, floor, requests, rate)
                    for share in (0.5, 0.99):
                        what = f"302 at {rate:,}/s, p{share * 100:.0f}"
                        times = [percentile(seconds, share) * 1000 for seconds in (mine, least)]
                        remark = f"{len(mine):,} clicks, {kafka}"
                        figures.append(Figure(bench.name, what, "ms", times[0], times[1], remark=remark))
                    done(1)
    return figures


def _get(token: str) -> bytes:
    return f"GET /r/{token} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: {_BROWSER}\r\n\r\n".encode()
