"""A shop's customers with a year behind them, as many as are wanted, under 200 segments and 20 campaigns.

The segmenter itself folds the years of 2,000 of them; everybody else is a copy of one of those, under their own id.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.figures import Bench, Stopwatch, alternate
from benchmarks.rooms import Pool
from benchmarks.segmenter import taking
from benchmarks.segments import campaigns, segments
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters.publishing import publish
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.ids import person_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool

MODELS, EVENTS_EACH, BATCH, SEGMENTS = 2_000, 4, 500, 200
_SHOP = "main"
_LONG = 1800.0
_PREFECTURES = ("東京都", "神奈川県", "大阪府", "愛知県", "北海道", "福岡県", "静岡県", "京都府")
_COPY = """
INSERT INTO people (person_id, shop, state, facts, segments, segments_left, segments_revision, checked_at,
                    next_check_at)
SELECT c.person_id, p.shop, p.state, p.facts, p.segments, p.segments_left, p.segments_revision, p.checked_at,
       p.next_check_at
  FROM copies c JOIN identities i ON i.identifier = c.model JOIN people p ON p.person_id = i.person_id;
INSERT INTO identities (shop, identifier, person_id) SELECT 'main', identifier, person_id FROM copies;
DROP TABLE copies;
"""


async def populate(bench: Bench, dsn: str, people: int) -> None:
    """Fill an empty database with `people` customers (`customer:000000` and so on), vacuumed and on disk.

    Raises RuntimeError when the segmenter left anybody in no segment at all: what is measured would be too little.
    """
    async with (
        await open_pool(dsn, application="benchmarks", schema="scheduler", size=1) as scheduler_pool,
        await open_pool(dsn, application="benchmarks", schema="segmenter", size=1) as pool,
    ):
        await publish(pool, segments(SEGMENTS))
        await publish_campaigns(scheduler_pool, campaigns())
        values = list(_histories(min(MODELS, people)))
        records = [Record(EC_EVENTS.name, 0, offset, None, value) for offset, value in enumerate(values)]
        taken = taking(await open_segmenter(pool), records, BATCH)
        patient = Bench(bench.name, _LONG, bench.progress)
        await alternate(patient, "2,000 histories", -(-len(values) // BATCH), [(Stopwatch(), taken)])
        without = await pool.fetchval("SELECT count(*) FROM people WHERE segments = '{}' AND merged_into IS NULL")
        if without > len(values) // EVENTS_EACH // 2:
            raise RuntimeError(f"{without} of {MODELS} people are in no segment: their histories are not as intended")
    with bench.shown(f"{people:,} people", 1) as done:
        await _copy(dsn, people)
        done(1)


async def open_segmenter(pool: Pool) -> Segmenter:
    """A segmenter in this process, as its `main` wires it, without Kafka."""
    catalogue, known = CampaignCatalogue(pool), SegmentCatalogue(pool)
    await known.refresh()
    await catalogue.refresh()
    clock = await open_clock(pool)
    return Segmenter(pool, catalogue, clock, cluster="benchmark", wake=lambda: None, segments=known)


async def _copy(dsn: str, people: int) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "segmenter,public"})
    try:
        await connection.execute("CREATE TEMP TABLE copies (person_id uuid, identifier text, model text)")
        await connection.copy_records_to_table("copies", records=_copies(people))
        await connection.execute(_COPY)
        for statement in ("VACUUM (ANALYZE) people", "VACUUM (ANALYZE) identities", "CHECKPOINT"):
            await connection.execute(statement)
    finally:
        await connection.close()


def _copies(people: int) -> Iterator[tuple[UUID, str, str]]:
    for number in range(MODELS, people):
        name = _name(number)
        yield person_id(_SHOP, name), name, _name(number % MODELS)


def _name(number: int) -> str:
    return f"customer:{number:06}"


def _histories(people: int) -> Iterator[bytes]:
    """What a shop imports of each: who they are, then what they did in a year, some much and most little."""
    rng, now = random.Random(2), datetime.now(UTC)
    for number in range(people):
        told = [("customer.registered", _profile(rng), timedelta(days=400))]
        often = min(50, int(rng.expovariate(1 / EVENTS_EACH)) + 1)
        told += [(*_deed(rng, f"{number:06}-{index}"), timedelta(days=rng.uniform(0.1, 365))) for index in range(often)]
        for index, (type_, data, ago) in enumerate(told):
            yield _event(f"{number:06}-{index}", type_, _name(number), now - ago, data)
        if rng.random() < 0.4:
            friend = f"line:main:U{number:032x}"
            data = {"friend": True, "customer_id": f"{number:06}"}
            yield _event(f"{number:06}-friend", "friend.imported", friend, now - timedelta(days=300), data)


def _profile(rng: random.Random) -> dict[str, Any]:
    return {
        "birthday": f"{rng.randint(1950, 2006)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "gender": rng.choice(("female", "female", "male")),
        "prefecture": rng.choice(_PREFECTURES),
        "city": "中央区",
        "accepts_marketing": rng.random() < 0.7,
        "points": rng.randrange(300),
        "tags": [f"tag-{rng.randrange(SEGMENTS)}"],
    }


def _deed(rng: random.Random, order: str) -> tuple[str, dict[str, Any]]:
    product = rng.randrange(500)
    item = {"product_id": f"tea-{product:04}", "name": f"お茶 {product:04}", "price": 500 + product}
    deeds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("product.viewed", {"product": item}),
        ("product.viewed", {"product": item}),
        ("cart.item_added", {"item": item | {"quantity": 1}}),
        ("order.placed", {"order_id": order, "items": [item], "amount": 500 + product}),
    )
    return rng.choice(deeds)


def _event(id_: str, type_: str, subject: str, at: datetime, data: dict[str, Any]) -> bytes:
    return dumps(
        {
            "specversion": "1.0",
            "id": f"history-{id_}",
            "source": "https://shop.example/benchmark",
            "type": type_,
            "time": at.isoformat(),
            "subject": subject,
            "history": True,
            "data": data,
        }
    )
