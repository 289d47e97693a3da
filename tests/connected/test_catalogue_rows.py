"""The catalogue in PostgreSQL: what any order of the events makes of it, told by events or imported."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.pipeline import CLUSTER
from tests.support.product_events import START, about, by_the_book, catalogues
from todoke_local.importing.kinds import Choices, event_of
from todoke_local.importing.products import read_products
from todoke_segmenter.adapters.products import save_products
from todoke_segmenter.domain.products import FIELDS, product_told
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PUBLISHED = "SELECT * FROM published_products ORDER BY shop, product_id"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The segmenter's schema."""
    pool = await open_pool(postgres_dsn, application="products-test", schema="segmenter")
    yield pool
    await pool.close()


async def save(pool: Pool, events: Sequence[EcEvent]) -> None:
    """One batch's word on products."""
    async with pool.acquire() as connection:
        await save_products(connection, [told for event in events if (told := product_told(event))])


async def stored(pool: Pool) -> list[tuple[Any, ...]]:
    """The catalogue with all its times, but for when its rows were made."""
    columns = ", ".join(f"{name}, {name}_at" for name in FIELDS)
    rows = await pool.fetch(
        f"SELECT shop, product_id, {columns}, updated_at FROM products ORDER BY 1, 2"  # noqa: S608 - our own names
    )
    return [tuple(row) for row in rows]


async def segmenter_on(pool: Pool) -> Segmenter:
    """A segmenter without campaigns."""
    return Segmenter(pool, CampaignCatalogue(pool), FakeClock(START), cluster=CLUSTER, wake=lambda: None)


def records(events: Sequence[dict[str, Any]], start: int = 0) -> list[Record]:
    """As producers write them."""
    return [Record(EC_EVENTS.name, 0, start + n, None, dumps(event)) for n, event in enumerate(events)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(catalogues, st.randoms(use_true_random=False))
async def test_any_order_of_batches_leads_to_the_same_rows(
    pool: Pool, events: list[EcEvent], chance: random.Random
) -> None:
    """Event by event, or shuffled, repeated and in batches: the same rows, and those that the history tells."""
    await pool.execute("TRUNCATE products")
    for event in events:
        await save(pool, [event])
    one_by_one = await stored(pool)
    await pool.execute("TRUNCATE products")
    arrived = [event for event in events for _ in range(chance.randint(1, 3))]
    chance.shuffle(arrived)
    cut = chance.randint(0, len(arrived))
    await save(pool, arrived[:cut])
    await save(pool, arrived[cut:])
    assert await stored(pool) == one_by_one
    rows = await pool.fetch("SELECT * FROM products")
    assert {(row["shop"], row["product_id"]): {name: row[name] for name in FIELDS} for row in rows} == {
        key: dict.fromkeys(FIELDS) | fields for key, fields in by_the_book(events).items()
    }


async def test_an_older_event_never_overwrites_a_newer_one(pool: Pool) -> None:
    """A price of last week comes late: it is the price still where none was told since, and nowhere else."""
    await save(pool, [about("tea", 60, name="抹茶", price=980)])
    await save(pool, [about("tea", 0, price=1980, stock=4)])
    [row] = await pool.fetch(PUBLISHED)
    assert (row["name"], row["price"], row["stock"]) == ("抹茶", 980, 4)
    assert row["updated_at"] == START + timedelta(seconds=60)


LESS_AND_MORE: dict[str, tuple[Any, Any]] = {
    "name": ("Z", "a"),
    "price": (980, 1980.5),
    "url": ("https://shop.example/Z", "https://shop.example/a"),
    "image_url": ("https://shop.example/～", "https://shop.example/𠮷"),
    "category": (None, "日本茶"),
    "stock": (3, 10),
    "use_up_days": (9, 30),
    "deleted": (False, True),
}


def _tea(told: dict[str, Any]) -> EcEvent:
    return about("tea", 0, **told)


@pytest.mark.parametrize("name", FIELDS)
async def test_of_two_words_in_one_instant_the_greater_counts(pool: Pool, name: str) -> None:
    """Whichever comes first: by number, by code point whatever the database's language, and any value before none."""
    less, more = (_tea({name: value}) for value in LESS_AND_MORE[name])
    for order in ((less, more), (more, less), (less, more, less)):
        await pool.execute("TRUNCATE products")
        for event in order:
            await save(pool, [event])
        assert await pool.fetchval(f"SELECT {name} FROM products") == LESS_AND_MORE[name][1]  # noqa: S608 - our own names


async def test_the_catalogue_is_part_of_the_batch(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that fails after it leaves neither products nor positions; when it comes again it leaves both."""
    batch = records([about("tea", 0, name="抹茶").model_dump(mode="json"), {"type": "nonsense"}])
    segmenter = await segmenter_on(pool)

    async def fail(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr("todoke_segmenter.handlers.put_outbox", fail)
        with pytest.raises(ConnectionResetError):
            await segmenter.take_ec_events(batch)
    assert await pool.fetchval("SELECT (SELECT count(*) FROM products) + (SELECT count(*) FROM consumed)") == 0
    await segmenter.take_ec_events(batch)
    await segmenter.take_ec_events(batch)
    assert [row["name"] for row in await pool.fetch(PUBLISHED)] == ["抹茶"]
    assert await pool.fetchval("SELECT next_offset FROM consumed") == 2
    assert await pool.fetchval("SELECT count(*) FROM people") == 0, "a product is nobody"


async def test_imported_products_and_events_are_one_catalogue(pool: Pool) -> None:
    """`todoke import products` fills in what events have not told, and overrules none that came later."""
    choices = Choices("main", "main", ZoneInfo("Asia/Tokyo"), START)
    row = {
        "product_id": "tea",
        "name": "抹茶",
        "price": "1980",
        "stock": "40",
        "category": "日本茶",
        "use_up_days": "30",
    }
    [draft] = read_products([row], choices)
    imported = event_of(draft, "products", choices)
    dropped = about("tea", 60, type_="product.price_dropped", price=1480).model_dump(mode="json")
    segmenter = await segmenter_on(pool)
    await segmenter.take_ec_events(records([dropped]))
    await segmenter.take_ec_events(records([imported], start=1))
    [product] = await pool.fetch(PUBLISHED)
    assert dict(product) == {
        "shop": "main",
        "product_id": "tea",
        "name": "抹茶",
        "price": 1480,
        "url": None,
        "image_url": None,
        "category": "日本茶",
        "stock": 40,
        "use_up_days": 30,
        "deleted": False,
        "updated_at": START + timedelta(seconds=60),
    }


async def test_batches_about_the_same_products_do_not_deadlock(pool: Pool) -> None:
    """Several segmenters tell of all products at once, each in an order of its own, and all are told."""
    ids = [f"p{number}" for number in range(2000)]
    batches = [[about(id_, second, price=second) for id_ in (ids if second % 2 else ids[::-1])] for second in range(6)]
    await asyncio.gather(*(save(pool, batch) for batch in batches))
    assert {row["price"] for row in await pool.fetch(PUBLISHED)} == {5}
    assert await pool.fetchval("SELECT count(*) FROM products") == len(ids)
