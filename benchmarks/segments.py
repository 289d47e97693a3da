"""Events into state, live segments and triggers: 100,000 people, 200 segments, 20 campaigns, without Kafka.

Floors: that of `benchmarks.segmenter`, with as many people; our own one event a transaction; and, for 1,000 segments of
which an event touches as many, our own 200.
"""

import random
from collections.abc import Sequence
from typing import Any

from benchmarks.figures import Bench, CpuClock, Figure, Stopwatch, alternate
from benchmarks.rooms import Pool, one_connection, open_database
from benchmarks.segmenter import FLOOR_TABLES, BareBatches, taking
from benchmarks.shop_events import first_visits, shop_events
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters.publishing import publish
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment

PEOPLE, EVENTS, BATCH, ALONE = 100_000, 20_000, 500, 1_000
CAMPAIGNS = 20
When = dict[str, Any]


def segments(number: int) -> list[Segment]:
    """As a shop has them: a third about who people are, a third about what they did, a third about single products."""
    rng = random.Random(1)
    return [Segment(segment=f"segment-{index:04}", when=_when(rng, index)) for index in range(number)]


def _when(rng: random.Random, index: int) -> When:
    product = f"tea-{rng.randrange(500):04}"
    kinds: list[When] = [
        {"orders": {"at_least": rng.randint(1, 5), "within": rng.choice(["30d", "90d", "365d"])}},
        {"amount": {"at_least": rng.randint(1, 50) * 1000}},
        {"last_order": {"before": f"{rng.randint(30, 300)}d"}},
        {"product_views": {"at_least": rng.randint(2, 20), "within": "30d"}},
        {"bought": {"product": product, "within": "90d"}},
        {"bought": {"product": product, "at_least": 2}},
        {"viewed": {"product": product, "at_least": 2, "within": "7d"}},
        {"viewed": {"product": product, "within": "14d"}},
        {"tags": {"has": f"tag-{index}"}},
        {"all": [{"region": "関東"}, {"age": {"at_least": 20 + index % 30}}]},
        {"all": [{"friend": True}, {"points": {"at_least": index}}]},
        {"all": [{"gender": "female"}, {"orders": {"at_least": 2}}]},
    ]
    return kinds[index % len(kinds)]


def many_apart(number: int) -> list[Segment]:
    """Of which an event touches about ten: the 200, and the rest about what these events do not change."""
    few = segments(200)
    rest = [
        Segment(
            segment=f"apart-{index:04}", when={"all": [{"tags": {"has": f"tag-{index}"}}, {"city": f"city-{index}"}]}
        )
        for index in range(number - len(few))
    ]
    return [*few, *rest]


def campaigns() -> list[Campaign]:
    """Each for those who enter a segment, out when they leave it, or order."""
    return [
        Campaign.model_validate(
            {
                "campaign": f"care-{index:02}",
                "class": "marketing",
                "enter": {"on": "segment.entered", "segment": f"segment-{index * 12:04}", "again": "always"},
                "exit": [{"on": "segment.left", "segment": f"segment-{index * 12:04}"}, {"on": "order.cancelled"}],
                "steps": [{"wait": "1h"}, {"send": "hello"}],
                "messages": {"hello": [{"type": "text", "text": "こんにちは"}]},
            }
        )
        for index in range(CAMPAIGNS - 3)  # beside the three that are shipped
    ]


async def run(bench: Bench) -> list[Figure]:
    """Batches against the floor, against one event a transaction, and 1,000 segments against 200."""
    values = [*first_visits(PEOPLE), *shop_events(3 * EVENTS + ALONE, PEOPLE)]
    headers = (("todoke-service", b"ingest"),)
    records = [Record(EC_EVENTS.name, 0, offset, None, value, headers) for offset, value in enumerate(values)]
    batched, many, alone = (
        records[PEOPLE : PEOPLE + EVENTS],
        records[PEOPLE + EVENTS : -ALONE],
        records[-ALONE:],
    )
    single = Stopwatch()
    async with open_database() as dsn, one_connection(dsn, "segmenter") as (pool, postgres_cpu):
        async with await open_pool(dsn, application="benchmarks", schema="scheduler", size=1) as scheduler_pool:
            await publish(pool, segments(200))
            await publish_campaigns(scheduler_pool, campaigns())
        segmenter = await _segmenter(pool)
        await _first_visits(bench, segmenter, records[:PEOPLE])
        figure, ours = await _against_bare_batches(bench, dsn, (pool, postgres_cpu), segmenter, batched)
        await alternate(bench, "one event a transaction", ALONE, [(single, taking(segmenter, alone, 1))])
        few, more = await _against_few_segments(bench, pool, segmenter, many)
    return [
        figure,
        bench.rates("batches to one event a transaction", "events/s", ours, single, "the floor is our own slow way"),
        bench.rates("1,000 segments to 200", "events/s", more, few, "an event touches as many of either"),
    ]


async def _first_visits(bench: Bench, segmenter: Segmenter, records: Sequence[Record]) -> None:
    patient = Bench(bench.name, 120.0, bench.progress)
    contestant = (Stopwatch(), taking(segmenter, records, BATCH))
    await alternate(patient, "everybody's first visit", len(records) // BATCH, [contestant])


async def _against_bare_batches(
    bench: Bench, dsn: str, database: tuple[Pool, CpuClock], segmenter: Segmenter, records: Sequence[Record]
) -> tuple[Figure, Stopwatch]:
    """The figure, and our own stopwatch. RuntimeError where the events made no trigger."""
    pool, postgres_cpu = database
    ours, floor = Stopwatch(), Stopwatch()
    async with one_connection(dsn, "floor") as (floor_pool, floor_postgres_cpu):
        await floor_pool.execute(FLOOR_TABLES)
        bare = BareBatches(floor_pool, PEOPLE)
        await bare.prepare()
        await pool.execute("ANALYZE", timeout=60)
        behind, floor_behind = postgres_cpu(), floor_postgres_cpu()
        contestants = [(ours, taking(segmenter, records, BATCH)), (floor, bare.take)]
        await alternate(bench, "200 segments", len(records) // BATCH, contestants)
        behind, floor_behind = postgres_cpu() - behind, floor_postgres_cpu() - floor_behind
    triggers = await pool.fetchval("SELECT count(*) FROM outbox")
    if not triggers:
        raise RuntimeError("the events made no trigger: what was measured is not the segments' work")
    remark = (
        f"{triggers:,} triggers; PostgreSQL's CPU an event {behind / ours.items * 1e6:,.0f} µs"
        f" ({floor_behind / floor.items * 1e6:,.0f})"
    )
    return bench.rates("200 segments, 100,000 people", "events/s", ours, floor, remark), ours


async def _against_few_segments(
    bench: Bench, pool: Pool, segmenter: Segmenter, records: Sequence[Record]
) -> tuple[Stopwatch, Stopwatch]:
    """With the segments that there are, and with 1,000."""
    few, more = Stopwatch(), Stopwatch()
    await _add_segments(pool, many_apart(1000))
    large = await _segmenter(pool)
    half = len(records) // 2
    contestants = [(few, taking(segmenter, records[:half], BATCH)), (more, taking(large, records[half:], BATCH))]
    await alternate(bench, "1,000 segments", half // BATCH, contestants)
    return few, more


async def _segmenter(pool: Pool) -> Segmenter:
    catalogue, known = CampaignCatalogue(pool), SegmentCatalogue(pool)
    await known.refresh()
    await catalogue.refresh()
    clock = await open_clock(pool)
    return Segmenter(pool, catalogue, clock, cluster="benchmark", wake=lambda: None, segments=known)


async def _add_segments(pool: Pool, wanted: Sequence[Segment]) -> None:
    """Published, and everybody already asked: the sweep is another figure."""
    await publish(pool, wanted)
    await pool.execute("UPDATE people SET segments_revision = (SELECT max(revision) FROM segment_versions)", timeout=60)
