"""What the document allows at the doors that keep something in PostgreSQL is answered as it says."""

import json
import os
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.documented import NEEDS_POSTGRESQL, Ingest, Operation, as_sent, open_ingest, operations
from tests.support.fuzzing import families
from tests.support.shopify import Json, cart, customer, level, line, order, parcel, product, refund
from tests.unit.ingest.test_ingest_fuzz import ANYTHING
from todoke_shared.postgres.pool import open_pool

LONG = os.environ.get("TODOKE_TEST_LONG") == "1"
BOUNDED = settings(
    max_examples=1000 if LONG else 40,
    deadline=None,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
KEEPING = [
    each
    for family in families().values()
    for each in family
    if each.path in NEEDS_POSTGRESQL | {"/v1/events", "/r/{token}"}
]
EXAMPLES = [(each, *example) for each in operations() for example in each.examples if each.path in NEEDS_POSTGRESQL]
PAYLOADS: dict[str, Json] = {
    "carts/update": cart(line()),
    "checkouts/create": cart(line()),
    "orders/create": order(fulfillments=[parcel()]),
    "orders/updated": order(fulfillments=[parcel()]),
    "fulfillments/update": parcel(shipment_status="delivered"),
    "refunds/create": refund(),
    "customers/update": customer(),
    "products/update": product(),
    "inventory_levels/update": level(9),
    "customers/redact": {"customer": {"id": 1}, "orders_to_redact": [8001]},
    "shop/redact": {"shop_id": 1},
}


@pytest.fixture
async def ingest(postgres_dsn: str) -> AsyncIterator[Ingest]:
    """An ingest on PostgreSQL, every room's tables in it."""
    async with (
        await open_pool(postgres_dsn, application="test", schema="ingest", size=4) as pool,
        open_ingest(pool) as it,
    ):
        yield it


@given(st.data())
@BOUNDED
async def test_what_comes_with_a_key_or_signature_is_answered_as_documented(
    ingest: Ingest, data: st.DataObject
) -> None:
    """Let in by every way in, and then: no error of ours, a status that is told, its media type, schema and headers."""
    operation = data.draw(st.sampled_from(KEEPING))
    case, way = data.draw(operation.cases(placed=True)), data.draw(st.sampled_from(operation.ways))
    answer = await operation.answers_as_documented(ingest, case, way)
    assert answer.status_code not in (401, 403)


@given(st.data(), st.sampled_from("abc"))
@BOUNDED
async def test_events_under_few_idempotency_keys_are_answered_as_documented(
    ingest: Ingest, data: st.DataObject, key: str
) -> None:
    """Taken, or 409 when the key comes again with another body."""
    [events] = [each for each in KEEPING if each.path == "/v1/events"]
    case = data.draw(events.cases_with_examples())
    answer = await events.answers_as_documented(ingest, case, "bearerKey", **{"idempotency-key": key})
    assert answer.status_code in (202, 400, 409)


@given(st.sampled_from(sorted(PAYLOADS)), st.dictionaries(st.integers(0, 30), ANYTHING, max_size=2))
@BOUNDED
async def test_any_delivery_of_shopifys_is_answered_as_documented(
    ingest: Ingest, topic: str, changes: dict[int, object]
) -> None:
    """A signed payload with anything in the place of its fields is durable or a dead letter: 200."""
    payload = dict(PAYLOADS[topic])
    for place, value in changes.items():
        payload[list(payload)[place % len(payload)]] = value
    answer = await ingest.ask(
        "POST",
        "/webhooks/shopify/main",
        body=as_sent(payload),
        headers={"x-shopify-topic": topic},
        way="shopifySignature",
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("operation", "media", "name", "value"), EXAMPLES, ids=[f"{each[0].name} {each[2]}" for each in EXAMPLES]
)
async def test_every_example_of_the_document_is_taken(
    ingest: Ingest, operation: Operation, media: str, name: str, value: object
) -> None:
    """The other doors' examples are taken in tests/unit/ingest/test_openapi.py."""
    [way] = operation.ways
    headers = {"content-type": media, **operation.shown("header")}
    url = operation.path.format(**operation.shown("path"))
    answer = await ingest.ask(operation.method, url, body=as_sent(value), headers=headers, way=way)
    assert (answer.status_code, json.loads(answer.content)) == (200, {})
