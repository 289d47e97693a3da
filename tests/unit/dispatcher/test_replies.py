"""A reply's rules: whose token is spent on what, what rides, and that nothing unclear is ever let go again."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import todoke_dispatcher
from tests.support.deliveries import NOON, delivery, message_named, request, user_named
from todoke_dispatcher.domain.delivery import TRANSITIONS, Delivery, Event, State, TransitionError
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.rendering import MAX_BODY_BYTES, push_body
from todoke_dispatcher.domain.reply import (
    IDLE,
    LAST_REDELIVERY,
    MARGIN,
    REPLY_TRANSITIONS,
    RIDERS_FOLLOW,
    TOKEN_LIFE,
    Reply,
    ReplyState,
    Token,
    Waiting,
    choose,
    conclude_reply,
    form_reply,
    judge_reply,
    lost,
    may_ride,
    reply_body,
    rider_state,
    usable_until,
)
from todoke_dispatcher.domain.verdict import (
    Accepted,
    Answer,
    ChannelStopped,
    MonthlyLimit,
    NotSent,
    Refused,
    TooFast,
    Unclear,
    Verdict,
)
from todoke_dispatcher.reading_tokens import read_tokens
from todoke_dispatcher.replying import ReplyAttempt
from todoke_shared.ids import reply_id
from todoke_shared.jsons import dumps, loads
from todoke_shared.kafka.records import Record

HANA = user_named("hana")
README = Path(todoke_dispatcher.__file__).parents[1] / "README.md"


def token(name: str = "event", *, at: datetime = NOON, user: str = HANA, uses: int = 0) -> Token:
    """A token that came at `at`."""
    return Token(message_named(name), "main", user, f"secret-{name}", at, at + TOKEN_LIFE - MARGIN, uses)


def rider(name: str, *messages: object, **fields: object) -> tuple[Delivery, bytes]:
    """A delivery that waits, with the body of its push."""
    return delivery(name, **fields), push_body(HANA, messages or [text(name)])  # type: ignore[arg-type]


def text(words: str) -> dict[str, object]:
    """A text message."""
    return {"type": "text", "text": words}


def asking(words: str) -> dict[str, object]:
    """A text with a button to tap."""
    return {**text(words), "quickReply": {"items": [{"type": "action"}]}}


def texts(reply: Reply | None) -> list[str]:
    """What a reply says, in order."""
    return [each["text"] for each in loads(reply.body)["messages"]] if reply else []


SENT = Reply(message_named("reply"), "main", message_named("event"), (message_named("one"),), b'{"messages":[]}')


def test_a_token_is_used_ten_seconds_before_its_minute_is_over() -> None:
    """The minute counts from its webhook, also from a later redelivery, but not beyond 20 minutes after the event."""
    assert usable_until(received_at=NOON, occurred_at=NOON, redelivered=False) == NOON + timedelta(seconds=50)
    late = NOON + timedelta(minutes=5)
    assert usable_until(received_at=late, occurred_at=NOON, redelivered=True) == late + timedelta(seconds=50)
    latest = NOON + LAST_REDELIVERY - timedelta(seconds=20)
    assert usable_until(received_at=latest, occurred_at=NOON, redelivered=True) == NOON + LAST_REDELIVERY - MARGIN


@pytest.mark.parametrize(
    ("waiting", "seconds", "spent"),
    [
        (Waiting(HANA, "transactional", NOON - timedelta(days=1)), 0.0, True),
        (Waiting(HANA, "marketing", NOON + timedelta(milliseconds=80)), 0.1, True),
        (Waiting(HANA, "marketing", NOON - timedelta(seconds=1)), 0.1, False),
        (Waiting(HANA, "marketing", NOON - timedelta(seconds=1)), IDLE.total_seconds(), True),
        (Waiting(user_named("ken"), "transactional", NOON), 0.1, False),
    ],
)
def test_a_fresh_token_is_kept_for_the_answer_to_its_event(waiting: Waiting, seconds: float, spent: bool) -> None:
    """What the customer waits for, and what came after the event, may be its answer; older marketing lets 20 s pass."""
    chosen = choose([token()], [waiting], NOON + timedelta(seconds=seconds))
    assert chosen == ([token()] if spent else [])


def test_of_several_tokens_the_one_that_ends_first_is_spent() -> None:
    """One for each person, however much waits for them: the others are there for what comes later."""
    tokens = [token("second", at=NOON + timedelta(seconds=5)), token("first"), token("kens", user=user_named("ken"))]
    waiting = [Waiting(HANA, "transactional", NOON), Waiting(HANA, "transactional", NOON)]
    assert choose(tokens, waiting, NOON) == [token("first")]


def test_only_what_waits_free_of_the_month_and_of_line_rides() -> None:
    """What LINE may have is told by its own key; what holds a place in the month would have to give it back."""
    assert may_ride(delivery())
    assert may_ride(delivery(state=State.HELD))
    assert not may_ride(delivery(ambiguous=True))
    assert not may_ride(delivery(state=State.ATTEMPTING))
    assert not may_ride(delivery(quota_month=month_of(NOON)))
    assert not may_ride(delivery(request=request(messages=None, rich_menu="member")))


def test_a_held_message_rides_by_being_released_first() -> None:
    """What the ledger does in one statement are two steps of the table."""
    assert TRANSITIONS[TRANSITIONS[State.HELD, Event.RELEASE], Event.ATTEMPT] is State.ATTEMPTING


def test_up_to_five_objects_ride_as_whole_messages_in_the_order_of_their_urgency() -> None:
    """One that does not fit any more is left, and a smaller one behind it still finds its place."""
    reply = form_reply(
        token(uses=2),
        [
            rider("answer", text("a1"), text("a2")),
            rider("four", *(text(f"b{number}") for number in range(4))),
            rider("three", text("c1"), text("c2"), text("c3")),
            rider("none left"),
        ],
    )
    assert texts(reply) == ["a1", "a2", "c1", "c2", "c3"]
    assert reply is not None
    assert reply.members == (message_named("answer"), message_named("three"))
    assert reply.id == reply_id(message_named("event"), 3)


def test_what_has_buttons_goes_last_and_alone_of_its_kind() -> None:
    """LINE shows quick replies under the last object only: the more urgent question is asked, the other one waits."""
    reply = form_reply(token(), [rider("asks", asking("a")), rider("news"), rider("asks too", asking("b"))])
    assert texts(reply) == ["news", "a"]


def test_a_reply_is_no_larger_than_line_takes() -> None:
    """Two that would be larger together do not ride together."""
    large = "x" * (MAX_BODY_BYTES // 2)
    assert len(form_reply(token(), [rider("one", text(large)), rider("two", text(large))]).members) == 1  # type: ignore[union-attr]


def test_nobody_who_fits_is_no_reply() -> None:
    """A token is not spent on nothing."""
    assert form_reply(token(), []) is None


def test_what_only_a_push_may_say_does_not_go_into_a_reply() -> None:
    """LINE refuses a reply with anything beside token and messages."""
    units = dumps({"to": HANA, "messages": [text("a")], "customAggregationUnits": ["news"]})
    reply = form_reply(token(), [(delivery(), units)])
    assert reply is not None
    assert loads(reply_body("t", reply.body)) == {"replyToken": "t", "messages": [text("a")]}


@pytest.mark.parametrize(
    ("verdict", "state", "rider_is", "attempts"),
    [
        (Accepted("id-1"), ReplyState.ACCEPTED, State.ACCEPTED, 1),
        (Refused("LINE 400: Invalid reply token"), ReplyState.REFUSED, State.WAITING, 1),
        (ChannelStopped("LINE 401"), ReplyState.DISSOLVED, State.WAITING, 1),
        (TooFast(), ReplyState.DISSOLVED, State.WAITING, 1),
        (NotSent(), ReplyState.DISSOLVED, State.WAITING, 0),
        (Unclear("no answer: TimeoutError"), ReplyState.UNKNOWN, State.UNKNOWN, 1),
    ],
)
def test_what_line_may_have_is_never_pushed(
    verdict: Verdict, state: ReplyState, rider_is: State, attempts: int
) -> None:
    """Its messages wait again only where LINE has clearly not taken them; unclear is unknown, with a reason."""
    after = conclude_reply(SENT, verdict)
    assert (after.state, rider_state(after.state), after.attempts) == (state, rider_is, attempts)
    assert after.line_request_id == ("id-1" if state is ReplyState.ACCEPTED else None)
    if state is ReplyState.UNKNOWN:
        assert after.reason == (
            "LINE may have it (no answer: TimeoutError), and a reply is never repeated: an operator decides"
        )


def test_of_whom_nobody_tells_is_unknown() -> None:
    """Its dispatcher died, perhaps before it asked, perhaps after LINE had it."""
    assert lost(SENT).state is ReplyState.UNKNOWN
    assert "its dispatcher ended first" in str(lost(SENT).reason)


@pytest.mark.parametrize("state", [state for state in ReplyState if state is not ReplyState.ATTEMPTING])
def test_a_reply_is_attempted_once(state: ReplyState) -> None:
    """No event leads out of its end, and none leads back to an attempt."""
    assert not any(before is state for before, _ in REPLY_TRANSITIONS)
    assert ReplyState.ATTEMPTING not in REPLY_TRANSITIONS.values()
    with pytest.raises(TransitionError):
        conclude_reply(replace(SENT, state=state), Accepted("id-1"))


def test_whoever_ends_takes_its_messages_along_by_the_deliveries_own_table() -> None:
    """Each end of a reply is an event that the table allows to a delivery under way."""
    assert RIDERS_FOLLOW.keys() == set(ReplyState) - {ReplyState.ATTEMPTING}
    assert all((State.ATTEMPTING, event) in TRANSITIONS for event in RIDERS_FOLLOW.values())


def test_the_readme_draws_what_becomes_of_a_reply() -> None:
    """The diagram is the table."""
    drawn = re.findall(
        r"^    attempting --> (\w+): ([\w ]+)$", README.read_text().partition("## Free replies")[2], re.M
    )
    assert {(ReplyState.ATTEMPTING, Event(event)): ReplyState(after) for after, event in drawn} == REPLY_TRANSITIONS


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(409, b"{}", "id", "id-1"), Unclear("LINE 409")),
        (Answer(429, dumps({"message": "You have reached your monthly limit."}), "id"), TooFast()),
        (Answer(200, b"{}", "id-1"), Accepted("id-1")),
        (Answer(200, b"<html>", "id-1"), Unclear("LINE 200 without LINE's own answer")),
        (Answer(404, b"{}", "id"), Unclear("LINE 404")),
        (Answer(401, b"{}", "id"), ChannelStopped("LINE 401: no reason given")),
    ],
)
def test_an_answer_to_a_reply_is_read_without_a_key_or_a_month(answer: Answer, verdict: Verdict) -> None:
    """There is no key that 409 could be about, and nothing of the month that could be used up by it."""
    assert judge_reply(answer) == verdict
    assert not isinstance(verdict, MonthlyLimit)


def test_no_repr_shows_a_token() -> None:
    """Tokens are secrets, and what is printed lands in a log one day."""
    attempt = ReplyAttempt(SENT, token().token, NOON)
    assert "secret-event" not in repr(attempt) + repr(token())
    assert loads(attempt.body)["replyToken"] == "secret-event"


def event(fields: Mapping[str, object] | None = None, *, received_at: datetime = NOON, account: str = "main") -> Record:
    """A record of LINE's events: Hana writes."""
    raw = {
        "type": "message",
        "mode": "active",
        "timestamp": 1,
        "source": {"type": "user", "userId": HANA},
        "webhookEventId": "01HK",
        "deliveryContext": {"isRedelivery": False},
        "replyToken": "secret-event",
        "message": {"type": "text", "text": "営業時間は？"},
        **(fields or {}),
    }
    value = {
        "account": account,
        "webhook_event_id": "01HK",
        "received_at": received_at,
        "occurred_at": NOON,
        "event": {name: field for name, field in raw.items() if field is not None},
    }
    return Record("line.events.v1", 0, 0, b"key", dumps(value))


def test_an_events_token_is_kept_with_whom_it_reaches() -> None:
    """Once, though the event comes twice; a redelivery may be used longer."""
    later = event({"deliveryContext": {"isRedelivery": True}}, received_at=NOON + timedelta(seconds=10))
    [found] = read_tokens([event(), later, event()], {"main"}, NOON)
    assert (found.account, found.user, found.token) == ("main", HANA, "secret-event")
    assert found.usable_until == NOON + timedelta(seconds=60)


@pytest.mark.parametrize(
    "record",
    [
        event({"mode": "standby"}),
        event({"mode": None}),
        event({"source": {"type": "group", "groupId": "C1", "userId": HANA}}),
        event({"source": {"type": "user"}}),
        event({"replyToken": None}),
        event({"replyToken": 7}),
        event({"replyToken": ""}),
        event({"replyToken": "x" * 256}),
        event(account="stranger"),
        event(received_at=NOON - timedelta(seconds=50)),
        Record("line.events.v1", 0, 0, b"key", b"not JSON"),
        Record("line.events.v1", 0, 0, b"key", None),
    ],
)
def test_what_must_not_be_answered_brings_no_token(record: Record) -> None:
    """Another tool speaks, a group would read it, it is over, not ours, or no event at all."""
    assert read_tokens([record], {"main"}, NOON) == []
