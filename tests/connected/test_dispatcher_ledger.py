"""The dispatcher on a real PostgreSQL and a LINE in memory: each message once, or the reason why not."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.deliveries import NOON, message_named, record, request, template, user_named
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.delivery import Event, State
from todoke_dispatcher.domain.quota import day_of, month_of
from todoke_dispatcher.domain.rate import SLOT_LIFE
from todoke_dispatcher.domain.verdict import HAD_IT, Accepted, Answer
from todoke_dispatcher.sending import Result
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.requests import Lane
from todoke_shared.ids import retry_key
from todoke_shared.postgres.pool import open_pool

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"
ONE = message_named("one")


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A ledger of this test's own."""
    async with open_bench(postgres_dsn) as bench:
        yield bench


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


async def test_a_refused_token_stops_the_channel_until_an_operator_resumes_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """What is claimed meets the refusal, the rest is held without asking LINE; nothing is lost."""
    line = MemoryLine(accounts=frozenset())
    dispatcher = bench.dispatcher(line, max_in_flight=2)
    await bench.take(dispatcher, *(request(f"m{index}") for index in range(6)))
    while await dispatcher.send_some():
        pass
    assert len(line.requests) == 2
    told = [record.getMessage() for record in caplog.records if "refuses" in record.getMessage()]
    assert [line.partition(";")[0] for line in told] == ["LINE refuses account main's access token (401)"]
    assert await bench.states() == {"held": 6}
    assert await bench.reserved() == 0
    line.accounts = frozenset({"main"})
    assert await dispatcher.send_some() == 0
    async with bench.pool.acquire() as connection:
        await channels.resume(connection, "main")
    while await dispatcher.send_some():
        pass
    assert await bench.states() == {"accepted": 6}
    assert len(line.accepted) == 6


async def test_a_held_message_that_expires_is_dropped(bench: Bench) -> None:
    """Its channel stands still, and its time passes: it is told so, and not sent late."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, monthly_limit=0)
    await bench.take(dispatcher, request(expires_at=NOON + timedelta(hours=1)), request("two"))
    assert await dispatcher.send_some() == 2
    bench.clock.move_to(NOON + timedelta(hours=2))
    assert await dispatcher.send_some() == 1
    assert await bench.states() == {"dropped": 1, "held": 1}


async def test_lines_monthly_limit_parks_marketing_until_the_month_turns(bench: Bench) -> None:
    """The transactional lane is still tried; in Tokyo's new month the held messages go out by themselves."""
    line = MemoryLine(faults=deque(["monthly"]))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    await dispatcher.send_some()
    await bench.take(dispatcher, request("two"), request("three"))
    await bench.take(dispatcher, request("order"), lane="transactional")
    while await dispatcher.send_some():
        pass
    assert await bench.states() == {"held": 3, "accepted": 1}
    assert len(line.requests) == 2
    bench.clock.move_to(datetime.fromisoformat("2026-12-01T00:00:00+09:00"))
    while await dispatcher.send_some():
        pass
    assert await bench.states() == {"accepted": 4}
    held = [each.message for each in await bench.outcomes() if each.state == "held"]
    assert Counter(held) == Counter(message_named(name) for name in ("one", "two", "three"))


async def test_a_rate_429_pauses_the_whole_channel_for_a_second(bench: Bench) -> None:
    """No dispatcher claims in that time, and the refused message goes out after it with its key."""
    line = MemoryLine(faults=deque(["rate"]))
    dispatcher, other = bench.dispatcher(line), bench.dispatcher(line)
    await bench.take(dispatcher, request())
    assert await dispatcher.send_some() == 0
    await bench.take(dispatcher, request("two"))
    bench.clock.move_to(NOON + timedelta(milliseconds=999))
    assert await other.send_some() == 0
    assert len(line.requests) == 1
    bench.clock.move_to(NOON + timedelta(seconds=1))
    assert await other.send_some() == 2
    assert len(line.accepted) == 2


async def test_the_transactional_lane_overtakes_marketing(bench: Bench) -> None:
    """A shipping notice that comes last goes first."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, max_in_flight=2)
    await bench.take(dispatcher, *(request(f"m{index}") for index in range(4)))
    await bench.take(dispatcher, request("order"), lane="transactional")
    await dispatcher.send_some()
    assert user_named("order") in {json.loads(push.body)["to"] for push in line.accepted}


async def test_one_accounts_backlog_does_not_stop_another(bench: Bench) -> None:
    """Room is shared among the accounts that have something due."""
    line = MemoryLine(accounts=frozenset({"main", "second"}))
    dispatcher = bench.dispatcher(line, accounts=("main", "second"), max_in_flight=4)
    await bench.take(dispatcher, *(request(f"m{index}") for index in range(8)))
    await bench.take(dispatcher, request("other", account="second"))
    await dispatcher.send_some()
    assert "second" in {push.account for push in line.accepted}


async def test_three_dispatchers_send_exactly_the_monthly_limit(postgres_dsn: str, bench: Bench) -> None:
    """Quota 50, demand 200: 50 accepted, 150 held, LINE is never asked for more, and the ledger counts the same."""
    line = MemoryLine(quota=50)
    pools = [await open_pool(postgres_dsn, application=f"d{index}", schema="dispatcher") for index in range(3)]
    fleet = [
        Bench(postgres_dsn, pool, bench.clock).dispatcher(
            line, monthly_limit=50, transactional_reserve=0, max_in_flight=7
        )
        for pool in pools
    ]
    await bench.take(fleet[0], *(request(f"m{index}") for index in range(200)))
    for _ in range(40):
        await asyncio.gather(*(dispatcher.send_some() for dispatcher in fleet))
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
    for pool in pools:
        await pool.close()
    assert await bench.states() == {"accepted": 50, "held": 150}
    assert (len(line.accepted), len(line.requests)) == (50, 50)
    assert await bench.reserved() == 50


async def test_a_reservation_beyond_the_limit_is_refused_by_the_database(bench: Bench) -> None:
    """The last line of defence, whatever a dispatcher believes: nothing is counted, the claim rolls back."""
    month = month_of(NOON)
    async with bench.pool.acquire() as connection:
        await channels.lock_quota(connection, "main", month, 2, 0)
        await channels.reserve(connection, "main", day_of(NOON), Counter({("marketing", None): 1}), 2)
        with pytest.raises(channels.QuotaExceededError):
            both = Counter[tuple[Lane, str | None]]({("marketing", None): 1, ("transactional", None): 1})
            await channels.reserve(connection, "main", day_of(NOON), both, 2)
    assert await bench.reserved() == 1


async def test_a_raised_limit_lets_held_messages_go(bench: Bench) -> None:
    """Just as many as there is room for, the oldest first."""
    line = MemoryLine()
    await bench.take(bench.dispatcher(line), request())
    bench.clock.move_to(NOON + timedelta(seconds=1))
    small = bench.dispatcher(line, monthly_limit=0)
    await bench.take(small, request("two"))
    assert await small.send_some() == 2
    bigger = bench.dispatcher(line, monthly_limit=1, transactional_reserve=0)
    assert await bigger.send_some() == 1
    assert [json.loads(push.body)["to"] for push in line.accepted] == [user_named("one")]
    assert await bench.states() == {"accepted": 1, "held": 1}


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


async def test_a_slot_that_has_passed_is_not_used(bench: Bench) -> None:
    """A process that stalled gives its slots up instead of sending into another second, and takes new ones."""

    class StallingClock(FakeClock):
        async def sleep_until_wall(self, instant: datetime) -> None:
            self.move_to(max(self.wall(), instant + SLOT_LIFE + timedelta(milliseconds=1)))

    line = MemoryLine()
    stalling = bench.dispatcher(line, clock=StallingClock(NOON))
    await bench.take(stalling, request())
    assert await stalling.send_some() == 0
    assert line.requests == []
    row = await bench.row(ONE)
    assert (row["state"], row["attempts"], row["ambiguous"]) == ("attempting", 0, False)
    bench.clock.move_to(NOON + timedelta(seconds=1))
    assert await bench.dispatcher(line).send_some() == 1
    assert line.accepted[0].retry_key == row["retry_key"]


async def test_what_has_no_slot_yet_waits_untouched(bench: Bench) -> None:
    """At 20 a second, 5 begin within 250 ms; the others are neither stored nor counted."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, push_rate=20)
    await bench.take(dispatcher, *(request(f"m{index}") for index in range(10)))
    assert await dispatcher.send_some() == 5
    assert await bench.states() == {"accepted": 5, "waiting": 5}
    assert await bench.reserved() == 5


async def test_the_databases_states_are_the_tables(bench: Bench) -> None:
    """The ledger's own check names exactly the states that the program knows."""
    check = await bench.pool.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'deliveries_state_check'"
    )
    assert {state for state in State if f"'{state}'" in check} == set(State)
    assert not [event for event in Event if f"'{event}'" in check]
