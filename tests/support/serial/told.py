"""One event, as the shop or LINE tells it, and as the oracle reads it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS
from todoke_shared.ids import event_key
from todoke_shared.kafka.records import Outgoing

Who = tuple[str, str]
"""(shop, identifier)"""


@dataclass(frozen=True, eq=False)
class Told:
    """`at`: when it happened; `sent_at`: when it is first told, long after it in an import.

    `household`: whose people's events they are; all of them lie in one partition. `type` of LINE's events begins with
    `line.`; `account` is theirs.
    """

    household: str
    shop: str
    type: str
    subject: str
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
    sent_at: datetime | None = None
    history: bool = False
    standby: bool = False
    number: int = 0

    @property
    def is_line(self) -> bool:
        """Whether LINE tells it."""
        return self.type.startswith("line.")

    @property
    def who(self) -> Who:
        """Its subject, at its shop."""
        return self.shop, self.subject

    @property
    def account(self) -> str:
        """The LINE account of a subject that is a LINE user."""
        return self.subject.split(":")[1]

    @property
    def is_silent(self) -> bool:
        """Whether it is history, said or by its nature."""
        return self.history or self.type == "friend.imported"

    @property
    def id(self) -> str:
        """As its source names it."""
        return f"{self.household}/{self.number}/{self.type}"

    @cached_property
    def key(self) -> UUID:
        """Its identity in every inbox."""
        return event_key(self.shop, f"line:{self.account}" if self.is_line else "till", self.id)

    @cached_property
    def record(self) -> Outgoing:
        """As it lies in its topic, keyed by household: one partition, one order."""
        topic = LINE_EVENTS if self.is_line else EC_EVENTS
        written = self._line_event() if self.is_line else self._shop_event()
        return Outgoing(topic.name, self.household.encode(), json.dumps(written).encode())

    def _shop_event(self) -> dict[str, Any]:
        subject = {"subject": self.subject} if self.subject else {}
        history = {"history": True} if self.history else {}
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": "till",
            "type": self.type,
            "time": self.at.isoformat(),
            "shop": self.shop,
            "data": self.data,
            **subject,
            **history,
        }

    def _line_event(self) -> dict[str, Any]:
        user = self.subject.split(":")[2]
        return {
            "shop": self.shop,
            "account": self.account,
            "webhook_event_id": self.id,
            "received_at": self.at.isoformat(),
            "occurred_at": self.at.isoformat(),
            "event": {
                "type": self.type.removeprefix("line."),
                "mode": "standby" if self.standby else "active",
                "timestamp": (self.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
                "source": {"type": "user", "userId": user},
                **self.data,
            },
        }
