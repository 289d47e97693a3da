"""Shopify's door on real PostgreSQL: what it remembers, under rivals and faults, and what it must never hold."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.support.shopify import (
    EMAIL,
    NOW,
    PHONE,
    KeptInMemory,
    ShopifyShop,
    customer,
    headers,
    level,
    order,
    parcel,
    product,
    refund,
    shopify_config,
    variant,
)
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes
from todoke_ingest.adapters.shopify import PostgresMemory, ShopifyMemory
from todoke_ingest.domain.shopify.orders import OrderClaim, OrderOwner
from todoke_ingest.domain.shopify.privacy import PrivacyRequest
from todoke_ingest.domain.shopify.stock import Level, Product, ToldLevel, Variant, learn_level
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.shopify import ANSWER_SECONDS, take_shopify_webhook
from todoke_ingest.requests import DoorRequest
from todoke_local.cli import app
from todoke_shared.clock import FakeClock
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SECOND = timedelta(seconds=1)
TABLES = ("shopify_products", "shopify_variants", "shopify_orders", "privacy_requests")
TEA = Product(
    "6001",
    NOW,
    {"name": "宇治抹茶", "status": "active"},
    {
        "4001": Variant("7001", 1280.0, 5, {"1": Level(2, NOW), "2": Level(3, NOW - SECOND)}),
        "4002": Variant(None, None, None),
    },
)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Ingest's tables."""
    async with await open_pool(postgres_dsn, application="test", schema="ingest", size=4) as pool:
        yield pool


@pytest.fixture(params=["postgres", "stand-in"])
def memory(request: pytest.FixtureRequest, pool: Pool) -> ShopifyMemory:
    """The real memory, and the one that the unit tests put in its place: one suite holds both."""
    return PostgresMemory(pool) if request.param == "postgres" else KeptInMemory()


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def intake(pool: Pool, topics: CheckedTopics) -> Intake:
    """What stands behind the door."""
    return Intake(topics, FakeClock(NOW + timedelta(days=1)), shopify_config(), pool)


@pytest.fixture
def shop(intake: Intake, pool: Pool) -> ShopifyShop:
    """The shop on PostgreSQL."""
    return ShopifyShop(intake, PostgresMemory(pool))


def always(after: Product | None) -> Callable[[Product | None], Product | None]:
    """A lesson that does not ask what was known."""
    return lambda _: after


async def test_a_product_is_remembered_as_it_was_told(memory: ShopifyMemory) -> None:
    """Prices, stocks that are not counted, levels with their instants, facts in Japanese."""
    assert await memory.product("main", "6001") is None
    await memory.learn("main", "6001", always(None))
    assert await memory.product("main", "6001") is None
    await memory.learn("main", "6001", always(TEA))
    assert await memory.product("main", "6001") == TEA
    assert await memory.product("other", "6001") is None
    assert await memory.product_of_item("main", "4002") == "6001"
    assert await memory.product_of_item("other", "4002") is None


async def test_a_variant_that_is_no_more_is_forgotten(memory: ShopifyMemory) -> None:
    """And a deleted product keeps its instant alone, so that an older word does not bring it back."""
    await memory.learn("main", "6001", always(TEA))
    less = Product("6001", NOW + SECOND, {}, {"4001": Variant("7001", 980.0, 0)}, sold_out_at=NOW + SECOND)
    await memory.learn("main", "6001", always(less))
    assert await memory.product("main", "6001") == less
    assert await memory.product_of_item("main", "4002") is None
    gone = Product("6001", NOW + 2 * SECOND, {}, {}, gone=True)
    await memory.learn("main", "6001", always(gone))
    assert await memory.product("main", "6001") == gone


async def test_a_lesson_sees_what_the_one_before_left(memory: ShopifyMemory) -> None:
    """Forty levels of one item at once, twenty a location: none is lost."""
    await memory.learn("main", "6001", always(TEA))

    async def tell(number: int, place: str) -> None:
        told = ToldLevel("4001", place, number, NOW + number * SECOND)
        await memory.learn("main", "6001", lambda known: known and learn_level(known, told))

    await asyncio.gather(*(tell(number, place) for number in range(1, 21) for place in ("1", "2")))
    known = await memory.product("main", "6001")
    assert known is not None
    assert known.variants["4001"].stock == 40
    assert {place: told.available for place, told in known.variants["4001"].levels.items()} == {"1": 20, "2": 20}


async def test_whose_an_order_is_gets_better_and_never_worse(memory: ShopifyMemory) -> None:
    """The sure word stands over every guess, before and after it; that there was a guess stays known."""
    sure = OrderClaim("8001", "customer:5001", sure=True)
    guess = OrderClaim("8001", "visitor:shopify-order:8001", sure=False)
    assert await memory.claim_order("main", guess, NOW) == OrderOwner(guess.subject, was_guessed=True)
    for claim in (sure, guess, sure):
        assert await memory.claim_order("main", claim, NOW) == OrderOwner(sure.subject, was_guessed=True)
    for claim in (sure, guess):
        assert await memory.claim_order("other", claim, NOW) == OrderOwner(sure.subject, was_guessed=False)


async def test_a_person_who_is_forgotten_owns_no_order(memory: ShopifyMemory) -> None:
    """Neither their own orders nor those that the request names; others' stay, and so do other shops'."""
    for shop, order_id, owner in (("main", "1", "a"), ("main", "2", "b"), ("main", "3", "c"), ("other", "1", "a")):
        await memory.claim_order(shop, OrderClaim(order_id, f"customer:{owner}", sure=True), NOW)
    request = PrivacyRequest("main", "w1", "customers/redact", "customer:a", ("2",))
    for _ in range(2):
        await memory.keep_request(request, NOW)

    async def owner_of(shop: str, order_id: str) -> str:
        return (await memory.claim_order(shop, OrderClaim(order_id, "visitor:nobody", sure=False), NOW)).subject

    assert [await owner_of("main", order_id) for order_id in "123"] == [
        "visitor:nobody",
        "visitor:nobody",
        "customer:c",
    ]
    assert await owner_of("other", "1") == "customer:a"


async def test_a_shop_that_leaves_is_forgotten(memory: ShopifyMemory) -> None:
    """Its products, variants and orders; another shop's stay."""
    for shop in ("main", "other"):
        await memory.learn(shop, "6001", always(TEA))
        await memory.claim_order(shop, OrderClaim("1", "customer:a", sure=True), NOW)
    await memory.keep_request(PrivacyRequest("main", "w1", "shop/redact", None, ()), NOW)
    assert await memory.product("main", "6001") is None
    assert await memory.product_of_item("main", "4001") is None
    assert await memory.product("other", "6001") == TEA
    guess = OrderClaim("1", "visitor:nobody", sure=False)
    assert (await memory.claim_order("main", guess, NOW)).subject == "visitor:nobody"
    assert (await memory.claim_order("other", guess, NOW)).subject == "customer:a"


async def test_old_orders_are_forgotten_by_and_by(pool: Pool) -> None:
    """What nobody has spoken of for 800 days makes room."""
    memory = PostgresMemory(pool)
    await memory.claim_order("main", OrderClaim("1", "customer:a", sure=True), NOW)
    await memory.claim_order("main", OrderClaim("2", "customer:a", sure=True), NOW + timedelta(days=799))
    assert await pool.fetchval("SELECT count(*) FROM shopify_orders") == 2
    await memory.claim_order("main", OrderClaim("3", "customer:a", sure=True), NOW + timedelta(days=801))
    assert await pool.fetchval("SELECT array_agg(order_id ORDER BY order_id) FROM shopify_orders") == ["2", "3"]


async def test_rivals_tell_one_restock(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Ten deliveries at once, each of which finds the product sold out: readers take the news for one."""
    await shop.deliver("products/update", product(variant(stock=0)))
    answers = await asyncio.gather(
        *(
            shop.deliver("inventory_levels/update", level(1 + n), triggered_at=(NOW + n * SECOND).isoformat())
            for n in range(1, 11)
        )
    )
    assert {answer.status for answer in answers} == {200}
    restocks = [value["id"] for value in topics.values() if value["type"] == "product.restocked"]
    assert set(restocks) == {f"product/6001/restocked/{NOW.isoformat()}"}
    known = await shop.memory.product("main", "6001")
    assert known is not None
    assert known.stock == 11


async def test_the_door_remembers_across_deliveries(intake: Intake, pool: Pool, topics: CheckedTopics) -> None:
    """The door itself, as HTTP calls it: a refund is the buyer's, a level is the product's; a repeat adds no row."""
    for _ in range(2):
        for number, (topic, payload) in enumerate(
            (
                ("orders/create", order()),
                ("refunds/create", refund()),
                ("products/create", product()),
                ("inventory_levels/update", level(9)),
            )
        ):
            body = as_bytes(payload)
            given = headers(body, topic, webhook_id=f"w{number}", triggered_at=(NOW + number * SECOND).isoformat())
            assert (await take_shopify_webhook(intake, DoorRequest(body, given, {"shop": "main"}))).status == 200
    last = {str(value["type"]): value for value in topics.values()}
    assert last["order.refunded"]["subject"] == "customer:5001"
    assert last["product.updated"]["data"] != {}
    counts = [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]  # noqa: S608 - our own names
    assert counts == [1, 1, 1, 0]
    assert await pool.fetchval("SELECT stock FROM shopify_variants") == 9


async def test_no_table_holds_an_address_or_a_number(shop: ShopifyShop, pool: Pool) -> None:
    """Whatever is delivered, in no row of no table."""
    person = {"customer": {"email": EMAIL, "phone": PHONE}, "orders_to_redact": [8001]}
    for topic, payload in (
        ("orders/create", order(customer=None)),
        ("fulfillments/create", parcel(order_id=8002)),
        ("customers/create", customer()),
        ("products/create", product()),
        ("customers/data_request", person),
        ("customers/redact", person),
    ):
        assert (await shop.deliver(topic, payload)).status == 200
    rows = [str(dict(row)) for table in TABLES for row in await pool.fetch(f"SELECT * FROM {table}")]  # noqa: S608
    assert len(rows) >= 5
    for personal in (EMAIL, EMAIL.lower(), PHONE, "佐藤"):
        assert personal not in "".join(rows)


async def test_a_locked_table_is_answered_within_a_second(
    shop: ShopifyShop, pool: Pool, topics: CheckedTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 in the time set for it, and not when the lock is gone; then the same delivery is taken."""
    assert ANSWER_SECONDS < 1
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE shopify_orders")
        with monkeypatch.context() as soon:
            soon.setattr("todoke_ingest.handlers.shopify.ANSWER_SECONDS", 0.05)
            async with asyncio.timeout(3):  # PostgreSQL's own limits come later
                answer = await shop.deliver("orders/create", order(), webhook_id="w")
    assert (answer.status, topics.records) == (503, [])
    assert (await shop.deliver("orders/create", order(), webhook_id="w")).status == 200


async def test_without_postgresql_nothing_is_confirmed(shop: ShopifyShop, pool: Pool, topics: CheckedTopics) -> None:
    """A request to be forgotten that cannot be kept comes again."""
    await pool.close()
    answer = await shop.deliver("customers/redact", {"customer": {"id": 5001}})
    assert (answer.status, topics.records) == (503, [])


async def test_an_operator_sees_and_finishes_requests(
    shop: ShopifyShop, pool: Pool, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`todoke privacy list` names what is due in 30 days; `done` takes it off, and `--all` still shows it."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("COLUMNS", "200")

    async def todoke(*words: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["privacy", *words])
        return result.exit_code, result.output + str(result.exception or "")

    assert await todoke("list") == (0, "Nothing to do.\n")
    await shop.deliver("customers/data_request", {"customer": {"id": 5001, "email": EMAIL}}, webhook_id="w-1")
    code, listed = await todoke("list")
    assert code == 0
    for word in ("w-1", "main", "customers/data_request", "customer:5001", "2026-02-01", "2026-03-03"):
        assert word in listed
    code, said = await todoke("done", "w-1")
    assert (code, "done at" in said) == (0, True)
    first = await pool.fetchval("SELECT done_at FROM privacy_requests")
    await todoke("done", "w-1")
    assert await pool.fetchval("SELECT done_at FROM privacy_requests") == first
    assert await todoke("list") == (0, "Nothing to do.\n")
    assert "w-1" in (await todoke("list", "--all"))[1]
    code, said = await todoke("done", "w-2")
    assert (code, "todoke privacy list --all" in said) == (1, True)
