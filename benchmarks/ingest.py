"""Events over HTTP into Kafka: ingest as it runs in production, in its own process.

Floor (issue "Ingest: every door a shop, a browser or LINE knocks on"): `bare_ingest.py` on the same server, with the
same producer settings, on the same Kafka and topic. That Kafka is the embedded one unless
TODOKE_KAFKA_BOOTSTRAP_SERVERS names another, which should be one that no segmenter reads.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from benchmarks.figures import Bench, Figure, Stopwatch, alternate, cpu_of, percentile
from benchmarks.http_load import load, post
from benchmarks.open_load import open_load
from benchmarks.rooms import Server, open_database, open_server
from benchmarks.shop_events import shop_events
from todoke_local.embedded import EmbeddedKafka
from todoke_local.settings import LocalSettings
from todoke_shared.kafka.topics import create_topics

CONCURRENCY, ROUNDS = 64, 4
SINGLES, BATCHES, BATCH = 20_000, 400, 100
_SINGLE = "application/cloudevents+json"
_MANY = "application/cloudevents-batch+json"


@dataclass
class Side:
    """Ingest or its floor: a server, the time it took, and how long its answers took."""

    server: Server
    watch: Stopwatch
    answers: list[float] = field(default_factory=list)

    def loading(
        self, bench: Bench, requests: Sequence[bytes], number: int, events: int
    ) -> Callable[[int], Awaitable[int]]:
        """A round of load; `events` a request."""

        async def one_round(_: int) -> int:
            answers = await load(
                self.server.port, requests, number // ROUNDS, concurrency=CONCURRENCY, seconds=bench.seconds / ROUNDS
            )
            answers.check_all(b"202")
            self.answers += answers.seconds
            return len(answers.seconds) * events

        return one_round


@asynccontextmanager
async def open_kafka() -> AsyncIterator[tuple[str, str]]:
    """The Kafka to measure on, and what it is."""
    named = LocalSettings().kafka_bootstrap_servers
    if named is not None:
        await create_topics(named)
        yield named, "the Kafka of TODOKE_KAFKA_BOOTSTRAP_SERVERS"
        return
    async with EmbeddedKafka() as kafka:
        yield kafka.bootstrap_servers, "embedded Kafka"


async def measure(bench: Bench, servers: Sequence[Server], requests: Sequence[bytes], batch: int) -> list[Side]:
    """Rounds in turn, after a short one each to warm up."""
    number = BATCHES if batch > 1 else SINGLES
    sides = [Side(server, Stopwatch(cpu_of(server.process_id))) for server in servers]
    for side in sides:
        warm = await load(side.server.port, requests, number // 20, concurrency=CONCURRENCY, seconds=1)
        warm.check_all(b"202")
    what = f"requests of {batch} events" if batch > 1 else "single events"
    contestants = [(side.watch, side.loading(bench, requests, number, batch)) for side in sides]
    await alternate(bench, what, ROUNDS, contestants)
    return sides


async def half_rate(bench: Bench, requests: Sequence[bytes], sides: Sequence[Side]) -> Figure:
    """How long an answer takes at half of ingest's highest rate, at the 99th percentile, counted from when its request
    was due. The target is 20 ms."""
    per_second = int(sides[0].watch.rate / 2)
    times: list[float] = []
    with bench.shown(f"{per_second:,} events a second", len(sides)) as done:
        for side in sides:
            answers = await open_load(side.server.port, requests, per_second=per_second, seconds=bench.seconds / 2)
            answers.check_all(b"202")
            times.append(percentile(answers.seconds, 0.99) * 1000)
            done(1)
    return Figure(
        bench.name, "answer at half that rate, p99", "ms", times[0], times[1], remark=f"{per_second:,} events/s"
    )


def answer_times(bench: Bench, what: str, sides: Sequence[Side], share: float) -> Figure:
    """A percentile of the answer times under full load."""
    ours, floor = (percentile(side.answers, share) * 1000 for side in sides[:2])
    return Figure(bench.name, what, "ms", ours, floor)


async def run(bench: Bench) -> list[Figure]:
    """Single events, then batches of 100; 64 requests under way at any time."""
    events = shop_events(2_000, 500)
    singles = [post("/v1/events", _SINGLE, event) for event in events]
    slices = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
    batches = [post("/v1/events", _MANY, b"[" + b",".join(part) + b"]") for part in slices]
    async with open_kafka() as (bootstrap, kafka), open_database() as dsn:
        environment = {"TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TODOKE_POSTGRES_DSN": dsn}
        serving = partial(open_server, port_setting="TODOKE_INGEST_PORT", environment=environment)
        async with (
            serving("todoke_local.service_process", "ingest", ready="/readyz") as ours,
            serving("benchmarks.bare_ingest") as floor,
            serving("benchmarks.fastapi_ingest") as fastapi,
        ):
            single = await measure(bench, (ours, floor, fastapi), singles, 1)
            steady = await half_rate(bench, singles, single[:2])
            batched = await measure(bench, (ours, floor), batches, BATCH)
    size = sum(map(len, events)) // len(events)
    watch, floor_watch, fastapi_watch = (side.watch for side in single)
    return [
        bench.rates(
            f"single events, concurrency {CONCURRENCY}", "events/s", watch, floor_watch, f"{size}-byte events, {kafka}"
        ),
        bench.rates("the same by FastAPI", "events/s", fastapi_watch, floor_watch),
        answer_times(bench, "answer to a single event, p50", single, 0.5),
        answer_times(bench, "answer to a single event, p99", single, 0.99),
        steady,
        bench.rates(f"requests of {BATCH} events", "events/s", batched[0].watch, batched[1].watch),
    ]
