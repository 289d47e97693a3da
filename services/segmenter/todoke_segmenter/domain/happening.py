"""A shop event, a LINE event or a click, as the segmenter sees each: it happened to a person at an instant."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from todoke_segmenter.domain.shop_records import ShopEvent
from todoke_shared.campaigns.asking import Tapped, tapped
from todoke_shared.contracts.ec_events import (
    HISTORY_TYPES,
    IDENTITY_TYPES,
    CustomerIdentified,
    CustomerUnidentified,
    EventData,
    FriendImported,
    check_event,
    read_data,
)
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.subjects import check_subject
from todoke_shared.errors import BadMessageError

LINE_PREFIX = "line."
PERSON_PREFIX = "person:"
"""Before a person's own id, where an event names nobody else. No producer may use it (`check_subject`)."""
TEXT_MESSAGE, POSTBACK = f"{LINE_PREFIX}message", f"{LINE_PREFIX}postback"
LINK_CLICKED = "custom.link.clicked"
OUTCOMES_SOURCE = "todoke:outcomes"
_CLICK_TELLS = ("message", "campaign", "step", "url")
FRIENDSHIP_TYPES = frozenset({"line.follow", "line.unfollow", "friend.imported"})
"""What they tell is the LINE user's own, and goes where the LINE user goes."""
_NEWS_FOR = timedelta(days=1)
_CARRIED = frozenset({"type", "mode", "timestamp", "webhookEventId", "deliveryContext", "follow", "postback"})
"""Of LINE's event objects (https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects). A postback's
data is the shop's own, from its button; a field that LINE adds may be anything; a reply token is a secret, and the
dispatcher's."""


class Happening(msgspec.Struct, frozen=True):
    """`type` is the event type, LINE's with `line.` before it. `source` is who told it.

    `also` are further identifiers of the same person, `apart` those that are the same person no more.

    `history`: told long after it happened; it changes what is known of a person and starts nothing.
    `standby`: another tool speaks for the LINE account now, so that it may end campaigns and start none.
    """

    key: UUID
    shop: str
    subject: str
    type: str
    at: datetime
    data: EventData
    raw: dict[str, Any]
    also: tuple[str, ...] = ()
    history: bool = False
    standby: bool = False
    source: str = ""
    apart: tuple[str, ...] = ()

    @property
    def carried(self) -> dict[str, Any]:
        """What a trigger tells of it, and so what is stored: nothing of what a person wrote or sent on LINE.

        Conditions see all of it (`raw`), here and now; after that nobody needs it, and what is not stored need not be
        found when its author unsends it.
        """
        return _without_content(self.raw) if self.type.startswith(LINE_PREFIX) else self.raw

    @property
    def unsent(self) -> str | None:
        """The id of the message that a LINE user has taken back, or None when this is about something else."""
        unsend = self.raw.get("unsend") if self.type == f"{LINE_PREFIX}unsend" else None
        message = unsend.get("messageId") if isinstance(unsend, dict) else None
        return message if isinstance(message, str) and message.isascii() and message.isalnum() else None

    @property
    def text(self) -> str | None:
        """What a LINE user wrote; None where this is no text message."""
        message = self.raw.get("message") if self.type == TEXT_MESSAGE else None
        text = message.get("text") if isinstance(message, dict) and message.get("type") == "text" else None
        return text if isinstance(text, str) else None

    @property
    def button(self) -> str | None:
        """The data of the button that a LINE user tapped."""
        postback = self.raw.get("postback") if self.type == POSTBACK else None
        data = postback.get("data") if isinstance(postback, dict) else None
        return data if isinstance(data, str) else None

    @property
    def tapped(self) -> Tapped | None:
        """The answer that the button stands for, where it is a question's."""
        data = self.button
        return None if data is None else tapped(data)

    @property
    def is_about_friendship(self) -> bool:
        """Whether it says that a LINE user is a friend of the account, or is none."""
        return self.type in FRIENDSHIP_TYPES

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Every identifier that this event says something about."""
        return (self.subject, *self.also, *self.apart)


def from_ec_event(event: ShopEvent) -> Happening | None:
    """A shop event about a person; None for one about a product. BadMessageError when it is out of the vocabulary."""
    data = check_event(event)
    if event.subject is None:
        return None
    history = event.history or event.type in HISTORY_TYPES
    return Happening(
        key=event.key,
        shop=event.shop,
        subject=event.subject,
        type=event.type,
        at=event.time,
        data=data,
        raw=event.data,
        also=_also(data) if event.type in IDENTITY_TYPES else (),
        history=history,
        source=event.source,
        apart=_apart(data) if event.type in IDENTITY_TYPES else (),
    )


def _also(data: EventData) -> tuple[str, ...]:
    match data:
        case CustomerIdentified():
            return data.identifiers
        case FriendImported(customer_id=str(customer)):
            return (f"customer:{customer}",)
    return ()


def _apart(data: EventData) -> tuple[str, ...]:
    return data.identifiers if isinstance(data, CustomerUnidentified) else ()


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
    return Happening(
        key=event.key,
        shop=event.shop,
        subject=subject,
        type=f"{LINE_PREFIX}{event.type}",
        at=event.occurred_at,
        data=data,
        raw=event.event,
        standby=event.event.get("mode") == "standby",
        source=f"{LINE_PREFIX}{event.account}",
    )


def from_outcome(outcome: Outcome, now: datetime) -> Happening | None:
    """A click on a link of a message; None for any other outcome, and where nobody knows whose message it was.

    One that is heard of more than a day late is history: the topic is read from its beginning by whoever is new to it.
    """
    if outcome.state != "clicked" or outcome.person is None:
        return None
    told = outcome.model_dump(mode="json", include=set(_CLICK_TELLS), exclude_none=True)
    return Happening(
        key=outcome.id,
        shop=outcome.shop,
        subject=f"{PERSON_PREFIX}{outcome.person}",
        type=LINK_CLICKED,
        at=outcome.at,
        data=EventData(),
        raw=told,
        history=outcome.at < now - _NEWS_FOR,
        source=OUTCOMES_SOURCE,
    )


def _without_content(event: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in event.items() if name in _CARRIED}
    message = event.get("message")
    if isinstance(message, dict):
        kept["message"] = {"type": message.get("type")}
    return kept
