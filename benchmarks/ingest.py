"""Events over HTTP into Kafka: ingest as it runs in production, in its own process.

Floor (issue "Ingest: every door a shop, a browser or LINE knocks on"): `bare_ingest.py` on the same server, with the
same producer settings, on the same Kafka and topic. That Kafka is the embedded one unless
TODOKE_KAFKA_BOOTSTRAP_SERVERS names another, which should be one that no segmenter reads.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.figures import Bench, Figure, Stopwatch, alternate, cpu_of, percentile
from benchmarks.http_load import load, post
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


async def measure(
    bench: Bench, ours: Server, floor: Server, requests: Sequence[bytes], batch: int
) -> tuple[Side, Side]:
    """Rounds in turn, after a short one each to warm up."""
    number = BATCHES if batch > 1 else SINGLES
    sides = (Side(ours, Stopwatch(cpu_of(ours.process_id))), Side(floor, Stopwatch(cpu_of(floor.process_id))))
    for side in sides:
        warm = await load(side.server.port, requests, number // 20, concurrency=CONCURRENCY, seconds=1)
        warm.check_all(b"202")
    what = f"requests of {batch} events" if batch > 1 else "single events"
    contestants = [(side.watch, side.loading(bench, requests, number, batch)) for side in sides]
    await alternate(bench, what, ROUNDS, contestants)
    return sides


def answer_times(bench: Bench, what: str, sides: tuple[Side, Side], share: float) -> Figure:
    """A percentile of the answer times under full load."""
    ours, floor = (percentile(side.answers, share) * 1000 for side in sides)
    return Figure(bench.name, what, "ms", ours, floor)


async def run(bench: Bench) -> list[Figure]:
    """Single events, then batches of 100; 64 requests under way at any time."""
    events = shop_events(2_000, 500)
    singles = [post("/v1/events", _SINGLE, event) for event in events]
    slices = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
    batches = [post("/v1/events", _MANY, b"[" + b",".join(part) + b"]") for part in slices]
    async with open_kafka() as (bootstrap, kafka), open_database() as dsn:
        environment = {"TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TODOKE_POSTGRES_DSN": dsn}
        setting = "TODOKE_INGEST_PORT"
        async with (
            open_server(
                *("todoke_local.service_process", "ingest"),
                port_setting=setting,
                environment=environment,
                ready="/readyz",
            ) as ours,
            open_server("benchmarks.bare_ingest", port_setting=setting, environment=environment) as floor,
        ):
            single = await measure(bench, ours, floor, singles, 1)
            batched = await measure(bench, ours, floor, batches, BATCH)
    size = sum(map(len, events)) // len(events)
    (one, one_floor), (many, many_floor) = single, batched
    remark = f"{size}-byte events, {kafka}"
    return [
        bench.rates(f"single events, concurrency {CONCURRENCY}", "events/s", one.watch, one_floor.watch, remark),
        answer_times(bench, "answer to a single event, p50", single, 0.5),
        answer_times(bench, "answer to a single event, p99", single, 0.99),
        bench.rates(f"requests of {BATCH} events", "events/s", many.watch, many_floor.watch),
    ]
