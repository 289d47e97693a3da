"""A message tells of products what the catalogue knows of them at the instant when it is due."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.pipeline import open_pipeline
from tests.support.shop_events import event, line_subject
from todoke_shared.campaigns.model import Campaign

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
HANA = line_subject("hana")
HOUR = timedelta(hours=1)


def told(product: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """The shop tells of a product."""
    return event("product.updated", HANA, at, {"product": {"product_id": product, **fields}})


def text(words: str) -> dict[str, list[dict[str, str]]]:
    """A message of these words."""
    return {"reminder": [{"type": "text", "text": words}]}


def campaign(on: str, words: str) -> Campaign:
    """A message an hour after an event."""
    return Campaign.model_validate(
        {
            "campaign": "care",
            "class": "transactional",
            "enter": {"on": on},
            "steps": [{"wait": "1h"}, {"send": "reminder"}],
            "messages": text(words),
        }
    )


LISTED = (
    "{% for one in products %}{{ one.name }} {{ one.price | default(0) | yen }} {{ one.image_url | default('-') }}\n"
    "{% endfor %}"
)


async def test_what_lies_in_the_cart_is_told_with_its_price_and_picture_of_now(postgres_dsn: str) -> None:
    """In the cart's order; what the catalogue does not have, or the shop sells no more, is left out."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign("cart.changed", LISTED)]) as pipeline:
        await pipeline.follow("hana")
        items = [{"product_id": one, "name": one, "quantity": 1} for one in ("tea", "whisk", "gone", "unknown")]
        await pipeline.post(
            told("whisk", NOON, name="茶筅", price=3300),
            told("tea", NOON, name="抹茶", price=1980, image_url="https://shop.example/tea.jpg"),
            told("gone", NOON, name="旧商品", price=1, deleted=True),
            event("cart.updated", HANA, NOON, {"cart_id": "c-1", "items": items}),
        )
        await pipeline.run_until(NOON + HOUR / 2)
        await pipeline.post(told("tea", NOON + HOUR / 2, price=1500))
        await pipeline.run_until(NOON + 2 * HOUR)
        assert pipeline.sent_to("hana") == ["抹茶 1,500円 https://shop.example/tea.jpg\n茶筅 3,300円 -\n"]


async def test_the_product_of_an_event_is_told_of(postgres_dsn: str) -> None:
    """By the id in the event, wherever the vocabulary has it."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign("product.viewed", LISTED)]) as pipeline:
        await pipeline.follow("hana")
        await pipeline.post(told("tea", NOON, name="抹茶", price=1980))
        await pipeline.post(event("product.viewed", HANA, NOON, {"product": {"product_id": "tea"}}))
        await pipeline.run_until(NOON + 2 * HOUR)
        assert pipeline.sent_to("hana") == ["抹茶 1,980円 -\n"]
