"""What a delivery of Shopify's has told, for the tests of its topics."""

from tests.support.shopify import Json, ShopifyShop
from tests.unit.ingest.stand_ins import CheckedTopics


async def told(
    shop: ShopifyShop, topics: CheckedTopics, topic: str, payload: Json, **headers: str | None
) -> list[Json]:
    """The events of one delivery, `webhook` by default, all of them good."""
    before = len(topics.records)
    given: dict[str, str | None] = {"webhook_id": "webhook", **headers}
    assert (await shop.deliver(topic, payload, **given)).status == 200
    assert {record.topic for record in topics.records} <= {"ec.events.v1"}
    return topics.values()[before:]


def brief(events: list[Json]) -> list[tuple[object, object, object]]:
    """Id, type and subject of each."""
    return [(event["id"], event["type"], event.get("subject")) for event in events]


def data_of(event: Json) -> Json:
    """An event's data."""
    data = event["data"]
    assert isinstance(data, dict)
    return data
