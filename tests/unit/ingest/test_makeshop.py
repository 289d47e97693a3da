"""makeshop: who gets in, and what its orders become."""

import base64
import hashlib
import hmac
import json

import pytest

from tests.unit.ingest.stand_ins import NOW, CheckedTopics, Json
from todoke_ingest.answers import Answer
from todoke_ingest.domain import makeshop
from todoke_ingest.domain.cloudevents import read_event
from todoke_ingest.domain.notices import Asked, Notice
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.platforms import take_makeshop
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.clock import FakeClock
from todoke_shared.errors import BadMessageError
from todoke_shared.shops import MakeShop, Shop

SECRET = "hook-secret"
SHOP = MakeShop(
    webhook_secrets=("old", SECRET),
    endpoint="https://app-api.makeshop.example/v1/graphql",
    access_token="PAT.1",
    api_key="key",
    paid_statuses=frozenset({"0002"}),
)
BODY = b'{"shop_id":"tea","system_order_number":"MSP1"}'


def digest(message: bytes, secret: str = SECRET) -> bytes:
    """HMAC-SHA256, as the header `x-makeshop-signature` is said to hold it."""
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


async def knock(body: bytes, headers: dict[str, str], shop: MakeShop = SHOP) -> Answer:
    """At a door without PostgreSQL."""
    config = Config(accounts={}, shops={"main": Shop(makeshop=shop), "bare": Shop()})
    return await take_makeshop(
        Intake(CheckedTopics(), FakeClock(NOW), config), DoorRequest(body, headers, {"shop": "main"})
    )


@pytest.mark.parametrize("secret", ["old", "hook-secret"])
@pytest.mark.parametrize("signature", ["hex", "base64"])
@pytest.mark.parametrize("signs", ["body", "timestamp+body"])
async def test_each_way_to_sign_opens_the_shop_that_is_set_to_it(signs: str, signature: str, secret: str) -> None:
    """And no other way does: the door is past the signature when it misses PostgreSQL."""
    shop = MakeShop.model_validate({**SHOP.model_dump(), "signs": signs, "signature": signature})
    hidden = digest((b"1769817600" if signs != "body" else b"") + BODY, secret)
    text = {"hex": hidden.hex(), "base64": base64.b64encode(hidden).decode()}
    headers = {"x-makeshop-request-timestamp": "1769817600"}
    with pytest.raises(RuntimeError, match="PostgreSQL"):
        await knock(BODY, {**headers, "x-makeshop-signature": text.pop(signature)}, shop)
    [other] = text.values()
    assert (await knock(BODY, {**headers, "x-makeshop-signature": other}, shop)).status == 401
    wrong = shop.model_copy(update={"signs": "body" if signs != "body" else "timestamp+body", "signature": signature})
    given = hidden.hex() if signature == "hex" else base64.b64encode(hidden).decode()
    assert (await knock(BODY, {**headers, "x-makeshop-signature": given}, wrong)).status == 401


@pytest.mark.parametrize("headers", [{}, {"x-makeshop-signature": ""}, {"x-makeshop-signature": "署名"}])
async def test_nobody_else_gets_in(headers: dict[str, str]) -> None:
    """401 without a signature."""
    assert (await knock(BODY, headers)).status == 401


async def test_a_webhook_about_no_order_is_answered() -> None:
    """Such as an installation: nothing to fetch, nothing to complain of."""
    body = b'{"app_id": 1, "shop_id": "tea", "token": "PAT.1"}'
    assert (await knock(body, {"x-makeshop-signature": digest(body).hex()})).status == 200


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        (BODY.decode(), ["MSP1"]),
        ('{"orders":[{"system_order_number":"A1"},{"systemOrderNumber":"A2"}]}', ["A1", "A2"]),
        ('{"systemOrderNumbers":["A1","A2","A1"]}', ["A1", "A2"]),
        ('{"system_order_numbers":["A1", 7, null, "", "a b", "日本", {"system_order_number": "no"}]}', ["A1"]),
        ('{"system_order_number":{"deep":"A1"}}', []),
        ('{"a":' * 20 + '{"system_order_number":"A1"}' + "}" * 20, []),
        ("[]", []),
    ],
)
def test_the_numbers_of_orders_are_found_wherever_they_are(body: str, numbers: list[str]) -> None:
    """The body's form is not published: every plausible name is read, and nothing else of it is believed."""
    assert [notice.entity_id for notice in makeshop.read_notices(body.encode())] == numbers


@pytest.mark.parametrize("body", [b"", b"7", b'"order"', b"{"])
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    """400, though it be signed."""
    with pytest.raises(RequestRefusedError):
        makeshop.read_notices(body)


def order(status: str = "N", **changes: object) -> Json:
    """An order as searchOrder answers it."""
    basket = [{"productCode": "000000000123", "productName": "煎茶", "price": 1080, "amount": 2}]
    return {
        "systemOrderNumber": "MSP1",
        "displayOrderNumber": "1001",
        "orderDate": "20260131085900",
        "memberId": "hana",
        "sumPrice": 2660,
        "paymentStatusCode": "9999",
        "deliveryInfos": [{"deliveryStatus": status, "slipNumber": "1234", "basketInfos": basket}],
        **changes,
    }


def tell(payload: Json | None, *told: str) -> list[Json]:
    """The events told, each sure to be in the vocabulary."""
    look = Asked("makeshop", "main", Notice("order", "MSP1", "updated"), NOW, NOW, frozenset(told))
    return [json.loads(read_event(event, NOW).value) for event in makeshop.tell(look, payload, SHOP).events]


@pytest.mark.parametrize(
    ("payload", "types"),
    [
        (order("N"), ["placed"]),
        (order("Y"), ["placed", "shipped"]),
        (order("C"), ["placed", "cancelled"]),
        (order("R"), ["placed", "refunded"]),
        (order("N", paymentStatusCode="0002"), ["placed", "paid"]),
        (order("N", deliveryInfos=[{"deliveryStatus": "Y"}, {"deliveryStatus": "N"}]), ["placed"]),
        (order("N", deliveryInfos=[{"deliveryStatus": "Y"}, {"deliveryStatus": "C"}]), ["placed", "shipped"]),
        (order("N", deliveryInfos=None), ["placed"]),
        (order("N", orderDate="20250131085900"), []),
        (None, []),
    ],
)
def test_an_order_tells_its_course(payload: Json | None, types: list[str]) -> None:
    """By the states of its parcels; paid only by what the shop says means paid; an old order was placed long ago."""
    assert [event["type"] for event in tell(payload)] == [f"order.{name}" for name in types]


def test_each_step_is_told_once_with_what_was_bought() -> None:
    """The shop's own order number, Japan's time, the member as customer."""
    [event] = tell(order("Y"), "placed")
    assert (event["id"], event["source"], event["subject"]) == ("order/MSP1/shipped", "makeshop:main", "customer:hana")
    assert event["data"] == {
        "order_id": "1001",
        "amount": 2660,
        "currency": "JPY",
        "items": [{"product_id": "000000000123", "name": "煎茶", "price": 1080, "quantity": 2}],
        "tracking_number": "1234",
    }
    [placed] = tell(order("N", memberId=""))
    assert (placed["time"], placed["subject"]) == ("2026-01-31T08:59:00+09:00", "visitor:makeshop-guest-MSP1")


@pytest.mark.parametrize("changes", [{"orderDate": "2026-01-31"}, {"orderDate": "20261331085900"}, {"sumPrice": "x"}])
def test_an_answer_that_nobody_can_read_says_where(changes: Json) -> None:
    """BadMessageError names the field."""
    with pytest.raises(BadMessageError) as caught:
        tell(order("N", **changes))
    assert caught.value.field
