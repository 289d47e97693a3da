"""A multicast's life: what an answer means for a push it means for the group, and no group is split that may be out."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import todoke_dispatcher
from tests.support.deliveries import NOON, message_named, request, user_named
from todoke_dispatcher.adapters.multicasts import Settled
from todoke_dispatcher.adapters.stored_requests import read_stored
from todoke_dispatcher.claiming import ClaimTime
from todoke_dispatcher.domain.conclude import CHANNEL_PAUSE, STANDSTILL, conclude
from todoke_dispatcher.domain.decide import Channel, group_must_stand, worth_asking
from todoke_dispatcher.domain.delivery import KEY_LIFE, TRANSITIONS, Event, State, TransitionError
from todoke_dispatcher.domain.grouping import Candidate, form
from todoke_dispatcher.domain.multicast import (
    GROUP_TRANSITIONS,
    MEMBERS_FOLLOW,
    GroupState,
    Multicast,
    begin_multicast,
    member_state,
)
from todoke_dispatcher.domain.quota import QuotaBook, month_of
from todoke_dispatcher.domain.rendering import content_of
from todoke_dispatcher.domain.verdict import (
    Accepted,
    ChannelStopped,
    MonthlyLimit,
    NotSent,
    Refused,
    TooFast,
    Unclear,
    Verdict,
)
from todoke_dispatcher.handlers import outcome_of
from todoke_dispatcher.multicasting import admit_groups
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import MessageRequest

NOVEMBER = month_of(NOON)
LEASE = timedelta(seconds=15)
OPEN = Channel("main")
FREE = QuotaBook(NOVEMBER, None)
README = Path(todoke_dispatcher.__file__).parents[1] / "README.md"


def formed(number: int = 3, name: str = "m") -> Multicast:
    """A group of so many, as it is stored."""
    content = content_of([{"type": "text", "text": "新茶が届きました"}])
    members = [
        Candidate(message_named(f"{name}{index}"), user_named(f"{name}{index}"), content, None, 0)
        for index in range(number)
    ]
    return form("main", members, wall=NOON, month=NOVEMBER)


def attempt(claimed: Multicast) -> Multicast:
    """The group as it goes out at noon."""
    return begin_multicast(claimed, wall=NOON, lease=LEASE, month=NOVEMBER)


def test_accepted_split_and_dissolved_are_final_and_unknown_is_left_by_its_members_alone() -> None:
    """No event leads out of them: an operator who sends unknown messages again sends each for itself."""
    final = set(GroupState) - {state for state, _ in GROUP_TRANSITIONS}
    assert final == {GroupState.ACCEPTED, GroupState.SPLIT, GroupState.DISSOLVED, GroupState.UNKNOWN}


def test_whoever_ends_takes_its_members_along_by_the_deliveries_own_table() -> None:
    """Each end of a group is an event that the table allows to a delivery under way."""
    assert MEMBERS_FOLLOW.keys() == {GroupState.ACCEPTED, GroupState.UNKNOWN, GroupState.DISSOLVED}
    assert {state: member_state(state) for state in MEMBERS_FOLLOW} == {
        GroupState.ACCEPTED: State.ACCEPTED,
        GroupState.UNKNOWN: State.UNKNOWN,
        GroupState.DISSOLVED: State.WAITING,
    }
    assert all((State.ATTEMPTING, event) in TRANSITIONS for event in MEMBERS_FOLLOW.values())
    assert member_state(GroupState.SPLIT) is None


VERDICTS: list[tuple[Verdict, bool, GroupState, bool, timedelta | None]] = [
    # verdict, may LINE have had it before, what follows, does it hold its places in the month, when it is due again
    (Accepted("id"), False, GroupState.ACCEPTED, True, None),
    (Accepted("id"), True, GroupState.ACCEPTED, True, None),
    (Refused("LINE 400"), False, GroupState.SPLIT, False, None),
    (Refused("LINE 400"), True, GroupState.SPLIT, False, None),
    (Unclear("LINE 500"), False, GroupState.ATTEMPTING, True, timedelta(seconds=0.5)),
    (Unclear("LINE 500"), True, GroupState.ATTEMPTING, True, timedelta(seconds=0.5)),
    (NotSent(), False, GroupState.ATTEMPTING, True, timedelta(0)),
    (NotSent(), True, GroupState.ATTEMPTING, True, timedelta(0)),
    (TooFast(), False, GroupState.ATTEMPTING, True, CHANNEL_PAUSE),
    (TooFast(), True, GroupState.ATTEMPTING, True, CHANNEL_PAUSE),
    (MonthlyLimit(), False, GroupState.DISSOLVED, False, None),
    (MonthlyLimit(), True, GroupState.ATTEMPTING, True, STANDSTILL),
    (ChannelStopped("LINE 401"), False, GroupState.DISSOLVED, False, None),
    (ChannelStopped("LINE 401"), True, GroupState.ATTEMPTING, True, STANDSTILL),
]


@pytest.mark.parametrize(("verdict", "maybe_out", "after", "counted", "pause"), VERDICTS)
def test_what_follows_from_an_answer(
    verdict: Verdict, maybe_out: bool, after: GroupState, counted: bool, pause: timedelta | None
) -> None:
    """The table of pushes, held for groups; key and body are the same whatever the answer."""
    before = replace(formed(), ambiguous=maybe_out)
    sent = attempt(before)
    told = conclude(before, sent, verdict, wall=NOON, jitter=0.0)
    assert (told.state, told.quota_month == NOVEMBER) == (after, counted)
    if pause is not None:
        assert told.next_attempt_at == NOON + pause
        assert told.ambiguous == (maybe_out or isinstance(verdict, Unclear))
    assert (told.retry_key, told.body, told.members) == (before.retry_key, before.body, before.members)


def test_a_group_that_may_be_out_is_not_dissolved() -> None:
    """The table would allow it to an attempting group; that LINE may have it forbids it."""
    sent = attempt(formed())
    for event in (Event.DROP, Event.HOLD):
        with pytest.raises(TransitionError):
            sent.apply(event)
        assert replace(sent, ambiguous=False).apply(event) is GroupState.DISSOLVED


def test_a_group_without_an_answer_is_unknown_after_23_hours_and_never_sent() -> None:
    """Its key's life counts from the first attempt that LINE may have taken."""
    sent = attempt(formed())
    again = begin_multicast(sent, wall=NOON + timedelta(hours=20), lease=LEASE, month=NOVEMBER)
    assert worth_asking(again, now=NOON, wall=NOON + KEY_LIFE - timedelta(seconds=1)) is None
    ended = worth_asking(again, now=NOON, wall=NOON + KEY_LIFE)
    assert ended is not None
    assert (ended.state, ended.quota_month) == (GroupState.UNKNOWN, NOVEMBER)


def test_a_group_with_an_expired_member_is_dissolved_while_line_cannot_have_it() -> None:
    """By the shop's time; one that may be out goes on with its key."""
    group = replace(formed(), expires_at=NOON)
    late = NOON + timedelta(seconds=1)
    dissolved = worth_asking(group, now=late, wall=NOON)
    assert dissolved is not None
    assert dissolved.state is GroupState.DISSOLVED
    assert worth_asking(group, now=NOON, wall=late) is None
    assert worth_asking(attempt(group), now=late, wall=late) is None


def test_a_group_needs_places_for_all_of_its_members() -> None:
    """Those it holds already are not asked for again; with too few in a new month it is dissolved."""
    group = formed()
    december = QuotaBook(month_of(NOON + timedelta(days=20)), 2)
    assert group_must_stand(group, OPEN, QuotaBook(NOVEMBER, 0), wall=NOON) is None
    stands = group_must_stand(group, OPEN, december, wall=NOON)
    assert stands is not None
    assert (stands.state, stands.quota_month) == (GroupState.DISSOLVED, None)
    assert group_must_stand(group, OPEN, replace(december, limit=3), wall=NOON) is None


def test_groups_together_stay_within_the_month() -> None:
    """Two of three do not both fit into five places of a new month."""
    december = QuotaBook(month_of(NOON + timedelta(days=20)), 5)
    two = [formed(name="a"), formed(name="b")]
    admitted, changes = admit_groups(two, OPEN, december, ClaimTime(NOON, NOON))
    assert admitted == two[:1]
    assert [(before, after.state) for before, after in changes] == [(two[1], GroupState.DISSOLVED)]
    assert admit_groups(two, OPEN, FREE, ClaimTime(NOON, NOON)) == (two, [])


def test_a_stopped_channel_dissolves_what_line_cannot_have() -> None:
    """What it may have is looked at again."""
    stopped = Channel("main", "LINE 401")
    dissolved = group_must_stand(formed(), stopped, FREE, wall=NOON)
    again = group_must_stand(attempt(formed()), stopped, FREE, wall=NOON)
    assert dissolved is not None
    assert again is not None
    assert (dissolved.state, again.state) == (GroupState.DISSOLVED, GroupState.ATTEMPTING)


def test_the_readme_draws_the_groups_table() -> None:
    """The second diagram has exactly the transitions of the table."""
    _, _, text = README.read_text(encoding="utf-8").partition("## Multicasts")
    text, _, _ = text.partition("\n## ")
    drawn = re.findall(r"^\s+(\w+) --> (\w+): (.+)$", text, re.MULTILINE)
    assert {(GroupState(before), Event(event), GroupState(after)) for before, after, event in drawn} == {
        (before, event, after) for (before, event), after in GROUP_TRANSITIONS.items()
    }


@pytest.mark.parametrize("fields", [{}, {"campaign": "news", "step": "新茶", "person": message_named("somebody")}])
def test_an_outcome_written_by_hand_is_the_contracts_own(fields: dict[str, object]) -> None:
    """Byte for byte what the model would write, with and without the fields that may be absent."""
    asked = MessageRequest.model_validate(request().model_dump() | fields)
    stored = read_stored(asked.to_json())
    answered = Settled(asked.id, b"", "why", "id-1") if fields else Settled(asked.id, b"", None, None)
    for source in (asked, stored):
        written = outcome_of(source, answered, State.ACCEPTED, NOON + timedelta(microseconds=120))
        assert written.value is not None
        assert Outcome.from_json(written.value).to_json() == written.value
        assert written.key == (str(asked.person) if asked.person else f"line:main:{asked.to}").encode()
