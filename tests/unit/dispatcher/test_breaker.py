"""The circuit breaker: one message at a time while LINE is away, and everything soon after it is back."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import todoke_dispatcher
from tests.support.deliveries import NOON, delivery
from todoke_dispatcher.breaking import Breakers
from todoke_dispatcher.claiming import Attempt
from todoke_dispatcher.domain.breaker import IN_A_ROW, TRANSITIONS, Breaker, BreakerEvent, BreakerState
from todoke_dispatcher.domain.verdict import Accepted, NotSent, Refused, TooFast, Unclear, Verdict

DOWN = Unclear("LINE 500")
README = Path(todoke_dispatcher.__file__).parents[1] / "README.md"
POLL = timedelta(milliseconds=250)


def attempt(at: datetime = NOON) -> Attempt:
    """A message on its way, with a time slot of its own."""
    return Attempt(delivery(), delivery(), at)


def opened(at: datetime = NOON) -> Breakers:
    """The breakers of `main`, which LINE has stopped to answer."""
    breakers = Breakers(["main"])
    for _ in range(IN_A_ROW):
        breakers.tell(attempt(at), DOWN, at)
    assert not breakers.is_closed("main")
    return breakers


@dataclass
class Line:
    """LINE as the breakers see it: there or not, for calls and for messages, at each instant."""

    breakers: Breakers = field(default_factory=lambda: Breakers(["main"]))

    def step(self, now: datetime, *, calls: bool, messages: bool, wanted: int = 3) -> int:
        """A quarter of a second in the life of a dispatcher; gives how many messages went out."""
        for account in self.breakers.to_call(now):
            self.breakers.called(account, now, answered=calls)
        room = self.breakers.room("main", wanted)
        claimed = [attempt(now) for _ in range(room)]
        self.breakers.claimed("main", claimed)
        sent = [each for each in claimed if self.breakers.lets(each)]
        for each in sent:
            self.breakers.tell(each, Accepted("id") if messages else DOWN, now)
        return len(sent)


def test_five_without_an_answer_open_it() -> None:
    """Four do not, nor five with an answer between them."""
    breakers = Breakers(["main"])
    for verdict in (DOWN, DOWN, DOWN, DOWN, Accepted("id"), DOWN, DOWN, DOWN, DOWN):
        breakers.tell(attempt(), verdict, NOON)
        assert breakers.room("main", 200) == 200
    breakers.tell(attempt(), DOWN, NOON)
    assert breakers.room("main", 200) == 0


@pytest.mark.parametrize("verdict", [Accepted("id"), Refused("LINE 400"), TooFast()])
def test_any_word_of_lines_is_an_answer(verdict: Verdict) -> None:
    """A refusal too: LINE is there."""
    breakers = Breakers(["main"])
    for _ in range(100):
        for each in (DOWN, verdict, verdict):
            breakers.tell(attempt(), each, NOON)
    assert breakers.is_closed("main")


def test_more_than_half_without_an_answer_open_it() -> None:
    """Never five in a row, and yet two of three: LINE is not to be counted on."""
    breakers = Breakers(["main"])
    for _ in range(30):
        for verdict in (DOWN, DOWN, Accepted("id")):
            breakers.tell(attempt(), verdict, NOON)
    assert not breakers.is_closed("main")


def test_an_account_has_a_breaker_of_its_own() -> None:
    """One brand's trouble stops no other's messages."""
    breakers = Breakers(["main", "second"])
    for _ in range(IN_A_ROW):
        breakers.tell(attempt(), DOWN, NOON)
    assert (breakers.room("main", 9), breakers.room("second", 9)) == (0, 9)


def test_what_was_claimed_before_it_opened_does_not_go_out() -> None:
    """A claim is up to a quarter of a second ahead of its time slots."""
    early = attempt()
    breakers = opened()
    assert not breakers.lets(early)
    breakers.tell(early, NotSent(), NOON)
    assert not breakers.is_closed("main")


def test_what_is_claimed_while_it_opens_comes_back_unsent() -> None:
    """The claim asked for room before, and commits after: its messages are due again at once, not after their lease."""
    breakers = opened()
    late = [attempt(), attempt()]
    breakers.claimed("main", late)
    assert not any(breakers.lets(each) for each in late)
    for each in late:
        breakers.tell(each, NotSent(), NOON)
    breakers.called("main", NOON, answered=True)
    assert breakers.room("main", 9) == 1, "none of them was taken for the probe"


def test_only_the_probe_tells_whether_line_is_back() -> None:
    """Answers to what was asked before it opened come in late, for better or worse, and change nothing."""
    breakers = opened()
    breakers.tell(attempt(), Accepted("late"), NOON)
    assert not breakers.is_closed("main")
    breakers.called("main", NOON, answered=True)
    probe = attempt(NOON + POLL)
    breakers.claimed("main", [probe])
    breakers.tell(probe, Accepted("id"), NOON + POLL)
    for _ in range(100):
        breakers.tell(attempt(NOON), DOWN, NOON + timedelta(seconds=9))
    assert breakers.is_closed("main")


def test_a_probe_that_missed_its_slot_is_made_up_for_at_once() -> None:
    """Nothing was learnt by it."""
    breakers = opened()
    breakers.called("main", NOON, answered=True)
    probe = attempt()
    breakers.claimed("main", [probe])
    assert breakers.room("main", 9) == 0
    breakers.tell(probe, NotSent(), NOON)
    assert breakers.room("main", 9) == 1


@pytest.mark.parametrize("back", [timedelta(seconds=2), timedelta(hours=1)])
def test_a_clock_that_is_set_back_keeps_it_open_no_longer(back: timedelta) -> None:
    """LINE is called again at once, and not when the clock is where it was."""
    breakers = opened()
    breakers.called("main", NOON, answered=False)
    assert breakers.to_call(NOON) == []
    assert breakers.to_call(NOON - back) == ["main"]


def test_an_opening_and_a_closing_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line each, whatever comes between them."""
    caplog.set_level("INFO")
    line = Line()
    for step in range(400):
        line.step(NOON + step * POLL, calls=True, messages=step >= 300)
    told = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert told == ["LINE does not answer account main (LINE 500)", "LINE answers account main again"]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=120))
def test_while_it_is_open_one_message_at_a_time_goes_out(answers: list[tuple[bool, bool]]) -> None:
    """Whatever LINE answers to calls and messages: at most one each step, and none unless the call was answered."""
    line = Line()
    for step, (calls, messages) in enumerate(answers):
        closed = line.breakers.is_closed("main")
        sent = line.step(NOON + step * POLL, calls=calls, messages=messages)
        assert sent <= (3 if closed else 1)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_messages_flow_within_five_seconds_of_lines_return(answers: list[tuple[bool, bool]]) -> None:
    """However it came and went before. The call's own two seconds are for the real line (fault test 10)."""
    line, now = Line(), NOON
    for calls, messages in answers:
        line.step(now, calls=calls, messages=messages)
        now += POLL
    back = now
    while not line.breakers.is_closed("main"):
        line.step(now, calls=True, messages=True)
        now += POLL
    assert now - back <= timedelta(seconds=3)


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_one_failure_in_ten_at_even_distances_never_opens_it(start: int, failing: int) -> None:
    """LINE that loses a tenth of its answers is there (fault test 9)."""
    breaker = Breaker()
    for index in range(start % 10, 1000):
        breaker = breaker.asked(NOON, NOON, answered=index % 10 != failing)
    assert breaker.is_closed


def test_the_readme_draws_this_table() -> None:
    """The diagram has exactly the transitions of the table."""
    _, _, text = README.read_text(encoding="utf-8").partition("## While LINE does not answer")
    text, _, _ = text.partition("\n## ")
    drawn = re.findall(r"^\s+(\w+) --> (\w+): (.+)$", text, re.MULTILINE)
    assert {(BreakerState(before), BreakerEvent(event), BreakerState(after)) for before, after, event in drawn} == {
        (before, event, after) for (before, event), after in TRANSITIONS.items()
    }


def test_the_table_leads_from_everywhere_to_everywhere() -> None:
    """No state is a trap, and each event happens."""
    assert {event for _, event in TRANSITIONS} == set(BreakerEvent)
    for start in BreakerState:
        reached = {start}
        for _ in BreakerState:
            reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
        assert reached == set(BreakerState)
