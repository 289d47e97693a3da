"""Stock and prices: what products and levels say, in whatever order and however often, is told right and told once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.shopify import NOW, Json, KeptInMemory, ShopifyShop, level, product, shopify_config, variant
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.domain.shopify.stock import Product
from todoke_ingest.handlers.intake import Intake
from todoke_shared.clock import FakeClock

SECOND = timedelta(seconds=1)
STOCKS = st.integers(-1, 3)
PRICES = st.sampled_from(["880.00", "980.00", "1280.00"])


def at(second: int) -> str:
    """That many seconds into the story."""
    return (NOW + second * SECOND).isoformat()


class ForgetfulMemory(KeptInMemory):
    """Fails to remember as often as `crashes` says: what was published by then has been published."""

    crashes: int = 0

    async def learn(self, shop: str, product_id: str, lesson: Callable[[Product | None], Product | None]) -> None:
        """OSError while there are crashes left."""
        if self.crashes:
            self.crashes -= 1
            raise ConnectionResetError
        await super().learn(shop, product_id, lesson)


class Story:
    """Deliveries to a shop, and what was told of its one product."""

    def __init__(self) -> None:
        self.topics, self.memory = CheckedTopics(), ForgetfulMemory()
        clock = FakeClock(NOW + timedelta(days=1))
        self.shop = ShopifyShop(Intake(self.topics, clock, shopify_config()), self.memory)

    async def product(self, *variants: Json, second: int, crashes: int = 0) -> None:
        """products/update at that second, delivered again until it is taken."""
        await self._until_taken("products/update", product(*variants), second, crashes)

    async def level(self, available: int, *, second: int, location: int = 1, crashes: int = 0) -> None:
        """inventory_levels/update at that second."""
        await self._until_taken("inventory_levels/update", level(available, location=location), second, crashes)

    async def _until_taken(self, topic: str, payload: Json, second: int, crashes: int) -> None:
        self.memory.crashes = crashes
        statuses: list[int] = []
        while not statuses or statuses[-1] != 200:
            answer = await self.shop.deliver(topic, payload, webhook_id=f"{topic}-{second}", triggered_at=at(second))
            statuses.append(answer.status)
        assert statuses[:-1] == [503] * (len(statuses) - 1)

    @property
    def known(self) -> Product:
        """What is remembered."""
        return self.memory.products["main", "6001"]

    def told(self, kind: str) -> list[Json]:
        """The events of a kind as readers take them: each id once."""
        by_id = {str(value["id"]): value for value in reversed(self.topics.values()) if value["type"] == kind}
        return list(reversed(by_id.values()))


def product_of(event: Json) -> Json:
    """The product that an event is about."""
    data = event["data"]
    assert isinstance(data, dict)
    found = data["product"]
    assert isinstance(found, dict)
    return found


async def test_a_restock_is_told_by_a_level() -> None:
    """0, then more: product.restocked with what is known of the product, and how many there are."""
    story = Story()
    await story.product(variant(stock=0), second=0)
    await story.level(4, second=1)
    [restocked] = story.told("product.restocked")
    assert product_of(restocked) == {**product_of(story.told("product.updated")[0]), "stock": 4}


async def test_a_restock_is_told_by_a_product() -> None:
    """The product's own word is enough; a further one is no restock."""
    story = Story()
    for second, stock in enumerate((0, 0, 3, 5)):
        await story.product(variant(stock=stock), second=second)
    assert len(story.told("product.restocked")) == 1
    assert story.told("product.restocked")[0]["time"] == (NOW + 2 * SECOND).isoformat()


async def test_what_was_never_sold_out_is_not_restocked() -> None:
    """A new product, and one of whose stock we hear for the first time."""
    story = Story()
    await story.product(variant(stock=3), second=0)
    await story.level(5, second=1)
    assert story.told("product.restocked") == []


async def test_another_variant_in_stock_keeps_a_product_in_stock() -> None:
    """One size selling out and coming back is not the product's restock."""
    story = Story()
    await story.product(variant(stock=1), variant(4002, 2), second=0)
    await story.level(1, second=1)
    await story.level(0, second=2)
    assert product_of(story.told("product.updated")[-1])["stock"] == 2
    await story.level(1, second=3)
    assert story.told("product.restocked") == []


@pytest.mark.parametrize("uncounted", [{"inventory_management": None}, {"inventory_policy": "continue"}])
async def test_what_is_not_counted_is_never_sold_out(uncounted: Json) -> None:
    """A download, or what the shop sells on without stock, has no stock to tell."""
    story = Story()
    await story.product({**variant(stock=0), **uncounted}, second=0)
    await story.level(0, second=1)
    await story.level(3, second=2)
    assert [product_of(event).get("stock") for event in story.told("product.updated")] == [None]
    assert story.told("product.restocked") == []


async def test_two_locations_are_added_up() -> None:
    """A level is one location's: selling out in Kyoto leaves what lies in Tokyo."""
    story = Story()
    await story.product(variant(stock=7), second=0)
    await story.level(3, second=1, location=1)
    await story.level(4, second=2, location=2)
    await story.level(0, second=3, location=1)
    assert story.known.stock == 4
    await story.level(0, second=4, location=2)
    assert story.known.stock == 0
    await story.level(2, second=5, location=1)
    assert [product_of(event)["stock"] for event in story.told("product.restocked")] == [2]


async def test_a_lower_price_is_told() -> None:
    """The variant that fell most, with its price before; a new cheap variant, or a rise, is no drop."""
    story = Story()
    await story.product(variant(price="1280.00"), variant(4002, price="5000.00"), second=0)
    await story.product(variant(price="1180.00"), variant(4002, price="4000.00"), second=1)
    await story.product(variant(price="1280.00"), variant(4002, price="4000.00"), variant(4003, price="100"), second=2)
    [dropped] = story.told("product.price_dropped")
    data = dropped["data"]
    assert isinstance(data, dict)
    assert (product_of(dropped)["price"], data["price_before"], data["variant_id"]) == (4000, 5000, "7002")


async def test_an_older_word_changes_nothing_and_tells_nothing() -> None:
    """Deliveries overtake each other: the last word by Shopify's clock stands."""
    story = Story()
    await story.product(variant(stock=0, price="1280.00"), second=5)
    await story.product(variant(stock=9, price="880.00"), second=1)
    await story.level(9, second=2)
    assert (story.known.stock, story.known.price) == (0, 1280)
    assert len(story.topics.records) == 1
    await story.shop.deliver("products/delete", {"id": 6001}, triggered_at=at(9))
    await story.product(variant(stock=9), second=8)
    assert story.known.gone


async def test_a_level_stands_over_a_word_that_is_older() -> None:
    """A product's delivery that is late still tells the price, but not how many there were before the last level."""
    story = Story()
    await story.product(variant(stock=0), second=0)
    await story.level(4, second=5)
    await story.product(variant(stock=0, price="980.00"), second=3)
    assert (story.known.stock, story.known.price) == (4, 980)
    assert len(story.told("product.restocked")) == 1


WORDS = st.lists(st.tuples(STOCKS, PRICES), min_size=1, max_size=6)


@given(st.data(), WORDS)
@settings(max_examples=150, deadline=None)
async def test_in_any_order_and_number_the_newest_word_stands(
    data: st.DataObject, words: list[tuple[int, str]]
) -> None:
    """Shuffle and duplicate a product's deliveries: the same stock, price and time in the end."""
    order = data.draw(st.permutations(range(len(words))))
    again = data.draw(st.lists(st.sampled_from(range(len(words))), max_size=4))
    story = Story()
    for second in (*order, *again):
        stock, price = words[second]
        await story.product(variant(stock=stock, price=price), second=second)
    stock, price = words[-1]
    assert (story.known.stock, story.known.price) == (max(0, stock), float(price))
    assert story.known.at == NOW + (len(words) - 1) * SECOND


@given(st.data(), st.lists(STOCKS, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
async def test_in_any_order_and_number_the_newest_level_stands(data: st.DataObject, levels: list[int]) -> None:
    """Shuffle and duplicate a location's deliveries: the stock is what it told last."""
    order = data.draw(st.permutations(range(len(levels))))
    again = data.draw(st.lists(st.sampled_from(range(len(levels))), max_size=4))
    story = Story()
    await story.product(variant(stock=0), second=0)
    for index in (*order, *again):
        await story.level(levels[index], second=1 + index)
    assert story.known.stock == max(0, levels[-1])


CHANGES = st.lists(st.tuples(STOCKS | PRICES, st.integers(0, 2), st.booleans()), min_size=1, max_size=8)


@given(CHANGES)
@settings(max_examples=150, deadline=None)
async def test_crashes_and_repeats_tell_each_restock_and_drop_once(changes: list[tuple[int | str, int, bool]]) -> None:
    """Crash between publishing and remembering, repeat deliveries: what readers see is what happened, once.

    A change of stock comes as a level, a change of price as the product's word, which tells the stock as well.
    """
    story, stock, price = Story(), 0, "1280.00"
    restocks = drops = 0
    await story.product(variant(stock=0), second=0)
    for second, (change, crashes, repeated) in enumerate(changes, start=1):
        for failures in (crashes, 0) if repeated else (crashes,):
            if isinstance(change, int):
                await story.level(change, second=second, crashes=failures)
            else:
                await story.product(variant(stock=stock, price=change), second=second, crashes=failures)
        if isinstance(change, int):
            restocks += max(0, stock) == 0 < change
            stock = change
        else:
            drops += float(change) < float(price)
            price = change
        assert story.known.stock == max(0, stock)
    assert len(story.told("product.restocked")) == restocks
    assert len(story.told("product.price_dropped")) == drops


async def test_a_level_that_was_lost_hides_no_restock() -> None:
    """The product says that all are gone, though no location told us so; the next level is a restock all the same."""
    story = Story()
    await story.product(variant(stock=0), second=0)
    await story.level(1, second=1)
    await story.product(variant(stock=0), second=2)
    await story.level(1, second=3)
    assert story.known.stock == 1
    assert len(story.told("product.restocked")) == 2
