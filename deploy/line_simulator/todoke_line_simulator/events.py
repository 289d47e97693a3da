"""Webhook events as LINE's webhook definition has them, all from a single user.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

import secrets
from dataclasses import dataclass
from typing import Literal

from ulid import ULID

Event = dict[str, object]
Mode = Literal["active", "standby"]


@dataclass(frozen=True, slots=True)
class EventHead:
    """What every event carries."""

    user_id: str
    event_id: str
    timestamp: int
    """Milliseconds since 1970, UTC."""
    mode: Mode
    now: float
    """When the platform learns of it, Unix seconds: reply tokens live from here."""


def event_head(user_id: str, now: float, timestamp: int | None = None, mode: Mode = "active") -> EventHead:
    """A head with a fresh event id; ``timestamp`` (ms) when the event happened at another time than ``now`` (s)."""
    happened = int(now * 1000) if timestamp is None else timestamp
    return EventHead(user_id, str(ULID.from_timestamp(now)), happened, mode, now)


def follow(head: EventHead, reply_token: str, *, is_unblocked: bool) -> Event:
    """The user added or unblocked the account."""
    return _event(head, "follow", reply_token) | {"follow": {"isUnblocked": is_unblocked}}


def unfollow(head: EventHead) -> Event:
    """The user blocked the account."""
    return _event(head, "unfollow")


def text_message(head: EventHead, reply_token: str, text: str) -> Event:
    """The user wrote a text."""
    message = {"id": _message_id(), "type": "text", "quoteToken": secrets.token_urlsafe(24), "text": text}
    return _event(head, "message", reply_token) | {"message": message}


def postback(head: EventHead, reply_token: str, data: str, params: dict[str, str] | None) -> Event:
    """The user tapped something with a postback action."""
    content: dict[str, object] = {"data": data}
    if params is not None:
        content["params"] = params
    return _event(head, "postback", reply_token) | {"postback": content}


def account_link(head: EventHead, reply_token: str | None, nonce: str, result: Literal["ok", "failed"]) -> Event:
    """The user finished the account-link dialog; a failed one carries no reply token."""
    return _event(head, "accountLink", reply_token) | {"link": {"result": result, "nonce": nonce}}


def redelivered(event: Event) -> Event:
    """The same event as it is sent again."""
    return event | {"deliveryContext": {"isRedelivery": True}}


def _event(head: EventHead, kind: str, reply_token: str | None = None) -> Event:
    event: Event = {
        "type": kind,
        "webhookEventId": head.event_id,
        "deliveryContext": {"isRedelivery": False},
        "timestamp": head.timestamp,
        "source": {"type": "user", "userId": head.user_id},
        "mode": head.mode,
    }
    return event if reply_token is None else event | {"replyToken": reply_token}


def _message_id() -> str:
    return str(10**17 + secrets.randbelow(9 * 10**17))  # LINE's are 18 digits
