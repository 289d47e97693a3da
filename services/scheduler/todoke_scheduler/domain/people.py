"""What a campaign may ask about the person whose run it is."""

from datetime import date, datetime
from typing import Protocol

from todoke_shared.conditions import Condition


class Person(Protocol):
    """Answers as of the instant at which the run moves on; `event.…` is the event that started the run."""

    def holds(self, condition: Condition) -> bool:
        """Whether a condition holds."""

    def date(self, name: str) -> date | datetime | None:
        """The date known under `birthday` or `date.NAME`; None when none is known."""


class Recipient(Person, Protocol):
    """What guards ask besides."""

    def is_friend(self, account: str) -> bool:
        """Whether the person is a friend of this LINE account."""

    def consents(self) -> bool | None:
        """Whether the shop may advertise to the person; None when nobody has asked."""
