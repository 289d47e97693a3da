"""Who comes in, and with what: the campaign's own days, `again: {after: …}`, the holdout; and what a goal counts."""

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.random_campaigns import written
from tests.unit.scheduler.campaigns import PERSON, START, OnePerson, at, trigger
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.goals import Heard, ended_by, goal_reached
from todoke_scheduler.domain.journey import Entry, Marks, enter
from todoke_scheduler.domain.sharing import in_holdout
from todoke_shared.campaigns.entering import Goal
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.ids import person_id

DAY = 86_400
TOKYO = ZoneInfo("Asia/Tokyo")


def published(**keys: Any) -> PublishedCampaign:
    """A campaign of one message a day after its start, with these keys."""
    return PublishedCampaign(1, written([{"wait": "1d"}, {"send": "hello"}], **keys))


def entered(known: PublishedCampaign, when: datetime, marks: Marks | None = None) -> Entry:
    """What an entry at this instant comes to."""
    return enter(marks or Marks(), [], trigger("enter", (when - START).total_seconds()), known)


def test_entries_before_the_campaign_and_from_its_end_on_are_refused_and_are_none() -> None:
    """`never` does not count them: who ordered too early may order again."""
    known = published(starts="2026-12-01 10:00", ends="2026-12-31 23:59", enter={"on": "order.placed"})
    starts, ends = (at_local(datetime.fromisoformat(t), TOKYO) for t in ("2026-12-01 10:00", "2026-12-31 23:59"))
    early = entered(known, starts - timedelta(seconds=1))
    assert (early.refusal, early.started, early.marks) == ("the campaign starts at 2026-12-01 10:00", None, Marks())
    late = entered(known, ends)
    assert (late.refusal, late.started, late.marks) == ("the campaign ended at 2026-12-31 23:59", None, Marks())
    first = entered(known, starts, early.marks).started
    assert first is not None
    assert (first.started_at, first.ends_at, first.end_reason) == (starts, ends, "over")
    assert entered(known, ends - timedelta(seconds=1)).started is not None


def test_a_run_ends_with_its_campaign_unless_something_ends_it_before() -> None:
    """The reason tells which."""
    ends = at_local(datetime.fromisoformat("2026-02-10 00:00"), TOKYO)
    run = entered(published(ends="2026-02-10 00:00"), START).started
    assert run is not None
    assert run.ending(ends + timedelta(1), "exit") == run
    assert run.ending(ends - timedelta(1), "exit").end_reason == "exit"


@pytest.mark.parametrize("last", [-30 * DAY + 1, -1, 0])
def test_within_30_days_of_the_last_entry_nobody_comes_in_again(last: int) -> None:
    """And the refused one does not count: 30 days after the last are 30 days."""
    known = published(enter={"on": "order.placed", "again": {"after": "30d"}})
    entry = entered(known, at(0), Marks(entered_at=at(last)))
    day = f"{at(last).astimezone(TOKYO):%Y-%m-%d}"
    assert entry.started is None
    assert entry.refusal is not None and entry.refusal.startswith(f"entered at {day}")
    assert entry.refusal.endswith("and the campaign lets nobody in again within 30d")
    assert entry.marks == Marks(entered_at=at(last))


def test_an_entry_heard_of_after_a_later_one_is_refused() -> None:
    """Whether one before it was too near is forgotten."""
    known = published(enter={"on": "order.placed", "again": {"after": "30d"}})
    entry = entered(known, at(0), Marks(entered_at=at(90 * DAY)))
    assert entry.started is None
    assert entry.refusal is not None and entry.refusal.startswith("heard of too late: an entry at 2026-05-04 18:00")
    assert entry.marks == Marks(entered_at=at(90 * DAY))


@pytest.mark.parametrize("last", [None, -30 * DAY])
def test_after_30_days_they_do(last: int | None) -> None:
    """To the second."""
    known = published(enter={"on": "order.placed", "again": {"after": "30d"}})
    entry = entered(known, at(0), Marks(entered_at=None if last is None else at(last)))
    assert entry.started is not None
    assert entry.marks.entered_at == max(at(0), at(last or 0))


@given(st.lists(st.integers(0, 100), max_size=10, unique=True), st.randoms(use_true_random=False))
def test_runs_of_after_lie_so_far_apart_whatever_the_order_of_arrival(days: list[int], chance: Random) -> None:
    """No two of a person's runs start within the time."""
    person = OnePerson(published(enter={"on": "order.placed", "again": {"after": "30d"}}).campaign)
    person.take(trigger("enter", day * DAY) for day in chance.sample(days, len(days)))
    starts = sorted(run.started_at for run in person.runs)
    assert all(b - a >= timedelta(days=30) for a, b in pairwise(starts))
    assert bool(starts) is bool(days)


def test_the_holdout_is_marked_when_a_run_starts() -> None:
    """By the person alone; half of them in a holdout of half."""
    known = published(holdout=50)
    people = [person_id("main", f"customer:{number}") for number in range(200)]
    runs = [enter(Marks(), [], trigger("enter", 0).model_copy(update={"person": one}), known).started for one in people]
    assert [run is not None and run.holdout for run in runs] == [in_holdout("care", 50, one) for one in people]
    assert 60 < sum(run is not None and run.holdout for run in runs) < 140
    assert not any(run.holdout for run in OnePerson(published().campaign).runs)


ORDER = Goal.model_validate({"on": "order.placed", "within": "14d"})


def goal(seconds: float, amount: Any = 3000) -> Heard:
    """The order."""
    told = trigger("goal", seconds)
    heard = Heard.of(told.model_copy(update={"context": {"event": {"amount": amount}}}))
    assert heard is not None
    return heard


def a_run(**others: Any) -> Any:
    """A run of START."""
    run = entered(published(**others), START).started
    assert run is not None
    return run


@pytest.mark.parametrize(("second", "counts"), [(0, False), (1, True), (14 * DAY, True), (14 * DAY + 1, False)])
def test_a_goal_counts_after_the_start_and_within_its_time(second: int, counts: bool) -> None:
    """The very event that started the run is not what came of it."""
    assert (goal_reached(a_run(), ORDER, goal(second)) is not None) is counts


def test_a_goal_is_counted_with_the_amount_once_for_the_run_and_the_trigger() -> None:
    """Under way, over, or in the holdout, which is what it is compared with."""
    run, reached = a_run(), goal(60)
    conversion = goal_reached(run, ORDER, reached)
    assert conversion is not None
    assert (conversion.enrolment, conversion.trigger, conversion.at) == (run.id, reached.id, at(60))
    assert (conversion.amount, conversion.is_holdout) == (3000.0, False)
    assert goal_reached(run.ending(at(5), "exit"), ORDER, reached) == conversion
    held_out = goal_reached(replace(run, holdout=True), ORDER, reached)
    assert held_out is not None and held_out.is_holdout


@pytest.mark.parametrize("amount", [None, "3000", True, [1]])
def test_an_amount_that_is_no_number_is_not_known(amount: Any) -> None:
    """The goal is counted all the same."""
    conversion = goal_reached(a_run(), ORDER, goal(60, amount))
    assert conversion is not None and conversion.amount is None


def test_a_goal_is_the_newer_runs_where_one_has_taken_the_place() -> None:
    """A cart that changed five times before its order has earned it once."""
    run = a_run().ending(at(30), "restarted")
    assert goal_reached(run, ORDER, goal(60)) is None
    assert goal_reached(run, ORDER, goal(29)) is not None


def test_a_goal_ends_the_run_unless_it_says_otherwise() -> None:
    """At the goal's instant."""
    run = a_run()
    over = ended_by(run, ORDER, goal(60))
    assert (over.ends_at, over.end_reason) == (at(60), "goal")
    going_on = Goal.model_validate({"on": "order.placed", "ends": False})
    assert ended_by(run, going_on, goal(60)) == run
    assert run.person == PERSON


@pytest.mark.parametrize(("key", "counts"), [("", True), ("cart-1", True), ("cart-2", False)])
def test_a_goal_of_a_key_counts_for_that_keys_runs(key: str, counts: bool) -> None:
    """The order of one cart was not brought about by the reminder of another; an order of no cart is of all."""
    run = replace(a_run(), key="cart-1")
    reached = Heard.of(trigger("goal", 60, key))
    assert reached is not None
    assert (goal_reached(run, ORDER, reached) is not None) is counts


@pytest.mark.parametrize("place", [-1, 2**31, True, "0", 1.0, None])
def test_a_goal_that_names_no_place_is_none(place: Any) -> None:
    """Other systems write to the topic; without a place it is the first."""
    told = trigger("goal", 60)
    assert Heard.of(told.model_copy(update={"context": {"goal": place}})) is None
    first = Heard.of(told)
    assert first is not None and first.goal == 0
