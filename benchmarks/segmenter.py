"""Events into state and triggers: `Segmenter.take_ec_events` on PostgreSQL, without Kafka.

Floor (issue "Segmenter: who each customer is, now"): per 500 events one transaction that inserts 500 identities,
selects their people for update and writes back 1 KB of jsonb each; nothing is parsed, decided or put into an outbox.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from benchmarks.figures import Bench, Figure, Stopwatch, alternate
from benchmarks.rooms import Pool, one_connection, open_database
from benchmarks.shop_events import first_visits, shop_events
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock

EVENTS, PEOPLE, BATCH, ALONE = 20_000, 2_000, 500, 1_000
_KILOBYTE = {
    "cart": {
        "lines": {
            f"tea-{line:04}": {
                "at": "2026-04-01T09:00:00+09:00",
                "quantity": 1,
                "name": f"お茶 {line:04}",
                "price": 980.0,
            }
            for line in range(10)
        }
    }
}
"""A state of the segmenter's own shape: a kilobyte of one long text would cost PostgreSQL less to parse."""

FLOOR_TABLES = """
CREATE SCHEMA floor;
CREATE TABLE floor.inbox (key uuid PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE floor.people (person_id uuid PRIMARY KEY, state jsonb NOT NULL);
"""
_ADD_PEOPLE = "INSERT INTO people SELECT person_id, $2 FROM unnest($1::uuid[]) AS p (person_id)"
_ADMIT = "INSERT INTO inbox (key) SELECT unnest($1::uuid[]) ON CONFLICT (key) DO NOTHING RETURNING key"
_LOCK = "SELECT person_id, state::text FROM people WHERE person_id = any($1::uuid[]) ORDER BY person_id FOR UPDATE"
_SAVE = """
UPDATE people p SET state = n.state FROM unnest($1::uuid[], $2::jsonb[]) AS n (person_id, state)
 WHERE p.person_id = n.person_id
"""


class BareBatches:
    """The floor."""

    def __init__(self, pool: Pool, people: int = PEOPLE) -> None:
        self._pool = pool
        self._rng = random.Random(1)
        self._people = [self._uuid() for _ in range(people)]

    async def prepare(self) -> None:
        """Everybody is known, as the segmenter knows everybody."""
        for start in range(0, len(self._people), 10_000):  # a call ends after five seconds
            await self._pool.execute(_ADD_PEOPLE, self._people[start : start + 10_000], _KILOBYTE)

    async def take(self, _: int) -> int:
        """One batch."""
        keys = sorted(self._uuid() for _ in range(BATCH))
        people = sorted({self._rng.choice(self._people) for _ in range(BATCH)})
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetch(_ADMIT, keys)
            await connection.fetch(_LOCK, people)
            await connection.execute(_SAVE, people, [_KILOBYTE] * len(people))
        return BATCH

    def _uuid(self) -> UUID:
        return UUID(int=self._rng.getrandbits(128))


def taking(segmenter: Segmenter, records: Sequence[Record], batch: int) -> Callable[[int], Awaitable[int]]:
    """Hand over the records in order, `batch` at a time."""

    async def take(number: int) -> int:
        part = records[number * batch : (number + 1) * batch]
        await segmenter.take_ec_events(part)
        return len(part)

    return take


async def run(bench: Bench) -> list[Figure]:
    """Batches of 500 against the floor, and one event a transaction against batches."""
    values = [*first_visits(PEOPLE), *shop_events(EVENTS + ALONE, PEOPLE)]
    headers = (("todoke-service", b"ingest"),)
    records = [Record(EC_EVENTS.name, 0, offset, None, value, headers) for offset, value in enumerate(values)]
    first, batched, alone = records[:PEOPLE], records[PEOPLE:-ALONE], records[-ALONE:]
    async with (
        open_database() as dsn,
        one_connection(dsn, "segmenter") as (pool, postgres_cpu),
        one_connection(dsn, "floor") as (floor_pool, floor_postgres_cpu),
    ):
        await floor_pool.execute(FLOOR_TABLES)
        bare, catalogue = BareBatches(floor_pool), CampaignCatalogue(pool)
        await bare.prepare()
        await catalogue.refresh()
        segmenter = Segmenter(pool, catalogue, await open_clock(pool), cluster="benchmark", wake=lambda: None)
        await alternate(
            bench, "everybody's first visit", PEOPLE // BATCH, [(Stopwatch(), taking(segmenter, first, BATCH))]
        )
        await pool.execute("ANALYZE")

        ours, floor, single = Stopwatch(), Stopwatch(), Stopwatch()
        behind, floor_behind = postgres_cpu(), floor_postgres_cpu()
        contestants = [(ours, taking(segmenter, batched, BATCH)), (floor, bare.take)]
        await alternate(bench, f"batches of {BATCH}", EVENTS // BATCH, contestants)
        behind, floor_behind = postgres_cpu() - behind, floor_postgres_cpu() - floor_behind
        await alternate(bench, "one event a transaction", ALONE, [(single, taking(segmenter, alone, 1))])
        triggers = await pool.fetchval("SELECT count(*) FROM outbox")
    if not triggers:
        raise RuntimeError("the events made no trigger: what was measured is not the segmenter's work")
    remark = (
        f"{triggers:,} triggers; PostgreSQL's CPU an event {behind / ours.items * 1e6:,.0f} µs"
        f" ({floor_behind / floor.items * 1e6:,.0f})"
    )
    return [
        bench.rates(f"batches of {BATCH}", "events/s", ours, floor, remark),
        bench.rates(
            "batches to one event a transaction", "events/s", ours, single, "here the floor is our own slow way"
        ),
    ]
