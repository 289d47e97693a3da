"""`todoke explain`: a run told in sentences that a marketer can read."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.random_campaigns import START, Known, run_of, written
from todoke_scheduler.domain import words
from todoke_scheduler.domain.effects import Noted
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.stepping import advance
from todoke_scheduler.domain.story import Delivered, Logged, describe, refused, story
from todoke_shared.campaigns.program import Program

STEPS: list[dict[str, Any]] = [
    {"send": "hello"},
    {"wait": "1d"},
    {"ask": "skin", "message": "again", "answers": ["dry", "oily"], "within": "2d"},
    {"if": {"profile.one": True}, "then": [{"send": "bye"}]},
]
PROGRAM = Program.of(written(STEPS))
DAY = timedelta(days=1)


def told(now: datetime, run: Enrolment | None = None) -> list[str]:
    """The story at `now` of a run that was looked at just then."""
    start = run or run_of()
    stands, effects = advance(start, PROGRAM, Known(), now)
    notes = [Logged(now, effect.step, effect.sentence) for effect in effects if isinstance(effect, Noted)]
    sent = [Delivered(START + timedelta(seconds=1), "hello", "accepted")]
    return story(stands, PROGRAM, notes, sent, now)


def test_a_run_that_waits_says_for_what_and_until_when() -> None:
    """In the campaign's zone."""
    assert told(START) == [
        "2026-03-07 14:00  came in, and follows version 1",
        "2026-03-07 14:00:01  message hello: accepted by LINE",
        "next: ask skin (steps[2]), at 2026-03-08 14:00",
    ]
    assert told(START + DAY)[-1] == "waits for the answer to skin (steps[2]), until 2026-03-10 14:00"


def test_a_run_that_is_through_tells_its_way() -> None:
    """Decisions and deliveries in the order in which they happened, and how it ended."""
    assert told(START + 3 * DAY)[1:] == [
        "2026-03-07 14:00:01  message hello: accepted by LINE",
        "2026-03-10 14:00  ask skin (steps[2]): not answered in time: goes on without an answer",
        "2026-03-10 14:00  if (steps[3]): goes on with `else`",
        "2026-03-10 14:00  went through to the end of its steps",
    ]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("exit", "ended: what ends the campaign happened"),
        ("goal", "ended: its goal was reached"),
        ("restarted", "ended: a newer run took its place"),
        ("over", "ended: the campaign has ended"),
    ],
)
def test_an_early_end_has_its_reason(reason: Any, sentence: str) -> None:
    """At its own instant, even if nobody has come to look since."""
    run = run_of().ending(START + timedelta(hours=2), reason)
    assert story(run, PROGRAM, [], [], START + DAY)[-1] == f"2026-03-07 16:00  {sentence}"
    assert told(START + DAY, run)[-1] == f"2026-03-07 16:00  {sentence}"


def test_a_run_that_will_end_says_so() -> None:
    """The campaign's last day is known beforehand."""
    run = run_of().ending(START + 10 * DAY, "over")
    assert told(START, run)[-2:] == [
        "next: ask skin (steps[2]), at 2026-03-08 14:00",
        "does nothing more from 2026-03-17 14:00 on: the campaign has ended",
    ]


def test_a_run_that_is_overdue_says_why_that_may_be() -> None:
    """A pause leaves no line at every look; this one tells of it."""
    assert story(run_of(), PROGRAM, [], [], START + DAY)[-1] == (
        "next: send hello (steps[0]), due since 2026-03-07 14:00: the campaign is paused, or the scheduler is behind"
    )


def test_every_state_of_a_delivery_has_its_words() -> None:
    """With LINE's or our reason behind it; a state that is new is told as it is."""
    lines = story(
        run_of(),
        PROGRAM,
        [],
        [Delivered(START, "hello", "dropped", "expired"), Delivered(START, "hello", "folded")],
        START - DAY,
    )
    assert lines[1:3] == [
        "2026-03-07 14:00  message hello: not sent (expired)",
        "2026-03-07 14:00  message hello: folded",
    ]
    assert set(words.DELIVERIES) == {"waiting", "attempting", "accepted", "failed", "unknown", "held", "dropped"}


def test_who_never_had_a_run_hears_why() -> None:
    """The refusals, the oldest first; or that nothing is known."""
    zone = PROGRAM.campaign.tz
    decisions = [Logged(START + DAY, None, words.SAME_ENTRY), Logged(START, None, words.ENTERED_BEFORE)]
    assert refused(decisions, zone) == [
        "2026-03-07 14:00  entered before, and the campaign says never again",
        "2026-03-08 14:00  the same entry again",
    ]
    assert refused([], zone) == [words.NEVER_ENTERED]


def test_a_decision_about_a_step_that_is_no_more_keeps_its_place() -> None:
    """After a move to a shorter version."""
    lines = story(
        run_of(), PROGRAM, [Logged(START, "steps[9]", "left out"), Logged(START, None, "odd")], [], START - DAY
    )
    assert lines[1:3] == ["2026-03-07 14:00  steps[9]: left out", "2026-03-07 14:00  odd"]


def test_every_step_is_described_as_it_is_written() -> None:
    """Short, and by its own words."""
    steps: list[dict[str, Any]] = [
        {"wait": "90m"},
        {"wait": {"until": "20:00"}},
        {"wait": {"until": "friday 12:00"}},
        {"wait": {"days": 3, "at": "20:00"}},
        {"wait": {"date": "event.reserved_at", "offset": "-2d", "at": "18:00"}},
        {"wait": {"date": "event.reserved_at"}},
        {"tag": "vip"},
        {"untag": "vip"},
        {"set": {"favourite": "tea"}},
        {"rich_menu": "none"},
        {"emit": "custom.care"},
        {"coupon": "spring"},
        {"split": {"a": 1, "b": 1}, "a": [], "b": [], "name": "subject"},
        {"split": {"a": 1, "b": 1}, "a": [], "b": []},
        {"stop": True},
    ]
    assert [describe(one).partition(" (")[0] for one in Program.of(written(steps)).instructions] == [
        "wait 90m",
        "wait until 20:00",
        "wait until friday 12:00",
        "wait until day 3, 20:00",
        "wait until event.reserved_at -2d, 18:00",
        "wait until event.reserved_at",
        "tag vip",
        "untag vip",
        "set",
        "rich_menu none",
        "emit custom.care",
        "coupon spring",
        "split subject",
        "split",
        "stop",
    ]
