"""docs/shopify.md tells the truth: what it shows can be pasted."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.shopify import (
    NOW,
    VISITOR,
    Json,
    KeptInMemory,
    ShopifyShop,
    cart,
    customer,
    level,
    line,
    order,
    parcel,
    product,
    refund,
    shopify_config,
)
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.domain.shopify.people import VISITOR_ATTRIBUTE
from todoke_ingest.domain.shopify.privacy import PRIVACY_TOPICS
from todoke_ingest.handlers.intake import Intake
from todoke_shared.accounts import load_config
from todoke_shared.clock import FakeClock

PAGE = (Path(__file__).parents[3] / "docs" / "shopify.md").read_text(encoding="utf-8")
PAYLOADS: dict[str, Json] = {
    "carts": cart(line()),
    "checkouts": cart(line()),
    "orders": order(fulfillments=[parcel()]),
    "fulfillments": parcel(shipment_status="delivered"),
    "fulfillment_events": {"fulfillment_id": 1, "order_id": 8001, "status": "delivered"},
    "refunds": refund(),
    "customers": customer(),
    "customers_email_marketing_consent": {"customer_id": 1, "email_marketing_consent": {"state": "subscribed"}},
    "products": product(),
    "inventory_levels": level(9),
}
ROWS = re.findall(r"^\| (`[a-z_]+/[^|]*) \| (`[^|]*) \|", PAGE, re.MULTILINE)


def block(info: str) -> str:
    """The page's block of that kind."""
    [text] = re.findall(rf"^```{info}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def test_the_configuration_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, with the secret in the environment."""
    monkeypatch.setenv("SHOPIFY_SECRET", "shpss")
    file = tmp_path / "config.yaml"
    file.write_text("accounts: {}\n" + block("yaml config"), encoding="utf-8")
    shopify = load_config(file).shops["main"].shopify
    assert shopify is not None
    assert shopify.webhook_secrets == ("shpss",)


def test_the_app_subscribes_to_what_has_words() -> None:
    """Each topic of the app's file is in the table, and the privacy topics are all three."""
    first, second = tomllib.loads(block("toml"))["webhooks"]["subscriptions"]
    assert set(second["compliance_topics"]) == PRIVACY_TOPICS
    assert set(first["topics"]) <= {topic for topics, _ in ROWS for topic in re.findall(r"`([^`]+)`", topics)}


@pytest.mark.parametrize(("topics", "kinds"), ROWS, ids=[topics for topics, _ in ROWS])
async def test_each_topic_becomes_what_the_table_says(topics: str, kinds: str) -> None:
    """The first event named in the row is told by each topic of the row."""
    for topic in re.findall(r"`([^`]+)`", topics):
        kafka = CheckedTopics()
        shop = ShopifyShop(Intake(kafka, FakeClock(NOW), shopify_config()), KeptInMemory())
        await shop.deliver("products/create", product())
        before = len(kafka.records)
        later = (NOW + timedelta(seconds=1)).isoformat()
        answer = await shop.deliver(topic, PAYLOADS[topic.partition("/")[0]], triggered_at=later)
        assert answer.status == 200
        assert re.findall(r"`([^`]+)`", kinds)[0] in {value["type"] for value in kafka.values()[before:]}


def test_the_themes_script_writes_the_attribute_that_is_read() -> None:
    """The cookie and the attribute have the tag's and the door's name, and the same alphabet."""
    script = block("html")
    assert f"attributes: {{ {VISITOR_ATTRIBUTE}: " in script
    [pattern] = re.findall(r"match\(/(.*?)/\)", script)
    found = re.search(pattern, f"a=1; {VISITOR_ATTRIBUTE}={VISITOR}; b=2")
    assert found is not None
    assert found[1] == VISITOR
