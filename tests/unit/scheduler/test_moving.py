"""A new version takes along whom it can, and nobody gets a message twice for it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.random_campaigns import START, Known, campaigns, people, run_of, step_lists, written
from todoke_scheduler.domain.calendar import LAST
from todoke_scheduler.domain.effects import LookAgain, Noted, Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.moving import moved
from todoke_scheduler.domain.stepping import advance
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.published import PublishedCampaign

OLD: list[dict[str, Any]] = [{"send": "hello"}, {"wait": "1d"}, {"send": "again"}, {"wait": "1d"}]


def waiting() -> Enrolment:
    """A run that has sent the first message and waits for the second."""
    run, _ = advance(run_of(), Program.of(written(OLD)), Known(), START)
    return run


def after(new: list[dict[str, Any]], **keys: Any) -> Enrolment:
    """That run, once the campaign has these steps."""
    return moved(waiting(), Program.of(written(OLD)), PublishedCampaign(2, written(new, **keys)))


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        [{"send": "hello"}, {"wait": "9d"}, {"send": "again"}, {"wait": "1d"}],
        [{"send": "hello"}, {"wait": "1d"}, {"send": "bye"}],
        [*OLD, {"send": "bye"}],
        [{"send": "hello", "if": {"profile.one": True}}, {"wait": "1d"}, {"send": "again"}],
    ],
)
def test_a_run_moves_where_what_lies_behind_it_is_the_same(new: list[dict[str, Any]]) -> None:
    """Its step is due when it was; what it sends may be another message, and what follows may be new."""
    run = after(new)
    assert run == replace(waiting(), version=2)


@pytest.mark.parametrize(
    "new",
    [
        [{"send": "bye"}, *OLD[1:]],
        [{"send": "bye"}, {"wait": "1d"}, *OLD],
        [{"wait": "1d"}, *OLD],
        OLD[1:],
        OLD[:2],
        [{"send": "hello"}, {"wait": "1d"}, {"tag": "vip"}, {"send": "again"}],
        [{"send": "hello"}, {"if": {"profile.one": True}, "then": [{"wait": "1d"}]}, {"send": "again"}],
    ],
)
def test_a_run_finishes_on_its_version_where_it_is_not(new: list[dict[str, Any]]) -> None:
    """A step put in before its place would repeat what it had, and one at its place is not the one it waits for."""
    assert after(new) == waiting()


def split(name: str, a: str, b: str) -> dict[str, Any]:
    """A split that does nothing but be noted, for the report."""
    return {"split": {a: 50, b: 50}, "name": name, a: [], b: []}


ASK: dict[str, Any] = {"ask": "skin", "message": "hello", "answers": ["dry"], "within": "1h"}


@pytest.mark.parametrize(
    ("was", "becomes", "moves"),
    [
        (ASK, {**ASK, "answers": ["dry", "oily"], "within": "2h"}, True),
        (ASK, {**ASK, "ask": "taste"}, False),
        (ASK, {**ASK, "message": "bye"}, False),
        (split("one", "a", "b"), {**split("one", "a", "b"), "split": {"a": 10, "b": 90}}, True),
        (split("one", "a", "b"), split("two", "a", "b"), False),
        (split("one", "a", "b"), split("one", "a", "c"), False),
        ({"coupon": "spring"}, {"coupon": "autumn"}, False),
        ({"tag": "vip"}, {"untag": "vip"}, False),
    ],
)
def test_what_was_asked_split_or_given_is_the_same_or_the_run_stays(
    was: dict[str, Any], becomes: dict[str, Any], moves: bool
) -> None:
    """What it is called by; how long it waited and by what shares it went may change."""
    wait: dict[str, Any] = {"wait": "9d"}
    old = Program.of(written([was, wait]))
    run, _ = advance(run_of(), old, Known(), START)
    if run.status == "active" and run.due_at < START + timedelta(days=1):  # the question was not answered
        run, _ = advance(run, old, Known(), run.due_at)
    assert moved(run, old, PublishedCampaign(2, written([becomes, wait]))).version == (2 if moves else 1)


def test_a_run_beyond_the_end_of_the_new_version_finishes_on_its_own() -> None:
    """It waits for nothing more than its end, where the new one has no place."""
    run, _ = advance(waiting(), Program.of(written(OLD)), Known(), START + timedelta(days=1))
    assert run.position == len(OLD)
    assert moved(run, Program.of(written(OLD)), PublishedCampaign(2, written(OLD[:2]))) == run


def test_a_run_that_is_over_stays_as_it_was() -> None:
    """Published too late for it."""
    over = replace(waiting(), status="done")
    assert moved(over, Program.of(written(OLD)), PublishedCampaign(2, written(OLD))) == over


def test_the_end_of_the_campaign_is_the_new_versions() -> None:
    """Put off, brought forward or taken away; an exit stays."""
    ends = {"ends": "2026-03-20 00:00"}
    run = after(OLD, **ends)
    assert (f"{run.ends_at}", run.end_reason) == ("2026-03-19 15:00:00+00:00", "over")
    later = moved(run, Program.of(written(OLD)), PublishedCampaign(3, written(OLD, ends="2026-04-20 00:00")))
    assert (f"{later.ends_at}", later.end_reason) == ("2026-04-19 15:00:00+00:00", "over")
    never = moved(run, Program.of(written(OLD)), PublishedCampaign(3, written(OLD)))
    assert (never.ends_at, never.end_reason) == (None, None)
    left = waiting().ending(START + timedelta(hours=1), "exit")
    kept = moved(left, Program.of(written(OLD)), PublishedCampaign(3, written(OLD, **ends)))
    assert (kept.ends_at, kept.end_reason) == (left.ends_at, "exit")


instants = st.integers(0, 10 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


@settings(deadline=None)
@given(campaigns, step_lists, people, instants)
def test_a_move_never_gives_two_effects_one_name(
    campaign: Campaign, other: list[dict[str, Any]], person: Known, when: datetime
) -> None:
    """Or the second would be taken for the first; and a moved run still ends."""
    run, before = advance(run_of(), Program.of(campaign), person, when)
    changed = written([*campaign.to_document()["steps"], *other], zone=campaign.zone)
    for new in (changed, written(other or [{"send": "bye"}])):
        after_move = moved(run, Program.of(campaign), PublishedCampaign(2, new))
        program = Program.of(new if after_move.version == 2 else campaign)
        over, then = advance(after_move, program, person, LAST)
        steps = [effect.step for effect in (*before, *then) if not isinstance(effect, Noted | LookAgain)]
        assert len(steps) == len(set(steps))
        assert over.status == "done"


@settings(deadline=None)
@given(campaigns, people, instants)
def test_a_version_that_changes_words_alone_takes_everybody_along(
    campaign: Campaign, person: Known, when: datetime
) -> None:
    """And they get exactly what they would have got."""
    run, _ = advance(run_of(), Program.of(campaign), person, when)
    new = PublishedCampaign(2, campaign.model_copy(update={"name": "新しい"}))
    after_move = moved(run, Program.of(campaign), new)
    assert after_move.version == (2 if run.status == "active" else 1)
    _, expected = advance(run, Program.of(campaign), person, LAST)
    _, found = advance(after_move, new.program, person, LAST)
    assert found == expected
    assert not any(isinstance(effect, Owed) and effect.due_at <= when for effect in found)
