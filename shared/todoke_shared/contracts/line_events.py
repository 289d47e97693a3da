"""`line.events.v1`: one LINE webhook event a record, untouched, with the account and when it was received."""

from typing import Any, ClassVar
from uuid import UUID

from todoke_shared.contracts.envelope import MAX_EVENT_BYTES, Contract, Instant, Name
from todoke_shared.contracts.subjects import LineUser
from todoke_shared.ids import event_key


class LineEvent(Contract):
    """A LINE webhook event as it came. Unknown types and fields are carried (LINE-API.md: webhooks)."""

    largest: ClassVar[int] = MAX_EVENT_BYTES

    shop: Name = "main"
    account: Name
    webhook_event_id: str
    received_at: Instant
    occurred_at: Instant
    event: dict[str, Any]

    @property
    def type(self) -> str:
        """LINE's own name: follow, unfollow, message, postback, accountLink, …"""
        return str(self.event.get("type", ""))

    @property
    def user(self) -> LineUser | None:
        """Who did it, or None when LINE does not say (a group event, say)."""
        source = self.event.get("source")
        user_id = source.get("userId") if isinstance(source, dict) else None
        return LineUser(self.account, user_id) if isinstance(user_id, str) else None

    @property
    def key(self) -> UUID:
        """Its identity in every inbox: LINE's webhookEventId, which a redelivery repeats."""
        return event_key(self.shop, f"line:{self.account}", self.webhook_event_id)
