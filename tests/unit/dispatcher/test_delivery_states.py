"""The ledger's state machine: whatever happens in whatever order, no message goes out twice."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import todoke_dispatcher
from tests.support.deliveries import NOON, delivery
from todoke_dispatcher.domain.conclude import conclude
from todoke_dispatcher.domain.decide import Channel, must_stand, worth_sending
from todoke_dispatcher.domain.delivery import (
    BY_OPERATOR,
    FINAL,
    KEY_LIFE,
    TRANSITIONS,
    Delivery,
    Event,
    State,
    TransitionError,
    begin_attempt,
    release,
    resend,
)
from todoke_dispatcher.domain.quota import QuotaBook, month_of
from todoke_dispatcher.domain.settling import EVENTS, Decision, decide
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

LEASE = timedelta(seconds=15)
LINE_KEEPS_KEYS = timedelta(hours=24)
README = Path(todoke_dispatcher.__file__).parents[1] / "README.md"


def attempt(claimed: Delivery, body: bytes = b"{}") -> Delivery:
    """The delivery as it goes out at noon."""
    return begin_attempt(claimed, body, wall=NOON, lease=LEASE, month=month_of(NOON))


def test_accepted_failed_and_dropped_are_final() -> None:
    """No event leads out of them."""
    assert {State.ACCEPTED, State.FAILED, State.DROPPED} == FINAL
    for state in FINAL:
        for event in Event:
            with pytest.raises(TransitionError):
                delivery(state=state).apply(event)


def test_only_an_operator_leads_out_of_unknown() -> None:
    """Without the operator's events, an unknown message reaches no other state, and so no attempt."""
    ways = {event for state, event in TRANSITIONS if state is State.UNKNOWN}
    assert ways
    assert ways <= BY_OPERATOR


def test_each_decision_leads_where_the_table_says() -> None:
    """All of the operator's events, and each of them once; of a message that is not unknown none can be decided."""
    assert set(EVENTS.values()) == BY_OPERATOR
    for decision, event in EVENTS.items():
        unknown = replace(attempt(delivery()), state=State.UNKNOWN)
        decided = decide(unknown, decision, by="sato", reason="asked", wall=NOON)
        assert decided.state is TRANSITIONS[State.UNKNOWN, event]
        with pytest.raises(TransitionError):
            decide(attempt(delivery()), decision, by="sato", reason="asked", wall=NOON)


def test_an_operators_resend_is_a_new_message_to_line() -> None:
    """It gets a new key in a new epoch; nothing else changes the key."""
    sent = attempt(delivery())
    again = attempt(resend(replace(sent, state=State.UNKNOWN), NOON))
    assert again.epoch == sent.epoch + 1
    assert again.retry_key != sent.retry_key


def test_a_message_that_may_be_out_is_neither_dropped_nor_held() -> None:
    """The table would allow it to an attempting delivery; that LINE may have it forbids it."""
    sent = attempt(delivery())
    for event in (Event.DROP, Event.HOLD):
        with pytest.raises(TransitionError):
            sent.apply(event)
        assert replace(sent, ambiguous=False).apply(event) is not State.ATTEMPTING


def test_the_readme_draws_this_table() -> None:
    """The diagram has exactly the transitions of the table."""
    text, _, _ = README.read_text(encoding="utf-8").partition("## Multicasts")
    drawn = re.findall(r"^\s+(\w+) --> (\w+): (.+)$", text, re.MULTILINE)
    assert {(State(before), Event(event), State(after)) for before, after, event in drawn} == {
        (before, event, after) for (before, event), after in TRANSITIONS.items()
    }


class DeliveryLife(RuleBasedStateMachine):
    """One delivery, LINE with its retry keys, crashes, faults and time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.ledger = delivery()
        self.claimed: Delivery | None = None
        self.taken: dict[object, list[object]] = {}
        self.bodies: dict[int, tuple[object, object]] = {}
        self.resent = 0
        self.settled = False

    @initialize(expires=st.none() | st.timedeltas(timedelta(0), timedelta(hours=40)))
    def received(self, expires: timedelta | None) -> None:
        request = self.ledger.request
        expires_at = None if expires is None else NOON + expires
        self.ledger = replace(self.ledger, request=request.model_copy(update={"expires_at": expires_at}))

    @precondition(lambda self: self.claimed is None)  # an attempt ends within its slot's life and the HTTP timeout
    @rule(step=st.sampled_from([1, 3600, 12 * 3600, 22 * 3600, 30 * 3600]))
    def time_passes(self, step: int) -> None:
        self.now += timedelta(seconds=step)

    @precondition(
        lambda self: self.claimed is None and self.ledger.state in {State.WAITING, State.ATTEMPTING}  # as lock_due
    )
    @rule(blocked=st.booleans(), stopped=st.booleans(), used=st.integers(0, 2), body=st.binary(min_size=1, max_size=3))
    def claim(self, blocked: bool, stopped: bool, used: int, body: bytes) -> None:
        due = self.ledger.next_attempt_at
        assert due is not None, "what is waiting or attempting always comes up again"
        self.now = max(self.now, due)
        ended = worth_sending(self.ledger, now=self.now, wall=self.now, has_blocked=blocked)
        if ended is None:
            book = QuotaBook(month_of(self.now), 1, marketing=used)
            channel = Channel("main", "LINE 401" if stopped else None)
            ended = must_stand(self.ledger, channel, book, wall=self.now)
        if ended is not None:
            self.ledger = ended
            return
        self.claimed = self.ledger
        month = month_of(self.now)
        self.ledger = begin_attempt(self.ledger, body, wall=self.now, lease=LEASE, month=month)
        same = self.bodies.setdefault(self.ledger.epoch, (self.ledger.retry_key, self.ledger.body))
        assert (self.ledger.retry_key, self.ledger.body) == same, "key and body stay within an epoch"

    @precondition(lambda self: self.claimed is not None)
    @rule(line_takes_it=st.booleans())
    def dispatcher_dies(self, line_takes_it: bool) -> None:
        if line_takes_it:
            self.reach_line()
        self.claimed = None

    @precondition(lambda self: self.claimed is not None)
    @rule(
        fault=st.sampled_from([None, Refused("400"), ChannelStopped("401"), MonthlyLimit(), TooFast(), NotSent()]),
        jitter=st.floats(0, 1, exclude_max=True),
    )
    def line_answers(self, fault: Verdict | None, jitter: float) -> None:
        if fault is None or (isinstance(fault, Refused) and self.key_is_known()):
            self.reach_line()  # a message that LINE has taken is answered with 409, never with 400
            fault = Accepted("request-id")
        self.conclude(fault, jitter)

    @precondition(lambda self: self.claimed is not None)
    @rule(line_takes_it=st.booleans(), jitter=st.floats(0, 1, exclude_max=True))
    def the_answer_is_lost(self, line_takes_it: bool, jitter: float) -> None:
        if line_takes_it:
            self.reach_line()
        self.conclude(Unclear("timeout"), jitter)

    @precondition(lambda self: self.ledger.state is State.HELD)
    @rule()
    def channel_opens(self) -> None:
        self.ledger = release(self.ledger, self.now)

    @precondition(lambda self: self.ledger.state is State.UNKNOWN)
    @rule(decision=st.sampled_from([Decision.RESEND, Decision.RESEND, Decision.ACCEPTED, Decision.DROP]))
    def operator_decides(self, decision: Decision) -> None:
        self.ledger = decide(self.ledger, decision, by="operator", reason="asked the person", wall=self.now)
        self.resent += decision is Decision.RESEND
        self.settled = decision is not Decision.RESEND

    def conclude(self, verdict: Verdict, jitter: float) -> None:
        assert self.claimed is not None
        self.ledger = conclude(self.claimed, self.ledger, verdict, wall=self.now, jitter=jitter)
        self.claimed = None

    def key_is_known(self) -> bool:
        taken = self.taken.get(self.ledger.retry_key, [])
        return bool(taken) and self.now - taken[-1] < LINE_KEEPS_KEYS  # type: ignore[operator]

    def reach_line(self) -> None:
        if not self.key_is_known():
            self.taken.setdefault(self.ledger.retry_key, []).append(self.now)

    @invariant()
    def each_decision_is_at_most_one_message(self) -> None:
        assert sum(len(times) for times in self.taken.values()) <= 1 + self.resent
        assert self.ledger.epoch == self.resent

    @invariant()
    def the_ledger_tells_the_truth(self) -> None:
        taken = bool(self.taken.get(self.ledger.retry_key))
        if self.settled:
            assert self.ledger.quota_month is not None, "LINE may have counted it"
            return
        if self.ledger.state is State.ACCEPTED:
            assert taken
        if self.ledger.state in {State.FAILED, State.DROPPED, State.HELD, State.WAITING}:
            assert not taken or self.ledger.retry_key is None
            assert self.ledger.quota_month is None
        if self.ledger.state in {State.ACCEPTED, State.UNKNOWN}:
            assert self.ledger.quota_month is not None, "what LINE has, or may have, stays counted"


DeliveryLife.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestDeliveryLife = DeliveryLife.TestCase


def test_an_unresolved_attempt_is_unknown_after_23_hours_and_never_sent() -> None:
    """At 23 h the key may still be alive, and is not used any more."""
    sent = attempt(delivery())
    assert worth_sending(sent, now=NOON, wall=NOON + KEY_LIFE - timedelta(seconds=1), has_blocked=True) is None
    ended = worth_sending(sent, now=NOON, wall=NOON + KEY_LIFE, has_blocked=False)
    assert ended is not None
    assert ended.state is State.UNKNOWN


def test_the_keys_life_counts_from_the_first_attempt_that_line_may_have_taken() -> None:
    """Attempts that follow do not lengthen it; one that LINE has refused does not begin it."""
    first = attempt(delivery())
    later = NOON + timedelta(hours=20)
    second = begin_attempt(first, b"", wall=later, lease=LEASE, month=month_of(later))
    assert second.first_attempt_at == NOON
    assert second.key_is_over(NOON + KEY_LIFE)
    refused = conclude(delivery(), first, TooFast(), wall=NOON, jitter=0.0)
    third = begin_attempt(refused, b"", wall=later, lease=LEASE, month=month_of(later))
    assert third.first_attempt_at == later


def test_a_message_that_line_keeps_putting_off_slows_the_others_less_and_less() -> None:
    """Each 429 rests the whole account: for one person to whom LINE sends no more, a few in ten minutes and no more."""
    put_off, asked, at = delivery(), [], NOON
    while at < NOON + timedelta(minutes=10):
        asked.append(at)
        sent = begin_attempt(put_off, b"{}", wall=at, lease=LEASE, month=month_of(at))
        put_off = conclude(put_off, sent, TooFast(), wall=at, jitter=0.0)
        assert put_off.next_attempt_at is not None
        at = put_off.next_attempt_at
    assert timedelta(seconds=1) <= asked[1] - asked[0] <= timedelta(seconds=2)
    assert len(asked) <= 12


def test_a_retry_never_waits_beyond_the_life_of_its_key() -> None:
    """It comes up at 23 h at the latest, to be listed as unknown."""
    sent = attempt(delivery())
    late = NOON + KEY_LIFE - timedelta(seconds=3)
    again = conclude(delivery(), replace(sent, attempts=30), Unclear("timeout"), wall=late, jitter=0.9)
    assert again.next_attempt_at == NOON + KEY_LIFE


def test_ten_minutes_of_errors_are_at_most_twelve_attempts() -> None:
    """Even when every jitter is the smallest (fault test 11)."""
    ledger, wall, attempts = delivery(), NOON, 0
    while wall < NOON + timedelta(minutes=10):
        sent = begin_attempt(ledger, b"{}", wall=wall, lease=LEASE, month=month_of(wall))
        ledger = conclude(ledger, sent, Unclear("LINE 500"), wall=wall, jitter=0.0)
        attempts += 1
        assert ledger.next_attempt_at is not None
        wall = ledger.next_attempt_at
    assert attempts <= 12


def test_a_slot_that_passed_unused_is_no_attempt() -> None:
    """The message keeps its key, is due at once, and its backoff does not grow."""
    claimed = delivery()
    again = conclude(claimed, attempt(claimed), NotSent(), wall=NOON, jitter=0.5)
    assert (again.state, again.attempts, again.ambiguous) == (State.ATTEMPTING, 0, False)
    assert again.next_attempt_at == NOON
    assert again.retry_key is not None
