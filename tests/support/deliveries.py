"""Requests and deliveries that the dispatcher's tests start from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from todoke_dispatcher.domain.delivery import Delivery
from todoke_shared.contracts.requests import CrowdRequest, Lane, MessageRequest, TemplateRef
from todoke_shared.contracts.topics import LANES
from todoke_shared.ids import crowd_id
from todoke_shared.kafka.records import Record

NOON = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
"""12:00 in Asia/Tokyo."""
_NAMES = UUID("5f0c1c1e-0000-4000-8000-000000000000")


def message_named(name: str) -> UUID:
    """A message id that a test can name."""
    return uuid5(_NAMES, name)


def user_named(name: str) -> str:
    """A LINE user id that a test can name."""
    return "U" + uuid5(_NAMES, name).hex


def request(name: str = "one", *, text: str | None = None, to: str | None = None, **fields: object) -> MessageRequest:
    """A request with one text in LINE's own words; by default one that nobody else gets, so that it is pushed."""
    words = f"こんにちは、{name}さん" if text is None else text
    return MessageRequest.model_validate(
        {
            "id": message_named(name),
            "account": "main",
            "to": to or user_named(name),
            "due_at": NOON,
            "messages": None if "template" in fields else [{"type": "text", "text": words}],
            **fields,
        }
    )


def crowd(*names: str, text: str | None = None, to: Sequence[str] = (), **fields: object) -> CrowdRequest:
    """A request to many: the same text for each, the messages named as those of `request`."""
    users = to or [user_named(name) for name in names]
    content = {} if "template" in fields else {"messages": [{"type": "text", "text": text or "こんにちは、みなさん"}]}
    return CrowdRequest.model_validate(
        {
            "id": crowd_id(message_named(names[0])),
            "account": "main",
            "due_at": NOON,
            "recipients": [{"id": message_named(name), "to": user} for name, user in zip(names, users, strict=True)],
            **content,
            **fields,
        }
    )


def template(variables: Mapping[str, object], version: int = 1) -> TemplateRef:
    """The first reminder of the shipped cart campaign."""
    return TemplateRef(
        campaign="cart-abandonment", version=version, message="first-reminder", variables=dict(variables)
    )


def delivery(name: str = "one", *, lane: Lane = "marketing", **fields: object) -> Delivery:
    """A delivery that waits, of `request(name)`."""
    fresh = Delivery(message_id=message_named(name), lane=lane, request=request(name), next_attempt_at=NOON)
    return replace(fresh, **fields)  # type: ignore[arg-type]


def record(
    value: bytes | MessageRequest | CrowdRequest, offset: int = 0, *, lane: Lane = "marketing", partition: int = 0
) -> Record:
    """A record of a lane's topic."""
    raw = value if isinstance(value, bytes) else value.to_json()
    return Record(LANES[lane].name, partition, offset, b"key", raw)
