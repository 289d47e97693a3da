"""Happenings for tests of the segmenter: built as the service builds them, from events that pass the contracts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from todoke_segmenter.domain.happening import Happening, from_ec_event, from_line_event
from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.ids import person_id

START = datetime(2026, 2, 3, 9, tzinfo=UTC)
USER = "U" + "4a" * 16
PERSON = person_id("main", "customer:1")


def at(seconds: float) -> datetime:
    """So many seconds into the story."""
    return START + timedelta(seconds=seconds)


def shop(
    type_: str,
    seconds: float,
    data: dict[str, Any] | None = None,
    *,
    id_: str = "",
    subject: str = "customer:1",
    history: bool = False,
    source: str = "shop",
) -> Happening:
    """A shop event."""
    event = EcEvent(
        specversion="1.0",
        id=id_ or f"{type_}@{seconds}{data}"[:512],
        source=source,
        type=type_,
        time=at(seconds),
        subject=subject,
        data=data or {},
        history=history,
    )
    happening = from_ec_event(event)
    assert happening is not None
    return happening


def added(seconds: float, product: str, quantity: int = 1, **more: Any) -> Happening:
    """A product put into the cart."""
    item = {"product_id": product, "quantity": quantity, **more}
    return shop("cart.item_added", seconds, {"item": item})


def removed(seconds: float, product: str) -> Happening:
    """A product taken out."""
    return shop("cart.item_removed", seconds, {"product_id": product})


def snapshot(seconds: float, *products: str) -> Happening:
    """The whole cart."""
    return shop("cart.updated", seconds, {"items": [{"product_id": product} for product in products]})


def ordered(seconds: float) -> Happening:
    """An order."""
    return shop("order.placed", seconds, {"order_id": f"o{seconds}"})


def imported(seconds: float, *, friend: bool = True, user: str = USER, **more: Any) -> Happening:
    """A LINE user in the friend list of another tool."""
    return shop("friend.imported", seconds, {"friend": friend, **more}, subject=f"line:main:{user}")


def line(type_: str, seconds: float, *, account: str = "main", user: str = USER, **more: Any) -> Happening:
    """A LINE event of a user, with further fields."""
    happening = from_line_event(
        LineEvent(
            account=account,
            webhook_event_id=f"{type_}@{seconds}",
            received_at=at(seconds),
            occurred_at=at(seconds),
            event={"type": type_, "source": {"type": "user", "userId": user}, **more},
        )
    )
    assert happening is not None
    return happening
