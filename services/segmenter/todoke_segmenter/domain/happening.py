"""A shop event or a LINE event, as the segmenter sees either: something that happened to a person at an instant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from todoke_shared.contracts.ec_events import CustomerIdentified, EcEvent, EventData, check_event, read_data
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.subjects import check_subject
from todoke_shared.errors import BadMessageError


@dataclass(frozen=True)
class Happening:
    """`type` is the event type, LINE's with `line.` before it. `also` are further identifiers of the same person."""

    key: UUID
    shop: str
    subject: str
    type: str
    at: datetime
    data: EventData
    raw: dict[str, Any]
    also: tuple[str, ...] = ()

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Every identifier that this event ties to its person."""
        return (self.subject, *self.also)


def from_ec_event(event: EcEvent) -> Happening | None:
    """A shop event about a person; None for one about a product. BadMessageError when it is out of the vocabulary."""
    data = check_event(event)
    if event.subject is None:
        return None
    also = data.identifiers if isinstance(data, CustomerIdentified) else ()
    return Happening(event.key, event.shop, event.subject, event.type, event.time, data, event.data, also)


def from_line_event(event: LineEvent) -> Happening | None:
    """A LINE event by a user; None where LINE names nobody (a group's event, or a standby channel's).

    BadMessageError for what LINE would never send: no type, or a user id that is none.
    """
    user = event.user
    if user is None:
        return None
    if not event.type:
        raise BadMessageError("a LINE event has a type", field="event.type")
    subject = check_subject(user.subject, field="event.source.userId")
    data = read_data(EventData, event.event, "event")
    return Happening(event.key, event.shop, subject, f"line.{event.type}", event.occurred_at, data, event.event)
