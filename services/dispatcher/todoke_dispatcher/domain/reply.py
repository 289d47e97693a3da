"""A reply: one request to LINE that spends a reply token, and what becomes of the messages that ride in it.

Rules (LINE-API.md: reply token, retry key; RELIABILITY: delivery design; docs/adr/0027):
- A reply is free, takes up to 5 message objects, and knows no retry key: it is attempted once, ever. Its messages, its
  content and whose token it spends are stored before that; the token itself is not kept beyond it.
- Whatever is not clearly "taken" or "not taken" leaves its messages `unknown`: none is pushed after it by itself.
- Not taken: its messages wait again, each for itself. What was in a reply that LINE has refused (400) rides in no
  other: LINE does not say whether the token was too old or one message bad, and a bad one must not spoil every ride.
- Only whole messages ride, those that wait and that LINE cannot have. One with quick replies goes last: LINE shows them
  under the last object alone.
- A token that came lately is left to the answer to its event. What waited before it may ride along, or, once IDLE has
  passed, by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from todoke_dispatcher.domain.delivery import TRANSITIONS, Delivery, Event, State, TransitionError
from todoke_dispatcher.domain.rendering import MAX_BODY_BYTES, content_of
from todoke_dispatcher.domain.verdict import (
    Accepted,
    Answer,
    MonthlyLimit,
    NotSent,
    Refused,
    TooFast,
    Unclear,
    Verdict,
    judge,
)
from todoke_shared.contracts.requests import Lane
from todoke_shared.ids import reply_id
from todoke_shared.jsons import dumps, loads

TOKEN_LIFE = timedelta(minutes=1)
"""LINE takes a token that long after its webhook, the first one or a redelivery."""
LAST_REDELIVERY = timedelta(minutes=20)
"""After its event a token is dead, however late it was delivered again."""
MARGIN = timedelta(seconds=10)
"""Left for clocks, for the way to LINE, and for its answer."""
IDLE = timedelta(seconds=20)
"""By then the answer to an event has come, if it gets one: through all services it takes a fraction of a second."""
CLOCKS = timedelta(milliseconds=100)
"""More than two services' samples of one clock differ: what came so shortly before a token may be its answer."""
TOLD_WITHIN = timedelta(minutes=1)
"""After this long without word from its dispatcher a reply is unknown. Nobody acts on it before, so there is no hurry:
one that knows the answer may have to wait for PostgreSQL before it can say so."""
MOST_OBJECTS = 5
"""LINE's limit of message objects in a request."""


class ReplyState(StrEnum):
    """Where a reply stands. There is none that waits: it is stored as it goes out."""

    ATTEMPTING = "attempting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DISSOLVED = "dissolved"
    UNKNOWN = "unknown"


REPLY_TRANSITIONS: dict[tuple[ReplyState, Event], ReplyState] = {
    (ReplyState.ATTEMPTING, Event.ACCEPT): ReplyState.ACCEPTED,
    (ReplyState.ATTEMPTING, Event.FAIL): ReplyState.REFUSED,
    (ReplyState.ATTEMPTING, Event.LEAVE): ReplyState.DISSOLVED,
    (ReplyState.ATTEMPTING, Event.GIVE_UP): ReplyState.UNKNOWN,
}
RIDERS_FOLLOW: dict[ReplyState, Event] = {
    ReplyState.ACCEPTED: Event.ACCEPT,
    ReplyState.REFUSED: Event.LEAVE,
    ReplyState.DISSOLVED: Event.LEAVE,
    ReplyState.UNKNOWN: Event.GIVE_UP,
}
"""What happens to each message of a reply that has ended so; `TRANSITIONS` says where that leads."""


@dataclass(frozen=True, slots=True)
class Token:
    """A reply token that LINE takes until `usable_until`. Instants are LINE's time.

    `event`: the identity of its webhook event, which a redelivery repeats. `uses`: how often it was taken before.
    """

    event: UUID
    account: str
    user: str
    token: str = field(repr=False)
    received_at: datetime
    usable_until: datetime
    uses: int = 0

    @property
    def answered_from(self) -> datetime:
        """A message that has waited since then or less may be the answer to its event."""
        return self.received_at - CLOCKS


class Waiting(NamedTuple):
    """A message that may go out now: whose it is, its lane, and since when it waits."""

    to: str
    lane: Lane
    since: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """A row of the table of replies. `body` is the request without its token, `members` its messages in order."""

    id: UUID
    account: str
    event: UUID
    members: tuple[UUID, ...]
    body: bytes
    state: ReplyState = ReplyState.ATTEMPTING
    attempts: int = 0
    reason: str | None = None
    line_request_id: str | None = None

    @property
    def size(self) -> int:
        """How many messages ride in it."""
        return len(self.members)

    def after(self, event: Event, *, reason: str | None = None, asked: int = 1) -> "Reply":
        """The reply after `event`. TransitionError when the table forbids it."""
        state = REPLY_TRANSITIONS.get((self.state, event))
        if state is None:
            raise TransitionError(f"a reply that is {self.state} cannot {event}; see domain/reply.py")
        return replace(self, state=state, reason=reason, attempts=self.attempts + asked)


def usable_until(*, received_at: datetime, occurred_at: datetime, redelivered: bool) -> datetime:
    """Until when a token is worth trying.

    The minute counts from the webhook, as LINE's page has it. `occurred_at`, from which the 20 minutes of a redelivery
    count, may be a simulated shop's time: then a token merely seems dead, and its answer is pushed.
    """
    until = received_at + TOKEN_LIFE
    return (min(until, occurred_at + LAST_REDELIVERY) if redelivered else until) - MARGIN


def is_spent(token: Token, waiting: Waiting, wall: datetime) -> bool:
    """Whether the token goes to this message: it may be the answer to its event, or that will not come any more."""
    return waiting.lane == "transactional" or waiting.since >= token.answered_from or wall - token.received_at >= IDLE


def choose(tokens: Iterable[Token], waiting: Iterable[Waiting], wall: datetime) -> list[Token]:
    """A token for each person for whom one is spent: of several, the one that ends first."""
    by_user: dict[str, list[Waiting]] = {}
    for each in waiting:
        by_user.setdefault(each.to, []).append(each)
    spent = [token for token in tokens if any(is_spent(token, each, wall) for each in by_user.get(token.user, ()))]
    return list({token.user: token for token in sorted(spent, key=_end, reverse=True)}.values())


def may_ride(delivery: Delivery) -> bool:
    """Whether it may leave with a reply: it waits, LINE cannot have it, and it holds nothing of the month."""
    return (
        delivery.state in {State.WAITING, State.HELD}
        and not delivery.ambiguous
        and delivery.quota_month is None
        and delivery.request.rich_menu is None
    )


def form_reply(token: Token, riders: Sequence[tuple[Delivery, bytes]]) -> Reply | None:
    """The reply with as many of the riders, given in the order of their urgency, as fit; None when none does.

    The second of each pair is the body of its own push.
    """
    riding: list[tuple[Delivery, list[object]]] = []
    last: list[tuple[Delivery, list[object]]] = []
    size = objects = 0
    for delivery, body in riders:
        messages = _objects(body)
        buttons = _has_quick_replies(messages)
        fits = objects + len(messages) <= MOST_OBJECTS and size + len(body) <= MAX_BODY_BYTES
        if not messages or not fits or (buttons and last):
            continue
        (last if buttons else riding).append((delivery, messages))
        objects, size = objects + len(messages), size + len(body)
    together = riding + last
    if not together:
        return None
    return Reply(
        reply_id(token.event, token.uses + 1),
        token.account,
        token.event,
        members=tuple(delivery.message_id for delivery, _ in together),
        body=content_of([message for _, messages in together for message in messages]),
    )


def reply_body(token: str, content: bytes) -> bytes:
    """The exact body of the request."""
    return b'{"replyToken":' + dumps(token) + b"," + content[1:]


def judge_reply(answer: Answer) -> Verdict:
    """As `judge`, but that LINE answers no reply with 409, and that a reply costs nothing of the month."""
    if answer.status == 409:
        return Unclear("LINE 409")
    verdict = judge(answer)
    return TooFast() if isinstance(verdict, MonthlyLimit) else verdict


def conclude_reply(sent: Reply, verdict: Verdict) -> Reply:
    """The reply after its one attempt."""
    match verdict:
        case Accepted(line_request_id):
            return replace(sent.after(Event.ACCEPT), line_request_id=line_request_id)
        case Refused(reason):
            return sent.after(Event.FAIL, reason=reason)
        case Unclear(reason):
            return sent.after(Event.GIVE_UP, reason=_unknown(reason))
        case NotSent(reason):
            return sent.after(Event.LEAVE, reason=reason, asked=0)
        case _:
            return sent.after(Event.LEAVE, reason=verdict.reason)


def lost(sent: Reply) -> Reply:
    """The reply of which nobody has told how it ended: its dispatcher died, perhaps after LINE had it."""
    return sent.after(Event.GIVE_UP, reason=_unknown("its dispatcher ended first"))


def rider_state(reply: ReplyState) -> State | None:
    """The state of the messages of a reply that stands so; None while it goes on."""
    event = RIDERS_FOLLOW.get(reply)
    return None if event is None else TRANSITIONS[State.ATTEMPTING, event]


def _unknown(reason: str) -> str:
    return f"LINE may have it ({reason}), and a reply is never repeated: an operator decides"


def _end(token: Token) -> datetime:
    return token.usable_until


def _objects(body: bytes) -> list[object]:
    messages = loads(body).get("messages")
    return messages if isinstance(messages, list) else []


def _has_quick_replies(messages: Sequence[object]) -> bool:
    return any(isinstance(message, dict) and message.get("quickReply") for message in messages)
