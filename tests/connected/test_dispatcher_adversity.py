"""The dispatcher on bad days: LINE half away, a month that turns while LINE answers, producers with odd habits."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.broadcasts import campaign
from tests.support.deliveries import NOON, crowd, message_named, record, request, user_named
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.breaker import IN_A_ROW
from todoke_dispatcher.domain.verdict import MonthlyLimit
from todoke_dispatcher.replying import REST
from todoke_dispatcher.sending import Result
from todoke_shared.clock import FakeClock

DECEMBER = datetime.fromisoformat("2026-12-01T00:00:00+09:00")
SECOND = timedelta(seconds=1)


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A ledger of this test's own."""
    async with open_bench(postgres_dsn) as bench:
        yield bench


async def go_on(bench: Bench, dispatcher: Dispatcher, rounds: int = 8, step: timedelta = SECOND) -> None:
    """So many rounds, a step apart."""
    for _ in range(rounds):
        await dispatcher.send_some()
        bench.clock.move_to(bench.clock.now() + step)


async def parked(bench: Bench) -> dict[str, str]:
    """Which months LINE's own word has stopped."""
    rows = await bench.pool.fetch("SELECT month::text, parked FROM quotas WHERE parked IS NOT NULL")
    return {row["month"]: row["parked"] for row in rows}


async def test_the_message_that_finds_out_whether_line_is_back_is_no_reply(bench: Bench) -> None:
    """It may go without an answer again, and a push can be repeated: a reply would end unknown."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    line.faults.extend(["server_error"] * 100)
    await bench.take(dispatcher, *(request(f"m{number}") for number in range(IN_A_ROW)))
    await dispatcher.send_some()
    bench.clock.move_to(NOON + REST + SECOND)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"), lane="transactional")
    await go_on(bench, dispatcher)
    assert (await bench.row(message_named("hana")))["attempts"] > 0
    assert all(key is not None for key, _ in line.requests)
    line.faults.clear()
    await go_on(bench, dispatcher, rounds=30)
    assert await bench.states() == {"accepted": IN_A_ROW + 1}
    assert len(line.accepted) == IN_A_ROW + 1


@pytest.mark.parametrize("number", [2, 3, 5])
async def test_a_small_crowd_of_which_line_refuses_one_counts_the_others_once(bench: Bench, number: int) -> None:
    """Half of two is one message, which keeps the place that the crowd has taken for it."""
    names = [f"m{each}" for each in range(number)]
    line = MemoryLine(never_existed=frozenset({user_named(names[-1])}))
    dispatcher = bench.dispatcher(line, monthly_limit=100)
    await bench.take(dispatcher, crowd(*names, campaign="news"))
    await go_on(bench, dispatcher)
    assert await bench.states() == {"accepted": number - 1, "failed": 1}
    assert (await bench.reserved(), await bench.owed()) == (number - 1, {"news": number - 1})


async def test_a_month_that_has_just_begun_is_not_parked(bench: Bench) -> None:
    """LINE still counts the one before: the account rests for a minute at a time, until LINE's month has turned."""
    bench.clock.move_to(DECEMBER + 20 * SECOND)
    line = MemoryLine(quota=0)
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *(request(f"m{number}") for number in range(3)))
    await go_on(bench, dispatcher, rounds=100)
    assert (await parked(bench), await bench.reserved()) == ({}, 0)
    assert len(line.requests) <= 3 * 2, "a few a minute"
    line.quota = 100
    await go_on(bench, dispatcher, rounds=70)
    assert (await bench.states(), await bench.reserved()) == ({"accepted": 3}, 3)


async def test_an_hour_later_line_is_believed(bench: Bench) -> None:
    """The month is parked, as any other day."""
    bench.clock.move_to(DECEMBER + timedelta(hours=1))
    dispatcher = bench.dispatcher(MemoryLine(quota=0))
    await bench.take(dispatcher, request())
    await dispatcher.send_some()
    assert await parked(bench) == {"2026-12-01": "marketing"}


async def test_an_answer_that_comes_after_the_turn_is_about_the_month_before(bench: Bench) -> None:
    """Asked in November, answered in December: November is used up, and its message goes out in December."""
    bench.clock.move_to(DECEMBER - timedelta(milliseconds=100))
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    claimed = await dispatcher.claim(10)
    bench.clock.move_to(DECEMBER + SECOND)
    await dispatcher.record([Result(attempt, MonthlyLimit()) for attempt in claimed.attempts])
    assert await parked(bench) == {"2026-11-01": "marketing"}
    await dispatcher.send_some()
    assert (await bench.states(), await bench.reserved()) == ({"accepted": 1}, 1)


SALE = campaign("sale", quiet_hours={"from": "21:00", "to": "09:00"})
OF_SALE: dict[str, Any] = {"campaign": "sale", "template": {"campaign": "sale", "version": 1, "message": "news"}}


async def test_a_month_that_turns_at_midnight_wakes_nobody(bench: Bench) -> None:
    """What the month has held goes out after its campaign's quiet hours; what keeps none, at once."""
    await bench.publish(SALE)
    bench.clock.move_to(DECEMBER - timedelta(hours=4))
    line = MemoryLine()
    full = bench.dispatcher(line, monthly_limit=0)
    await bench.take(full, request("a", **OF_SALE), request("b", **OF_SALE), request("c"))
    await go_on(bench, full, rounds=3)
    assert await bench.states() == {"held": 3}
    bench.clock.move_to(DECEMBER + SECOND)
    await until_morning(bench, bench.dispatcher(line, monthly_limit=100))
    assert [taken.to for taken in line.accepted[:1]] == [(user_named("c"),)]
    assert await bench.reserved() == 3


async def test_what_waits_through_the_night_leaves_together_in_the_morning(bench: Bench) -> None:
    """LINE was away, or we were: a crowd stays one, and leaves after the quiet hours."""
    await bench.publish(SALE)
    bench.clock.move_to(DECEMBER + SECOND)
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd("a", "b", **OF_SALE), request("c"))
    await until_morning(bench, dispatcher)
    assert [taken.to for taken in line.accepted] == [(user_named("c"),), (user_named("a"), user_named("b"))]


async def until_morning(bench: Bench, dispatcher: Dispatcher) -> None:
    """From midnight on: only one of three is sent before nine, and the others soon after."""
    step = timedelta(minutes=4)
    await go_on(bench, dispatcher, rounds=134, step=step)
    assert timedelta(hours=8, minutes=50) < bench.clock.now() - DECEMBER < timedelta(hours=9)
    assert await bench.states() == {"accepted": 1, "waiting": 2}
    await go_on(bench, dispatcher, rounds=5, step=step)
    assert await bench.states() == {"accepted": 3}


@pytest.mark.parametrize("fault", ["rate", "reset_after_accept"])
@pytest.mark.parametrize("many", [False, True], ids=["push", "multicast"])
async def test_a_message_has_one_month_unless_line_may_have_it(bench: Bench, fault: Fault, many: bool) -> None:
    """Tried in November and again in December: December's alone, or both where LINE may have counted it in November."""
    bench.clock.move_to(DECEMBER - timedelta(milliseconds=100))
    line = MemoryLine()
    line.faults.append(fault)
    dispatcher = bench.dispatcher(line)
    text = "新茶が届きました" if many else None
    await bench.take(dispatcher, *(request(f"m{each}", text=text, campaign="news") for each in range(1 + many)))
    await dispatcher.send_some()
    bench.clock.move_to(DECEMBER + 5 * SECOND)
    await dispatcher.send_some()
    size = 1 + many
    assert await bench.states() == {"accepted": size}
    rows = await bench.pool.fetch("SELECT month::text, marketing FROM quotas ORDER BY month")
    november = 0 if fault == "rate" else size
    assert {row["month"]: row["marketing"] for row in rows} == {"2026-11-01": november, "2026-12-01": size}
    assert await bench.owed() == {"news": november + size}


async def test_a_clock_that_is_set_back_by_an_hour_stops_new_messages_for_seconds(bench: Bench) -> None:
    """Neither the time slots given out before nor a pause that LINE asked for lasts until it is there again."""
    line = MemoryLine()
    line.faults.append("rate")
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request("before"))
    await dispatcher.send_some()
    bench.clock = FakeClock(NOON - timedelta(hours=1))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request("after"))
    await go_on(bench, dispatcher, rounds=5)
    assert [taken.to for taken in line.accepted] == [(user_named("after"),)]


async def test_a_producers_odd_words_reach_the_customer_and_stop_nobody(bench: Bench) -> None:
    """A time in seconds and an URN are good by the contract: told as a reply, and shown to the reports' view."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    odd = json.loads(request("hana").to_json()) | {"due_at": int(NOON.timestamp())}
    odd["person"] = f"urn:uuid:{message_named('person')}"
    await dispatcher.take_requests("transactional")([record(json.dumps(odd).encode(), 7, lane="transactional")])
    assert await dispatcher.send_some() == 1
    shown = await bench.pool.fetchrow("SELECT state, via, due_at, person_id FROM published_deliveries")
    assert shown is not None
    assert tuple(shown) == ("accepted", "reply", NOON, message_named("person"))
