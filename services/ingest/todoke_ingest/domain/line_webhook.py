"""A LINE webhook delivery -> its events, each apart: one that nobody can read never holds up the others.

Unknown types and fields are carried (LINE-API: webhooks). LINE's own parser fails a whole delivery for one bad event.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from pydantic_core import to_json

from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_shared.accounts import Account
from todoke_shared.contracts.envelope import MAX_EVENT_BYTES
from todoke_shared.contracts.json_values import check_json
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.subjects import check_subject
from todoke_shared.errors import BadMessageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = 946_684_800_000, 7_258_118_399_999
"""The years 2000 to 2199, as for every instant of ours, in milliseconds since 1970."""
_LONGEST_ID = 255


def read_delivery(body: bytes, account: Account) -> list[object]:
    """The events of a delivery whose signature has been verified; it may hold none.

    RequestRefusedError (400) when it is no delivery, or names another bot than the account's `destination`.
    """
    delivery = read_json(body)
    if not isinstance(delivery, dict):
        raise RequestRefusedError(400, "must be a JSON object as LINE sends it")
    if account.destination is not None and delivery.get("destination") != account.destination:
        raise RequestRefusedError(400, "is another bot; check the webhook URL in LINE's console", field="destination")
    events = delivery.get("events")
    if not isinstance(events, list):
        raise RequestRefusedError(400, "must be an array", field="events")
    return events


def read_line_event(raw: object, name: str, shop: str, received_at: datetime) -> LineEvent:
    """One event of the account `name`. BadMessageError names the field and the reason."""
    if not isinstance(raw, dict):
        raise BadMessageError("must be a JSON object")
    check_json(raw)
    if not isinstance(raw.get("type"), str):
        raise BadMessageError("must be text", field="type")
    event = LineEvent(
        shop=shop,
        account=name,
        webhook_event_id=_event_id(raw),
        received_at=received_at,
        occurred_at=_occurred_at(raw.get("timestamp")),
        event=raw,
    )
    if event.user:
        _check_user(event.user.subject)
    if len(event.to_json()) > MAX_EVENT_BYTES:
        raise BadMessageError(f"is larger than {MAX_EVENT_BYTES // 1024} KiB")
    return event


def unsent_messages(events: Iterable[object]) -> list[str]:
    """The ids of the messages that these events take back."""
    found: list[str] = []
    for event in events:
        unsend = event.get("unsend") if isinstance(event, dict) and event.get("type") == "unsend" else None
        message = unsend.get("messageId") if isinstance(unsend, dict) else None
        if isinstance(message, str) and 1 <= len(message) <= _LONGEST_ID and message.isalnum() and message.isascii():
            found.append(message)
    return found


def record_key(event: LineEvent) -> bytes:
    """A person's events keep their order; an event of nobody has only itself to be in order with."""
    return (event.user.subject if event.user else event.webhook_event_id).encode()


def as_it_came(raw: object) -> bytes | None:
    """A bad event's JSON for its dead letter, NaN and all; None when not even a dead letter can hold it."""
    value = to_json(raw, inf_nan_mode="constants")
    return value if len(value) <= 2 * MAX_EVENT_BYTES else None


def _event_id(raw: dict[str, object]) -> str:
    given = raw.get("webhookEventId")
    if given is None:
        return "sha256:" + _digest(raw)
    if not isinstance(given, str) or not 1 <= len(given) <= _LONGEST_ID:
        raise BadMessageError(f"must be text of 1 to {_LONGEST_ID} characters", field="webhookEventId")
    return given


def _digest(raw: dict[str, object]) -> str:
    # Without deliveryContext: it alone differs in a redelivery, which must be recognised as the same event.
    lasting = {name: value for name, value in raw.items() if name != "deliveryContext"}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()


def _occurred_at(timestamp: object) -> datetime:
    if not _is_integer(timestamp) or not _FIRST_MS <= timestamp <= _LAST_MS:
        raise BadMessageError("must be milliseconds since 1970, in the years 2000 to 2199", field="timestamp")
    return _EPOCH + timedelta(milliseconds=timestamp)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_user(subject: str) -> None:
    try:
        check_subject(subject)
    except BadMessageError:
        raise BadMessageError("must be U and 32 lower-case hexadecimal digits", field="source.userId") from None
