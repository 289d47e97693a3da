"""makeshop: a webhook's notices of orders, and what became of an order, as CloudEvents.

What is published: that 注文更新通知 are POSTed as JSON every two minutes (https://developers.makeshop.jp/guide/webhook.html);
the fields of an order and `deliveryStatus` N 未処理, Y 配送, C キャンセル, R 返送
(https://developers.makeshop.jp/api/graphql/index.html, SearchedOrder and SearchOrderRequest).

What we found no source for, and where to change it: the body's names for the order numbers (`_NUMBER_FIELDS` here), how
the HMAC is made (`signs` and `signature` of MakeShop in todoke_shared.shops), and how to ask for one order
(`_ORDER` in adapters/makeshop.py). Nothing of a webhook is believed but its numbers: the order itself is asked for.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.notices import Asked, Notice, Telling, merge
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_shared.contracts.envelope import bad_message
from todoke_shared.shops import MakeShop

ENTITY = "order"
_NUMBER_FIELDS = frozenset(
    {"system_order_number", "system_order_numbers", "systemOrderNumber", "systemOrderNumbers", "order_number"}
)
"""Snake case is what makeshop's other webhooks have (app_id, shop_id), camel case what its API has."""
_LONGEST_NUMBER = 64
_DEEPEST = 8
_JAPAN = ZoneInfo("Asia/Tokyo")
_SENT, _CANCELLED, _RETURNED = "Y", "C", "R"
_MOST_ITEMS = 500


def _japanese_time(text: object) -> object:
    """`20260131090000`, as makeshop writes a moment."""
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) == 14:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=_JAPAN)
    raise ValueError("must be 14 digits, year to second")


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class BasketInfo(_Part):
    """A product in an order."""

    product_code: str | None = None
    product_name: str | None = None
    price: float = Field(default=0, ge=0, allow_inf_nan=False)
    amount: int = 1


class DeliveryInfo(_Part):
    """One destination of an order."""

    delivery_status: str | None = None
    slip_number: str | None = None
    basket_infos: list[BasketInfo] | None = None


class Order(_Part):
    """An order, as far as we read it."""

    system_order_number: str
    display_order_number: str | None = None
    order_date: Annotated[datetime, BeforeValidator(_japanese_time)]
    member_id: str | None = None
    sum_price: float | None = Field(default=None, allow_inf_nan=False)
    payment_status_code: str | None = None
    delivery_infos: list[DeliveryInfo] | None = None


def read_notices(body: bytes) -> list[Notice]:
    """The orders that a verified delivery names, wherever in it. RequestRefusedError (400) when it is no JSON object.

    It may name none: makeshop sends its other webhooks to URLs of their own, but may be told one URL for all.
    """
    value = read_json(body)
    if not isinstance(value, dict | list):
        raise RequestRefusedError(400, "must be a JSON object, as makeshop sends it")
    return merge(Notice(ENTITY, number, "updated") for number in _numbers(value, depth=0))


def tell(asked: Asked, payload: Mapping[str, object] | None, shop: MakeShop) -> Telling:
    """What of the order's course has not been told yet. BadMessageError when the answer is no order."""
    if payload is None:
        return Telling()
    try:
        order = Order.model_validate(payload)
    except ValidationError as error:
        raise bad_message(error) from None
    course = dict(asked.new_of(_course(order, asked, shop)))
    number = order.system_order_number
    subject = f"customer:{order.member_id}" if order.member_id else f"visitor:makeshop-guest-{number}"
    events = [
        asked.event(f"order.{name}", f"order/{number}/{name}", at, _data(name, order), subject)
        for name, at in course.items()
    ]
    return Telling(events, frozenset(course))


def _course(order: Order, asked: Asked, shop: MakeShop) -> Iterator[tuple[str, datetime]]:
    """makeshop dates the order alone: what became of it happened when we were told."""
    told_at = asked.received_at
    states = {each.delivery_status for each in order.delivery_infos or ()}
    yield "placed", order.order_date
    if order.payment_status_code in shop.paid_statuses:
        yield "paid", told_at
    if states == {_CANCELLED}:
        yield "cancelled", told_at
    if _RETURNED in states:
        yield "refunded", told_at
    elif _SENT in states and states <= {_SENT, _CANCELLED}:
        yield "shipped", told_at


def _data(name: str, order: Order) -> dict[str, object]:
    items = [
        {
            "product_id": each.product_code,
            "name": (each.product_name or "")[:500],
            "price": each.price,
            "quantity": each.amount,
        }
        for delivery in order.delivery_infos or ()
        for each in delivery.basket_infos or ()
        if each.product_code and each.amount >= 1
    ]
    data: dict[str, object] = {
        "order_id": order.display_order_number or order.system_order_number,
        "items": items[:_MOST_ITEMS],
        "amount": order.sum_price,
        "currency": "JPY",
    }
    if name == "shipped":
        slips = [each.slip_number for each in order.delivery_infos or () if each.slip_number]
        data["tracking_number"] = slips[0] if slips else None
    return data


def _numbers(value: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _numbers(each, depth + 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in _NUMBER_FIELDS:
                yield from filter(_is_number, each if isinstance(each, list) else [each])
            else:
                yield from _numbers(each, depth + 1)


def _is_number(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NUMBER and value.isascii() and value.isalnum()
