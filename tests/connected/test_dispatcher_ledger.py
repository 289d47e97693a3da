"""The dispatcher on a real PostgreSQL and a LINE in memory: each message once, or the reason why not."""

import json
from collections import deque
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tests.support.deliveries import NOON, message_named, record, request, template, user_named
from tests.support.dispatching import Bench
from todoke_dispatcher.adapters import deliveries
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.delivery import Event, State
from todoke_dispatcher.domain.verdict import HAD_IT, Accepted, Answer
from todoke_dispatcher.sending import Result
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.ids import retry_key
from todoke_shared.postgres.pool import open_pool

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"
ONE = message_named("one")


async def test_a_request_becomes_one_message_and_one_outcome(bench: Bench) -> None:
    """However often its record comes again, and however many records carry it."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    records = await bench.take(dispatcher, request())
    assert await dispatcher.send_some() == 1
    await dispatcher.take_requests("marketing")(records)
    await bench.take(dispatcher, request(), request())
    await bench.take(dispatcher, request(), lane="transactional")
    assert await dispatcher.send_some() == 0
    [push] = line.accepted
    assert json.loads(push.body) == {
        "to": user_named("one"),
        "messages": [{"type": "text", "text": "こんにちは、oneさん"}],
    }
    [told] = await bench.outcomes()
    assert (told.message, told.state, told.line_request_id) == (ONE, "accepted", push.request_id)


async def test_a_record_that_is_no_request_becomes_a_dead_letter(bench: Bench) -> None:
    """In the same transaction as its position, and the requests around it go out."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    batch = [record(b"{", 0), record(request(), 1), record(b'{"a":"\\u0000"}', 2)]
    await dispatcher.take_requests("marketing")(batch)
    await dispatcher.take_requests("marketing")(batch)
    assert await dispatcher.send_some() == 1
    letters = await bench.pool.fetch("SELECT value FROM outbox WHERE topic = 'message.requests.marketing.v1.dlq'")
    assert [letter["value"] for letter in letters] == [b"{", b'{"a":"\\u0000"}']


async def test_a_template_is_rendered_from_its_published_version(bench: Bench) -> None:
    """Also by a dispatcher that has just started and knows no campaign yet."""
    pool = await open_pool(bench.dsn, application="test", schema="scheduler")
    await publish(pool, [load_campaign(CAMPAIGNS / "cart-abandonment.yaml")])
    await pool.close()
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    cart = {"cart": [{"name": "やかん"}]}
    await bench.take(dispatcher, request(template=template(cart)), request("two", template=template({})))
    await bench.take(dispatcher, request("three", template=template(cart, version=7)))
    assert await dispatcher.send_some() == 3
    [push] = line.accepted
    assert "・やかん" in json.loads(push.body)["messages"][0]["text"]
    missing = await bench.row(message_named("two"))
    assert (missing["state"], missing["reason"]) == ("failed", "render: messages[0].text: 'cart' is undefined")
    unpublished = await bench.row(message_named("three"))
    assert unpublished["reason"] == "render: version 7 of campaign cart-abandonment was never published"


async def test_a_person_who_blocked_the_account_gets_nothing(bench: Bench) -> None:
    """A friend and a stranger do; whoever is known not to be a friend does not."""
    await bench.pool.executemany(
        "INSERT INTO segmenter.friend_status VALUES ('main', $1, 'main', gen_random_uuid(), $2, now())",
        [(user_named("friend"), True), (user_named("gone"), False)],
    )
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request("friend"), request("gone"), request("stranger"))
    assert await dispatcher.send_some() == 3
    assert {json.loads(push.body)["to"] for push in line.accepted} == {user_named("friend"), user_named("stranger")}
    told = {each.message: (each.state, each.reason) for each in await bench.outcomes()}
    assert told[message_named("gone")] == ("dropped", "blocked")


async def test_an_expired_message_is_dropped(bench: Bench) -> None:
    """It is told as dropped, and LINE hears nothing of it."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request(expires_at=NOON + timedelta(minutes=5)))
    bench.clock.move_to(NOON + timedelta(minutes=6))
    assert await dispatcher.send_some() == 1
    assert line.requests == []
    [told] = await bench.outcomes()
    assert (told.state, told.reason) == ("dropped", "expired")


async def test_key_and_body_are_stored_before_line_is_asked(bench: Bench) -> None:
    """What goes over the wire is already committed when it goes."""
    seen = []

    class WatchedLine(MemoryLine):
        async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
            row = await bench.row(ONE)
            seen.append((row["state"], row["retry_key"], row["body"]) == ("attempting", retry_key, body))
            return await super().push(account, retry_key, body)

    dispatcher = bench.dispatcher(WatchedLine())
    await bench.take(dispatcher, request())
    assert await dispatcher.send_some() == 1
    assert seen == [True]


async def test_a_dead_dispatchers_messages_go_out_with_the_same_key_and_body(bench: Bench) -> None:
    """It died between claim and record; whether LINE had the message or not, it is accepted exactly once."""
    line = MemoryLine()
    dead = bench.dispatcher(line)
    await bench.take(dead, request(), request("two"))
    claimed = await dead.claim(10)
    await dead.send(claimed.attempts[0])
    other = bench.dispatcher(line)
    bench.clock.move_to(NOON + timedelta(seconds=14))
    assert await other.send_some() == 0, "the lease is not over"
    bench.clock.move_to(NOON + timedelta(seconds=15))
    assert await other.send_some() == 2
    assert len(line.requests) == 3
    assert len(line.accepted) == 2
    assert len(set(line.requests)) == 2
    assert await bench.states() == {"accepted": 2}
    assert await bench.reserved() == 2


async def test_a_lost_answer_ends_as_409_and_counts_once(bench: Bench) -> None:
    """LINE accepted, the connection broke: the retry learns the first request's id."""
    line = MemoryLine(faults=deque(["reset_after_accept"]))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    assert await dispatcher.send_some() == 0
    row = await bench.row(ONE)
    assert (row["state"], row["ambiguous"], row["reason"]) == ("attempting", True, "no answer: ConnectionResetError")
    bench.clock.move_to(row["next_attempt_at"])
    assert await dispatcher.send_some() == 1
    [push] = line.accepted
    assert len(set(line.requests)) == 1
    row = await bench.row(ONE)
    assert (row["state"], row["reason"], row["line_request_id"]) == ("accepted", HAD_IT, push.request_id)
    assert await bench.reserved() == 1


async def test_after_23_hours_nothing_is_sent_and_all_is_unknown(bench: Bench) -> None:
    """Attempts without an answer, and 25 hours later: LINE would take their keys as new messages (fault test 13)."""
    line = MemoryLine(faults=deque(["server_error", "reset_after_accept"]))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request(), request("two"), request("three"))
    await dispatcher.send_some()
    await bench.take(dispatcher, request("four"))
    await dispatcher.claim(10)  # and dies
    before = len(line.requests)
    bench.clock.move_to(NOON + timedelta(hours=25))
    await dispatcher.send_some()
    assert len(line.requests) == before
    assert await bench.states() == {"accepted": 1, "unknown": 3}
    bench.clock.move_to(NOON + timedelta(days=40))
    assert await dispatcher.send_some() == 0
    assert len(line.requests) == before


async def test_only_an_operator_sends_an_unknown_message_again(bench: Bench) -> None:
    """In a new epoch, with a new key and a place in the month of its own."""
    line = MemoryLine(faults=deque(["server_error"]))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    await dispatcher.send_some()
    bench.clock.move_to(NOON + timedelta(hours=25))
    await dispatcher.send_some()
    async with bench.pool.acquire() as connection:
        assert await deliveries.resend(connection, [ONE, message_named("nobody")], bench.clock.wall()) == {ONE}
    assert await dispatcher.send_some() == 1
    [push] = line.accepted
    assert push.retry_key == retry_key(ONE, 1)
    assert await bench.reserved() == 2


async def test_400_is_failed_and_costs_nothing(bench: Bench) -> None:
    """LINE refuses an empty text: never again, and its place in the month is free."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request(text=""))
    assert await dispatcher.send_some() == 1
    bench.clock.move_to(NOON + timedelta(days=2))
    assert await dispatcher.send_some() == 0
    assert len(line.requests) == 1
    [told] = await bench.outcomes()
    assert told.state == "failed"
    assert await bench.reserved() == 0


async def test_a_dispatcher_that_slept_changes_nothing_but_an_acceptance(bench: Bench) -> None:
    """It wakes after its lease with news of an old attempt: the newer claim stands, an acceptance is the truth."""
    lost, line = MemoryLine(faults=deque(["rate"])), MemoryLine(faults=deque(["reset"]))
    sleeper, other = bench.dispatcher(lost), bench.dispatcher(line)
    await bench.take(sleeper, request())
    [attempt] = (await sleeper.claim(1)).attempts
    slept = await sleeper.send(attempt)
    bench.clock.move_to(NOON + timedelta(seconds=15))
    await other.send_some()
    before = await bench.row(ONE)
    await sleeper.record([slept])
    assert await bench.row(ONE) == before
    assert await sleeper.record([Result(attempt, Accepted("id-1"))]) == 1
    assert (await bench.row(ONE))["state"] == "accepted"
    assert await sleeper.record([slept]) == 0
    assert await bench.states() == {"accepted": 1}


async def test_the_databases_states_are_the_tables(bench: Bench) -> None:
    """The ledger's own check names exactly the states that the program knows."""
    check = await bench.pool.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'deliveries_state_check'"
    )
    assert {state for state in State if f"'{state}'" in check} == set(State)
    assert not [event for event in Event if f"'{event}'" in check]
