"""What may leave, and what waits: a channel that stands still, the month, lanes and accounts, time slots."""

import asyncio
import json
from collections import Counter, deque
from datetime import datetime, timedelta

import pytest

from tests.support.deliveries import NOON, message_named, request, user_named
from tests.support.dispatching import Bench
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.quota import day_of, month_of
from todoke_dispatcher.domain.rate import SLOT_LIFE
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.pool import open_pool

ONE = message_named("one")


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
