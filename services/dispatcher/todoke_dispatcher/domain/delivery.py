"""A delivery: one message to one person, from its request to what became of it.

Rules (RELIABILITY: delivery design; LINE-API.md: retry key):
- Retry key and body are stored before the first attempt and never change within an epoch.
- `ambiguous` means that LINE may have the message. While it is so, only LINE's answer to the same key settles it,
  or the key's life ends and the delivery is `unknown`. While it is not, we may still decide against sending.
- One that leaves with others, as a multicast, is `attempting` from when the group is formed until the group ends; key,
  body and `ambiguous` are the group's meanwhile (domain/multicast.py).
- One that rides in a reply is `attempting` until the reply ends, and has no key meanwhile (domain/reply.py). A held one
  that rides is released by it first.
- Only an operator leads out of `unknown`: LINE has it, it is let go, or it goes out in a new epoch, which LINE would
  take as a new, paid message.
- The states without a way out are final.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from todoke_shared.contracts.requests import Lane, MessageRequest
from todoke_shared.ids import retry_key

KEY_LIFE = timedelta(hours=23)
"""LINE keeps a retry key for 24 hours; an hour is left for clocks and slow answers."""


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    ATTEMPTING = "attempting"
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNKNOWN = "unknown"
    HELD = "held"
    DROPPED = "dropped"


class Event(StrEnum):
    """What happens to a delivery."""

    ATTEMPT = "attempt"
    """Claimed, key and body stored: the request goes out, for it alone or for the group that it is in."""
    RETRY = "retry"
    """No definitive answer yet: the same key and body again, later."""
    ACCEPT = "accept"
    """200 or 409."""
    FAIL = "fail"
    """LINE refuses this message for ever, or it cannot be rendered."""
    DROP = "drop"
    """We decide against it: expired, or the person has blocked the account."""
    HOLD = "hold"
    """The channel may not send now: monthly limit, or a token that LINE refuses."""
    RELEASE = "release"
    """The channel may send again."""
    LEAVE = "leave"
    """Its group is dissolved, or LINE has refused it and this message is alone now, or LINE has not taken the reply it
    rode in: LINE cannot have it."""
    GIVE_UP = "give up"
    """LINE may have it and the key's life is over, or there is no key: it rode in a reply."""
    RESEND = "resend"
    """An operator has decided to send it again, in a new epoch."""
    CONFIRM = "confirm"
    """An operator has found that LINE took it."""
    LET_GO = "let go"
    """An operator has decided to leave it at that, whether LINE took it or not."""


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.WAITING, Event.ATTEMPT): State.ATTEMPTING,
    (State.WAITING, Event.FAIL): State.FAILED,
    (State.WAITING, Event.DROP): State.DROPPED,
    (State.WAITING, Event.HOLD): State.HELD,
    (State.ATTEMPTING, Event.ATTEMPT): State.ATTEMPTING,
    (State.ATTEMPTING, Event.RETRY): State.ATTEMPTING,
    (State.ATTEMPTING, Event.ACCEPT): State.ACCEPTED,
    (State.ATTEMPTING, Event.FAIL): State.FAILED,
    (State.ATTEMPTING, Event.GIVE_UP): State.UNKNOWN,
    (State.ATTEMPTING, Event.LEAVE): State.WAITING,
    (State.ATTEMPTING, Event.DROP): State.DROPPED,
    (State.ATTEMPTING, Event.HOLD): State.HELD,
    (State.HELD, Event.RELEASE): State.WAITING,
    (State.UNKNOWN, Event.RESEND): State.WAITING,
    (State.UNKNOWN, Event.CONFIRM): State.ACCEPTED,
    (State.UNKNOWN, Event.LET_GO): State.DROPPED,
}
BY_OPERATOR = frozenset({Event.RESEND, Event.CONFIRM, Event.LET_GO})
"""Events that no program may cause."""
ONLY_UNSENT = frozenset({Event.DROP, Event.HOLD, Event.LEAVE})
"""Decisions that are ours only while LINE cannot have the message."""
FINAL = frozenset(State) - {state for state, _ in TRANSITIONS}


class TransitionError(RuntimeError):
    """The program tried what the table does not allow: a defect, never the world's fault."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the ledger. Instants are UTC and LINE's time (wall).

    `claims` counts how often a dispatcher took it up, and fences those that slept; `attempts` how often LINE was asked.
    `quota_month` is the month (its first day, Asia/Tokyo) of which it holds one of the quota, if it does.
    """

    message_id: UUID
    lane: Lane
    request: MessageRequest
    state: State = State.WAITING
    epoch: int = 0
    retry_key: UUID | None = None
    body: bytes | None = None
    ambiguous: bool = False
    first_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    attempts: int = 0
    claims: int = 0
    quota_month: date | None = None
    reason: str | None = None
    line_request_id: str | None = None

    @property
    def campaign(self) -> str | None:
        """The campaign that owes it, if one does."""
        return self.request.campaign

    def apply(self, event: Event) -> State:
        """The state after `event`. TransitionError when the table, or a message that may be out, forbids it."""
        after = TRANSITIONS.get((self.state, event))
        if after is None or (self.ambiguous and event in ONLY_UNSENT):
            raise TransitionError(f"a delivery that is {self.state} cannot {event}; see domain/delivery.py")
        return after

    def key_is_over(self, wall: datetime) -> bool:
        """Whether LINE may have it and would take the same key as a new message soon."""
        return is_key_over(self.first_attempt_at if self.ambiguous else None, wall)


def is_key_over(since: datetime | None, wall: datetime) -> bool:
    """Whether a key that LINE may have taken `since` then has too little of its life left."""
    return since is not None and wall - since >= KEY_LIFE


def begin_attempt(delivery: Delivery, body: bytes, *, wall: datetime, lease: timedelta, month: date | None) -> Delivery:
    """The delivery as it is stored before the request goes out.

    It is ambiguous from here on, so that a crash leaves the truth behind; the end of its lease makes it due again.
    The key's life counts from the first attempt that LINE may have taken. `month`: where it has its place;
    None: it costs nothing.
    """
    since = delivery.first_attempt_at if delivery.ambiguous else None
    return replace(
        delivery,
        state=delivery.apply(Event.ATTEMPT),
        retry_key=delivery.retry_key or retry_key(delivery.message_id, delivery.epoch),
        body=delivery.body or body,
        ambiguous=True,
        first_attempt_at=since or wall,
        next_attempt_at=wall + lease,
        claims=delivery.claims + 1,
        quota_month=month,
        reason=None,
    )


def release(delivery: Delivery, wall: datetime) -> Delivery:
    """A held delivery, waiting again. Key and body, if any, stay: LINE has refused them and never taken them."""
    return replace(delivery, state=delivery.apply(Event.RELEASE), next_attempt_at=wall, reason=None)


def resend(delivery: Delivery, wall: datetime) -> Delivery:
    """An operator's decision: a new epoch, so a new key, and to LINE a new message.

    It takes a new place in the month: the old one stays counted, since LINE may have taken the old message.
    """
    return replace(
        delivery,
        state=delivery.apply(Event.RESEND),
        epoch=delivery.epoch + 1,
        retry_key=None,
        body=None,
        ambiguous=False,
        first_attempt_at=None,
        next_attempt_at=wall,
        quota_month=None,
        reason=None,
    )
