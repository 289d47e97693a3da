"""A multicast: one request to LINE for up to 500 messages with one content, and what becomes of those messages.

Rules (RELIABILITY: identity, delivery design; LINE-API.md: sending, retry key; docs/adr/0024):
- Recipients, exact body and retry key are stored when the group is formed, before its first attempt, and never change.
- LINE takes all of it or nothing. What an answer means for a push it means for the group: the same verdicts, the same
  `conclude`, the same life of the key.
- A group that LINE has refused (400) is split into halves with keys of their own, named after it: whoever does it
  again makes the same ones. Half of two is one message: it leaves the group and is pushed, with its own key.
- A group that LINE cannot have and that must not go out as it is (its channel stands still, a member has expired) is
  dissolved: its messages wait again, each for itself.
- While LINE may have it, it is neither split for another reason, nor dissolved.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from todoke_dispatcher.domain.delivery import ONLY_UNSENT, TRANSITIONS, Event, State, TransitionError, is_key_over
from todoke_dispatcher.domain.rendering import addressed, recipients_and_content
from todoke_shared.ids import half_id, retry_key


class GroupState(StrEnum):
    """Where a multicast stands."""

    WAITING = "waiting"
    ATTEMPTING = "attempting"
    ACCEPTED = "accepted"
    SPLIT = "split"
    DISSOLVED = "dissolved"
    UNKNOWN = "unknown"


GROUP_TRANSITIONS: dict[tuple[GroupState, Event], GroupState] = {
    (GroupState.WAITING, Event.ATTEMPT): GroupState.ATTEMPTING,
    (GroupState.WAITING, Event.DROP): GroupState.DISSOLVED,
    (GroupState.WAITING, Event.HOLD): GroupState.DISSOLVED,
    (GroupState.ATTEMPTING, Event.ATTEMPT): GroupState.ATTEMPTING,
    (GroupState.ATTEMPTING, Event.RETRY): GroupState.ATTEMPTING,
    (GroupState.ATTEMPTING, Event.ACCEPT): GroupState.ACCEPTED,
    (GroupState.ATTEMPTING, Event.FAIL): GroupState.SPLIT,
    (GroupState.ATTEMPTING, Event.GIVE_UP): GroupState.UNKNOWN,
    (GroupState.ATTEMPTING, Event.DROP): GroupState.DISSOLVED,
    (GroupState.ATTEMPTING, Event.HOLD): GroupState.DISSOLVED,
}
MEMBERS_FOLLOW: dict[GroupState, Event] = {
    GroupState.ACCEPTED: Event.ACCEPT,
    GroupState.UNKNOWN: Event.GIVE_UP,
    GroupState.DISSOLVED: Event.LEAVE,
}
"""What happens to each member when its group ends so. Those of a split group go on in its halves."""
TOGETHER = frozenset({GroupState.WAITING, GroupState.ATTEMPTING, GroupState.ACCEPTED})
"""Where a group is as long as nothing tells its members apart."""


@dataclass(frozen=True, slots=True)
class Multicast:
    """A row of the table of multicasts; fields that a delivery has too mean the same. Instants are UTC, LINE's time.

    `members` are message ids, in the order of the body's recipients. `expires_at` is when the first of them is no
    longer useful, by the shop's time. `quota_month` is the month of which it holds one for each member. `campaign` owes
    every one of them. `crowd`: its members are those of this crowd, and have no rows of their own (domain/crowd.py).
    """

    id: UUID
    account: str
    members: tuple[UUID, ...]
    body: bytes
    retry_key: UUID
    state: GroupState = GroupState.WAITING
    parent: UUID | None = None
    expires_at: datetime | None = None
    ambiguous: bool = False
    first_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    attempts: int = 0
    claims: int = 0
    quota_month: date | None = None
    campaign: str | None = None
    reason: str | None = None
    line_request_id: str | None = None
    crowd: UUID | None = None

    @property
    def size(self) -> int:
        """How many messages it is, and how many recipients LINE will count."""
        return len(self.members)

    def apply(self, event: Event) -> GroupState:
        """The state after `event`. TransitionError when the table, or a group that may be out, forbids it."""
        after = GROUP_TRANSITIONS.get((self.state, event))
        if after is None or (self.ambiguous and event in ONLY_UNSENT):
            raise TransitionError(f"a multicast that is {self.state} cannot {event}; see domain/multicast.py")
        return after

    def key_is_over(self, wall: datetime) -> bool:
        """Whether LINE may have it and would take the same key as a new multicast soon."""
        return is_key_over(self.first_attempt_at if self.ambiguous else None, wall)


@dataclass(frozen=True, slots=True)
class Alone:
    """A message that leaves a group to be pushed, with the body of that push."""

    message_id: UUID
    body: bytes


def begin_multicast(multicast: Multicast, *, wall: datetime, lease: timedelta, month: date) -> Multicast:
    """The multicast as it is stored before the request goes out; see `delivery.begin_attempt`."""
    since = multicast.first_attempt_at if multicast.ambiguous else None
    return replace(
        multicast,
        state=multicast.apply(Event.ATTEMPT),
        ambiguous=True,
        first_attempt_at=since or wall,
        next_attempt_at=wall + lease,
        claims=multicast.claims + 1,
        quota_month=month,
        reason=None,
    )


def split(refused: Multicast, *, month: date | None, wall: datetime) -> tuple[list[Multicast], list[Alone]]:
    """The halves of a group that LINE has refused, due now: new multicasts, and messages that are alone.

    `month`: of which the group held its messages; the halves hold them now. k bad ids among n are found by at most
    1 + 2k·⌈log2 n⌉ requests, since no group without a bad id is split.
    """
    to, content = recipients_and_content(refused.body)
    middle = (refused.size + 1) // 2
    halves: list[Multicast] = []
    alone: list[Alone] = []
    for half, part in enumerate((slice(None, middle), slice(middle, None))):
        members = refused.members[part]
        if len(members) == 1:
            alone.append(Alone(members[0], addressed(to[part][0], content)))
            continue
        own = half_id(refused.id, half)
        halves.append(
            Multicast(
                own,
                refused.account,
                members,
                addressed(to[part], content),
                retry_key(own, 0),
                parent=refused.id,
                expires_at=refused.expires_at,
                next_attempt_at=wall,
                quota_month=month,
                campaign=refused.campaign,
            )
        )
    return halves, alone


def member_state(group: GroupState) -> State | None:
    """The state of the members of a group that has ended so; None while it goes on, or in halves."""
    event = MEMBERS_FOLLOW.get(group)
    return None if event is None else TRANSITIONS[State.ATTEMPTING, event]
