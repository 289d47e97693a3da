"""Each kind of step does what it says, and what is decided on the way stands in the decision log."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.random_campaigns import PERSON, START, Known, run_of, written
from todoke_scheduler.domain.effects import AssignCoupon, Effect, LinkRichMenu, Noted, Owed, Publish
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.sharing import arm
from todoke_scheduler.domain.stepping import advance, answered
from todoke_scheduler.domain.verdicts import Hold, Skip
from todoke_shared.campaigns.program import Program

Steps = list[dict[str, Any]]
HOUR = timedelta(hours=1)
ASK: dict[str, Any] = {"ask": "skin", "message": "hello", "answers": ["dry", "oily"], "within": "1d"}


def go(steps: Steps, person: Known | None = None, hours: float = 0) -> tuple[Enrolment, list[Effect]]:
    """A run looked at so many hours after its start."""
    return advance(run_of(), Program.of(written(steps)), person or Known(), START + hours * HOUR)


def test_what_a_step_has_done_is_told_in_the_words_of_events() -> None:
    """Other campaigns and segments hear it as they would hear the shop."""
    _, effects = go(
        [
            {"tag": "vip"},
            {"untag": "new"},
            {"set": {"favourite": "tea"}},
            {"emit": "custom.care-finished", "data": {"score": 1}},
            {"coupon": "spring-2026"},
            {"rich_menu": "member"},
            {"rich_menu": "none"},
        ]
    )
    assert effects == [
        Publish("custom.tag.added", {"tag": "vip"}, "0:custom.tag.added", START),
        Publish("custom.tag.removed", {"tag": "new"}, "1:custom.tag.removed", START),
        Publish("customer.updated", {"favourite": "tea"}, "2:customer.updated", START),
        Publish("custom.care-finished", {"score": 1}, "3:custom.care-finished", START),
        AssignCoupon("spring-2026", "4:spring-2026"),
        LinkRichMenu("member", "5:member"),
        LinkRichMenu(None, "6:None"),
    ]


def test_a_message_keeps_the_name_that_it_had_before_there_were_branches() -> None:
    """Its identity is made of it, and LINE's retry key of that."""
    _, effects = go([{"wait": "1h"}, {"send": "hello"}], hours=1)
    assert effects == [Owed("hello", "1:hello", START + HOUR)]


@pytest.mark.parametrize(("truth", "way", "message"), [(True, "then", "hello"), (False, "else", "bye")])
def test_a_branch_is_taken_by_its_condition_and_noted(truth: bool, way: str, message: str) -> None:
    """And both ways meet behind it."""
    steps: Steps = [
        {"if": {"profile.one": True}, "then": [{"send": "hello"}], "else": [{"send": "bye"}]},
        {"send": "again"},
    ]
    _, effects = go(steps, Known(facts={"profile.one": truth}))
    assert effects[0] == Noted(f"goes on with `{way}`", "steps[0]")
    assert [effect.message for effect in effects if isinstance(effect, Owed)] == [message, "again"]


def test_a_split_is_taken_by_the_person_and_noted_by_name_or_place() -> None:
    """So that the report can tell what to compare."""
    split: dict[str, Any] = {"split": {"a": 50, "b": 50}, "a": [{"send": "hello"}], "b": [{"send": "bye"}]}
    named = arm("care", "subject", {"a": 50, "b": 50}, PERSON)
    placed = arm("care", "steps[1]", {"a": 50, "b": 50}, PERSON)
    over, effects = go([{**split, "name": "subject"}, split])
    assert over.arms == {"subject": named, "steps[1]": placed}
    assert [effect for effect in effects if isinstance(effect, Noted)] == [
        Noted(f"split subject: takes {named}", "steps[0]"),
        Noted(f"split steps[1]: takes {placed}", "steps[1]"),
    ]
    texts = {"a": "hello", "b": "bye"}
    assert [effect.message for effect in effects if isinstance(effect, Owed)] == [texts[named], texts[placed]]


def test_a_message_whose_condition_does_not_hold_is_left_out_and_the_run_goes_on() -> None:
    """`send` with `if`."""
    steps: Steps = [{"send": "hello", "if": {"profile.one": True}}, {"send": "bye"}]
    _, effects = go(steps)
    assert effects == [Noted("not sent: its condition does not hold", "steps[0]"), Owed("bye", "1:bye", START)]
    assert go(steps, Known(facts={"profile.one": True}))[1][0] == Owed("hello", "0:hello", START)


def test_stop_ends_the_run_there() -> None:
    """Out of the depth of branches, too."""
    steps: Steps = [{"if": {"profile.one": False}, "then": [], "else": [{"stop": True}]}, {"send": "hello"}]
    over, effects = go(steps)
    assert over.status == "done"
    assert effects[-1] == Noted("the run stops here", "steps[0].else[0]")


def test_a_question_waits_for_its_answer_and_then_goes_on_by_itself() -> None:
    """Asked once; without an answer the next step comes when `within` is over."""
    steps = [ASK, {"send": "bye"}]
    waiting, effects = go(steps)
    assert effects == [Owed("hello", "0:hello", START, question="skin")]
    assert (waiting.status, waiting.position, waiting.due_at) == ("active", 1, START + 24 * HOUR)
    over, effects = advance(waiting, Program.of(written(steps)), Known(), START + 24 * HOUR)
    assert effects == [
        Noted("not answered in time: goes on without an answer", "steps[0]"),
        Owed("bye", "2:bye", START + 24 * HOUR),
    ]
    assert over.status == "done"


def test_an_answer_in_time_lets_the_run_go_on_from_then() -> None:
    """Waits after it count from the answer; its own step is not told as unanswered."""
    steps = [ASK, {"wait": "1h"}, {"send": "bye"}]
    program = Program.of(written(steps))
    waiting, _ = go(steps)
    after = answered(waiting, program, "skin", START + 2 * HOUR)
    assert (after.position, after.due_at) == (2, START + 2 * HOUR)
    _, effects = advance(after, program, Known(), START + 3 * HOUR)
    assert effects == [Owed("bye", "3:bye", START + 3 * HOUR)]


@pytest.mark.parametrize(
    ("question", "hours"), [("taste", 2), ("skin", -1), ("skin", 24), ("skin", 25)]
)  # fmt: skip
def test_an_answer_to_another_question_or_at_another_time_moves_nothing(question: str, hours: int) -> None:
    """One from before the question was put is of an older run; at the last instant it is too late."""
    waiting, _ = go([ASK, {"send": "bye"}])
    program = Program.of(written([ASK, {"send": "bye"}]))
    assert answered(waiting, program, question, START + hours * HOUR) == waiting
    assert answered(waiting, program, "skin", START).position == 2  # a tap of the very instant is none of before
    assert answered(run_of(), program, "skin", START) == run_of()


def test_an_answer_does_not_bring_back_a_run_that_has_an_end() -> None:
    """Before the end it counts, and the end still comes."""
    steps = [ASK, {"wait": "1h"}, {"send": "bye"}]
    program = Program.of(written(steps))
    waiting, _ = go(steps)
    ending = waiting.ending(START + 5 * HOUR, "over")
    assert advance(ending, program, Known(), START + 4 * HOUR) == (ending, [])
    assert answered(ending, program, "skin", START + 5 * HOUR) == ending
    assert answered(ending, program, "skin", START + 4 * HOUR).position == 2
    over, effects = advance(ending, program, Known(), START + 5 * HOUR)
    assert (over.status, effects) == ("ended", [])


def test_a_question_that_was_not_put_is_not_waited_for() -> None:
    """Whoever is no friend goes on at once."""
    program = Program.of(written([ASK, {"tag": "asked"}]))
    over, effects = advance(
        run_of(),
        program,
        Known(),
        START,
        lambda action, *_: Skip("no") if isinstance(action, Owed) else Hold(START + HOUR, "held"),
    )
    assert effects == [Noted("no", "steps[0]"), Noted("held", "steps[1]")]
    assert (over.position, over.due_at) == (2, START + HOUR)


def test_waits_after_a_held_step_count_from_when_it_was_let_go() -> None:
    """Held from 23:00 to 9:12, a second message a day later comes at 9:12."""
    program = Program.of(written([{"send": "hello"}, {"wait": "1d"}, {"send": "bye"}]))
    held, effects = advance(run_of(), program, Known(), START, lambda *_: Hold(START + 10 * HOUR, "quiet hours"))
    assert (held.position, held.due_at, effects) == (0, START + 10 * HOUR, [Noted("quiet hours", "steps[0]")])
    waiting, effects = advance(held, program, Known(), START + 11 * HOUR)
    assert effects == [Owed("hello", "0:hello", START + 10 * HOUR)]
    assert (waiting.position, waiting.due_at) == (2, START + 34 * HOUR)


def test_a_guard_that_holds_into_the_past_is_a_defect_and_no_endless_loop() -> None:
    """It would be asked for ever."""
    program = Program.of(written([{"send": "hello"}]))
    with pytest.raises(ValueError, match="not after"):
        advance(run_of(), program, Known(), START, lambda *_: Hold(START, "now"))


def test_a_wait_that_waits_for_nothing_says_so() -> None:
    """In the log, at its place."""
    _, effects = go([{"wait": {"date": "date.renewal", "at": "10:00"}}, {"send": "hello"}])
    assert effects[0] == Noted("waits for nothing: no date is known under `date.renewal`", "steps[0]")
