"""Triggers start and end runs by when things happened, not by when we learnt of them."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.scheduler.campaigns import OnePerson, at, campaign, trigger
from todoke_scheduler.domain.journey import Marks, enter, leave
from todoke_shared.campaigns.model import Again
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.contracts.triggers import Trigger

STORY = (60, "first", 100, "second")
LATER_THAN_ALL = 10_000
happened = st.lists(
    st.tuples(st.sampled_from(["enter", "exit"]), st.integers(0, 50), st.sampled_from(["", "a", "b"])),
    max_size=8,
    unique=True,
)
chances = st.randoms(use_true_random=False)


def in_order(triggers: Sequence[Trigger]) -> list[Trigger]:
    """As a batch has them: by time, and ends first in one instant."""
    return sorted(triggers, key=lambda t: (t.at, t.kind == "enter", t.id))


def messages(again: Again, triggers: Sequence[Trigger]) -> list[tuple[str, float]]:
    """What a person is owed when all triggers are known before anything is due."""
    person = OnePerson(campaign(STORY, again))
    person.take(triggers)
    person.pass_to(LATER_THAN_ALL)
    assert all(run.status != "active" for run in person.runs)
    return sorted(person.told)


@pytest.mark.parametrize("again", ["restart", "always"])
@given(rows=happened, chance=chances)
def test_the_order_in_which_triggers_arrive_is_of_no_consequence(
    again: Again, rows: list[tuple[str, int, str]], chance: Random
) -> None:
    """Shuffled entries and exits, of several keys, leave the runs that the same in order leave."""
    triggers = [trigger("enter" if kind == "enter" else "exit", second, key) for kind, second, key in rows]
    arrived = chance.sample(triggers, len(triggers))
    assert messages(again, arrived) == messages(again, in_order(triggers))


@given(st.lists(st.integers(0, 50), unique=True, max_size=6), st.lists(st.integers(0, 50), max_size=3, unique=True))
def test_restarting_leaves_the_newest_entry_that_no_exit_follows(entries: list[int], exits: list[int]) -> None:
    """By hand: only the last entry can come to its first step, and only when nothing ended it."""
    triggers = [trigger("enter", second) for second in entries] + [trigger("exit", second) for second in exits]
    newest = max(entries, default=None)
    lives = newest is not None and not any(second >= newest for second in exits)
    expected = [("first", float(newest + 60)), ("second", float(newest + 160))] if lives and newest is not None else []
    assert messages("restart", triggers) == expected


@given(st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=6), chances)
def test_never_again_is_once_however_entries_arrive(entries: list[int], chance: Random) -> None:
    """One run, whichever entry is heard of first; in order it is the first that happened."""
    triggers = [trigger("enter", second) for second in entries]
    assert len(messages("never", chance.sample(triggers, len(triggers)))) == 2
    assert messages("never", in_order(triggers))[0] == ("first", float(min(entries) + 60))


def test_an_entry_that_was_over_before_we_heard_of_it_counts_as_the_one_time() -> None:
    """Order at 5, cart at 3 heard of later, cart at 7: whoever may come in never again does not."""
    person = OnePerson(campaign(STORY, "never"))
    person.take([trigger("exit", 5), trigger("enter", 3), trigger("enter", 7)])
    assert person.runs == []
    assert [decision.decision for decision in person.decisions] == [
        "over before it began: an exit at or after this entry is known",
        "entered before, and the campaign says never again",
    ]


@pytest.mark.parametrize("again", ["never", "always", "restart"])
@pytest.mark.parametrize("exited", [10, 11])
def test_an_entry_with_an_exit_at_or_after_it_is_refused(again: Again, exited: int) -> None:
    """The order in the very second of the cart change came after it."""
    entry = enter(Marks(exited_at=at(exited)), [], trigger("enter", 10), PublishedCampaign(1, campaign(STORY, again)))
    assert (entry.started, entry.refusal) == (None, "over before it began: an exit at or after this entry is known")


@pytest.mark.parametrize("again", ["never", "always", "restart"])
def test_an_exit_before_an_entry_is_of_the_past(again: Again) -> None:
    """Yesterday's order does not silence today's cart."""
    entry = enter(Marks(exited_at=at(9)), [], trigger("enter", 10), PublishedCampaign(1, campaign(STORY, again)))
    assert entry.started is not None
    assert (entry.started.started_at, entry.started.due_at, entry.started.ends_at) == (at(10), at(10), None)


def test_a_newer_entry_ends_the_older_run_and_starts_its_own() -> None:
    """restart: the hour begins anew."""
    person = OnePerson(campaign(STORY, "restart"))
    person.take([trigger("enter", 0), trigger("enter", 30)])
    assert sorted((run.started_at, run.ends_at, run.end_reason) for run in person.runs)[0] == (
        at(0),
        at(30),
        "restarted",
    )
    person.pass_to(LATER_THAN_ALL)
    assert person.told == [("first", 90.0), ("second", 190.0)]


def test_an_older_entry_that_comes_late_runs_up_to_the_newer_one() -> None:
    """Its steps before the newer entry were due, and still are owed; those after it never were."""
    person = OnePerson(campaign((10, "first", 100, "second"), "restart"))
    person.take([trigger("enter", 50), trigger("enter", 0)])
    person.pass_to(LATER_THAN_ALL)
    assert person.told == [("first", 10.0), ("first", 60.0), ("second", 160.0)]


def test_an_older_entry_ends_at_the_next_one_and_not_at_the_newest() -> None:
    """Heard of from the newest to the oldest: 50, 30, 0. The first run's step at 40 was never to be."""
    person = OnePerson(campaign((40, "first"), "restart"))
    person.take([trigger("enter", 50), trigger("enter", 30), trigger("enter", 0)])
    person.pass_to(LATER_THAN_ALL)
    assert person.told == [("first", 90.0)]


def test_an_older_entry_that_comes_after_the_newer_run_is_done_still_ends_at_it() -> None:
    """The mark of the newer entry outlives its run."""
    person = OnePerson(campaign((10, "first"), "restart"))
    person.take([trigger("enter", 50)])
    person.pass_to(70)
    person.take([trigger("enter", 45)])
    person.pass_to(LATER_THAN_ALL)
    assert person.told == [("first", 60.0)]


def test_runs_side_by_side_do_not_disturb_each_other() -> None:
    """always: one run an entry; a key's exit ends that key's runs, an exit of no key ends all."""
    person = OnePerson(campaign(STORY, "always"))
    person.take([trigger("enter", 0, "a"), trigger("enter", 1, "b"), trigger("enter", 2, "b"), trigger("exit", 5, "b")])
    assert [run.ends_at for run in sorted(person.runs, key=lambda r: r.started_at)] == [None, at(5), at(5)]
    person.take([trigger("exit", 6)])
    assert [run.ends_at for run in sorted(person.runs, key=lambda r: r.started_at)] == [at(6), at(5), at(5)]


def test_an_exit_ends_only_what_had_begun() -> None:
    """A late exit does not reach into a run that began after it."""
    person = OnePerson(campaign(STORY, "always"))
    person.take([trigger("enter", 10), trigger("enter", 30)])
    assert [run.started_at for run in leave(person.runs, trigger("exit", 20))] == [at(10)]
    assert [run.started_at for run in leave(person.runs, trigger("exit", 10))] == [at(10)]


def test_the_same_entry_twice_is_one_run() -> None:
    """Two events of one second that mean the same do not remind twice."""
    person = OnePerson(campaign(STORY, "always"))
    person.take([trigger("enter", 0), trigger("enter", 0)])
    assert len(person.runs) == 1
    assert [decision.decision for decision in person.decisions] == ["the same entry again"]


@pytest.mark.parametrize("again", ["always", "restart"])
def test_an_entry_whose_run_is_over_does_not_begin_it_again(again: Again) -> None:
    """Its cause is told a second time, long after: nobody is welcomed twice."""
    known = PublishedCampaign(1, campaign(STORY, again))
    first = enter(Marks(), [], trigger("enter", 0), known).started
    assert first is not None
    entry = enter(Marks(entered_at=at(0)), [], trigger("enter", 0), known, {first.id})
    assert (entry.started, entry.refusal) == (None, "the same entry again")


def test_marks_keep_the_newest() -> None:
    """In any order."""
    marks = Marks().entering(at(5)).entering(at(3)).exiting(at(1)).exiting(at(2))
    assert marks == Marks(entered_at=at(5), exited_at=at(2))
