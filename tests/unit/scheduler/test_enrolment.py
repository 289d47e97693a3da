"""A run moves on: each step once, at its time, none after its end."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.scheduler.campaigns import START, Story, at, campaign, look, run
from todoke_scheduler.domain.effects import Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.model import Campaign

stories: st.SearchStrategy[Story] = st.lists(
    st.integers(0, 20) | st.sampled_from(["hello", "again", "bye"]), min_size=1, max_size=8
)
seconds = st.integers(0, 170)
moments = st.lists(seconds, max_size=12)
ends = st.none() | seconds
LATER_THAN_ALL = 1_000


def due_sends(story: Story) -> list[tuple[str, str, int]]:
    """By hand: each send with its step's name and the second at which it is due."""
    found, clock = [], 0
    for position, step in enumerate(story):
        if isinstance(step, int):
            clock += step
        else:
            found.append((step, f"{position}:{step}", clock))
    return found


def walk(fresh: Enrolment, known: Campaign, calls: list[int]) -> tuple[Enrolment, list[tuple[int, Owed]]]:
    """Call `look` at each of these seconds, in order of time: how the run stands, and what was owed when."""
    found: list[tuple[int, Owed]] = []
    for second in sorted(calls):
        fresh, owed = look(fresh, known, at(second))
        found += [(second, message) for message in owed]
    return fresh, found


def told(found: list[tuple[int, Owed]]) -> list[tuple[str, str, int]]:
    """What was owed, as `due_sends` puts it."""
    return [(m.message, m.step, int((m.due_at - START).total_seconds())) for _, m in found]


@given(stories, moments)
def test_every_message_is_owed_once_with_its_own_due_time(story: Story, calls: list[int]) -> None:
    """However often and however late the run is looked at: lateness neither repeats nor adds up."""
    over, found = walk(run(), campaign(story), [*calls, LATER_THAN_ALL])
    assert told(found) == due_sends(story)
    assert over.status == "done"


@given(stories, moments, ends)
def test_nothing_is_done_early(story: Story, calls: list[int], end: int | None) -> None:
    """A message is owed at its due time or later."""
    _, found = walk(run(end), campaign(story), calls)
    assert all(message.due_at <= at(second) for second, message in found)


@given(stories, moments, seconds)
def test_nothing_is_done_at_or_after_a_known_end(story: Story, calls: list[int], end: int) -> None:
    """Neither what is due from then on, nor what was due before and is late."""
    _, found = walk(run(end), campaign(story), [*calls, LATER_THAN_ALL])
    assert all(second < end and message.due_at < at(end) for second, message in found)


@given(stories, moments, seconds)
def test_a_punctual_run_does_exactly_what_was_due_before_its_end(story: Story, calls: list[int], end: int) -> None:
    """Looked at when it asks to be, it is indifferent to being looked at in between."""
    dues = [second for _, _, second in due_sends(story)]
    over, found = walk(run(end), campaign(story), [*calls, *dues, LATER_THAN_ALL])
    assert told(found) == [due for due in due_sends(story) if due[2] < end]
    assert over.status in ("ended", "done")


@given(stories, moments, moments, ends)
def test_looking_more_often_never_costs_a_message(
    story: Story, few: list[int], more: list[int], end: int | None
) -> None:
    """What a late look still finds, an earlier one would have found too."""
    _, rarely = walk(run(end), campaign(story), [*few, LATER_THAN_ALL])
    _, often = walk(run(end), campaign(story), [*few, *more, LATER_THAN_ALL])
    assert set(told(rarely)) <= set(told(often))


@given(stories, moments, seconds)
def test_an_end_that_is_learnt_later_takes_nothing_back_and_lets_nothing_follow(
    story: Story, calls: list[int], end: int
) -> None:
    """A late exit: what was owed stays owed, and from the moment it is known the run is as if it always had been."""
    before, found = walk(run(), campaign(story), calls)
    learnt = max([end, *calls])
    over, after = walk(before.ending(at(end), "exit"), campaign(story), [learnt, LATER_THAN_ALL])
    assert after == []
    assert over.status in ("ended", "done")
    assert told(found) == [due for due in due_sends(story) if due[2] <= max(calls, default=-1)]


@given(stories, moments, ends)
def test_every_run_ends(story: Story, calls: list[int], end: int | None) -> None:
    """And once it is over, no time and no trigger changes it."""
    over, _ = walk(run(end), campaign(story), [*calls, LATER_THAN_ALL])
    assert over.status != "active"
    assert look(over, campaign(story), at(LATER_THAN_ALL + 1)) == (over, [])
    assert over.ending(at(0), "restarted") == over


@given(stories, moments)
def test_an_active_run_asks_to_be_woken_in_the_future(story: Story, calls: list[int]) -> None:
    """Its timer would otherwise fire for ever."""
    for second in sorted(calls):
        stands, _ = look(run(), campaign(story), at(second))
        assert stands.status != "active" or stands.due_at > at(second)


def test_the_earliest_end_counts() -> None:
    """A later end changes nothing, an earlier one comes first."""
    first = run(50)
    assert first.ending(at(60), "restarted") == first
    assert first.ending(at(50), "restarted") == first
    sooner = first.ending(at(40), "restarted")
    assert (sooner.ends_at, sooner.end_reason) == (at(40), "restarted")


def test_an_end_at_the_very_instant_of_a_step_comes_before_it() -> None:
    """The order in the second of the reminder spares the buyer."""
    assert walk(run(10), campaign([10, "hello"]), [9, 10])[1] == []
    assert told(walk(run(11), campaign([10, "hello"]), [10])[1]) == [("hello", "1:hello", 10)]


def test_a_late_look_does_not_remind_a_buyer() -> None:
    """Due at 10, looked at only at 60, ended at 30: the message is not owed any more."""
    over, found = walk(run(30), campaign([10, "hello"]), [60])
    assert (over.status, found) == ("ended", [])


def test_a_run_whose_end_comes_no_later_than_its_next_step_is_over_at_once() -> None:
    """There is no timer to keep for it."""
    waiting, _ = look(run(30), campaign([60, "hello"]), at(0))
    assert waiting.status == "ended"


def test_waits_follow_each_other_from_when_the_step_before_was_due() -> None:
    """An hour of downtime moves no later step."""
    known = campaign([10, "hello", 100, "bye"])
    stands, _ = look(run(), known, at(90))
    assert (stands.status, stands.position, stands.due_at) == ("active", 3, at(110))
    assert stands.due_at == START + timedelta(seconds=110)


def test_a_run_keeps_what_it_has_come_by() -> None:
    """A code, then an answer, then a newer code."""
    assert run().noting(coupon="A").noting(answers={"skin": "dry"}).noting(coupon="B").notes == {
        "coupon": "B",
        "answers": {"skin": "dry"},
    }
