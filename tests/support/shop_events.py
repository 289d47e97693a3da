"""Shop events as a producer would write them."""

from datetime import datetime
from typing import Any

from tests.support.line_webhooks import line_user_id


def line_subject(name: str) -> str:
    """A person, by their LINE user id of the account `main`."""
    return f"line:main:{line_user_id(name)}"


def event(
    type_: str, subject: str, at: datetime, data: dict[str, Any], *, event_id: str | None = None
) -> dict[str, Any]:
    """A CloudEvent. Its id follows from what it says, so that the same event twice is the same event."""
    return {
        "specversion": "1.0",
        "id": event_id or f"{type_}-{subject}-{at.isoformat()}-{sorted(map(str, data.values()))}",
        "source": "test-shop",
        "type": type_,
        "time": at.isoformat(),
        "subject": subject,
        "data": data,
    }


def added(subject: str, at: datetime, *products: str) -> list[dict[str, Any]]:
    """Products put into the cart, each with its own name as its id."""
    return [event("cart.item_added", subject, at, {"item": {"product_id": p, "name": p}}) for p in products]


def ordered(subject: str, at: datetime, order_id: str, *products: str) -> dict[str, Any]:
    """An order."""
    return event("order.placed", subject, at, {"order_id": order_id, "items": [{"product_id": p} for p in products]})
