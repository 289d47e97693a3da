"""Fault tests 9 to 12 of RELIABILITY: LINE loses answers, hangs, is away, refuses. Each message once, and counted once.

TODOKE_TEST_LONG=1 runs them with the numbers and times that stand there.
"""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import psutil
import pytest

from tests.support.deliveries import NOON, message_named, request, user_named
from tests.support.dispatching import Bench
from tests.support.line_server import TOKEN, LineServer, line_server
from todoke_dispatcher.adapters.line import LineClient, open_line
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.breaker import IN_A_ROW
from todoke_dispatcher.domain.verdict import Answer
from todoke_dispatcher.pump import pumping
from todoke_shared.postgres.fleet_clock import follow_clock, open_clock
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.loops import Loops

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
MIB = 1024 * 1024
pytestmark = pytest.mark.timeout(900 if LONG else 120)


@dataclass
class Watched:
    """LINE over HTTP, and how many requests are on their way to it at a time, and for how long."""

    line: LineClient
    most: int = 0
    longest: float = 0.0
    sent: list[UUID] = field(default_factory=list)
    _now: int = 0

    def is_ready(self, account: str) -> bool:
        return self.line.is_ready(account)

    async def call(self, account: str) -> Answer:
        return await self.line.call(account)

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        return await self._watch(retry_key, self.line.push(account, retry_key, body))

    async def multicast(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        return await self._watch(retry_key, self.line.multicast(account, retry_key, body))

    async def reply(self, account: str, body: bytes) -> Answer:
        return await self.line.reply(account, body)

    async def rich_menu(self, account: str, to: str, alias: str | None) -> Answer:
        return await self.line.rich_menu(account, to, alias)

    async def _watch(self, retry_key: UUID, answer: Awaitable[Answer]) -> Answer:
        self.sent.append(retry_key)
        self._now += 1
        self.most = max(self.most, self._now)
        started = time.monotonic()
        try:
            return await answer
        finally:
            self.longest = max(self.longest, time.monotonic() - started)
            self._now -= 1


@asynccontextmanager
async def sending(
    bench: Bench, server: LineServer, number: int, *, in_flight: int = 200, gives_up: float = 10.0
) -> AsyncIterator[Watched]:
    """A dispatcher that pumps `number` messages, each for somebody else, by the real clock."""
    await server.befriend(*(user_named(f"m{index}") for index in range(number)))
    async with open_line(server.url, {"main": TOKEN}, connections=in_flight, timeout_seconds=gives_up) as client:
        watched, clock, loops = Watched(client), await open_clock(bench.pool), Loops()
        dispatcher = bench.dispatcher(watched, clock=clock, max_in_flight=in_flight)
        for first in range(0, number, 1000):
            taken = (request(f"m{index}") for index in range(first, min(first + 1000, number)))
            await bench.take(dispatcher, *taken)
        loops.start("clock", lambda: follow_clock(clock, bench.pool))
        async with pumping(dispatcher, in_flight):
            yield watched
        await loops.stop()


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float) -> float:
    """Return once the condition holds, and how many seconds that took."""
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)
    return time.monotonic() - started


async def assert_each_once(bench: Bench, server: LineServer, number: int) -> None:
    """Everybody has one message, the ledger says so, and counts as many as LINE does."""
    stats = await server.stats()
    assert await bench.states() == {"accepted": number}
    assert (stats["accepted"], stats["billed"], stats["duplicates"]) == (number, number, 0)
    assert await bench.reserved() == number


async def test_fault_09_a_tenth_of_the_answers_is_lost_and_each_message_counts_once(bench: Bench) -> None:
    """LINE takes them and cuts the connection: the same key again is told 409, which is an acceptance."""
    number = 10_000 if LONG else 400
    async with line_server() as server:
        fault = {"fault": "accept_then_reset", "endpoint": "push", "probability": 0.1, "seed": 9}
        await server.faults(fault)

        async def all_accepted() -> bool:
            return await bench.states() == {"accepted": number}

        async with sending(bench, server, number) as watched:
            await until(all_accepted, seconds=300)
        await assert_each_once(bench, server, number)
        stats = await server.stats()
        answers = stats["requests"]["push"]  # type: ignore[index]
        assert answers["reset"] > number / 20
        # Whoever was cut off asked again, until an answer came: each of those messages ended as a 409.
        cut = sum(1 for times in Counter(watched.sent).values() if times > 1)
        assert answers["409"] == stats["conflicts"] == cut


async def test_fault_10_line_hangs_and_no_more_is_on_its_way_than_may_be(bench: Bench) -> None:
    """Calls end, one message at a time finds out, memory stays; half had been taken, and all arrive once."""
    in_flight, gives_up, hanging = (200, 10.0, 60.0) if LONG else (20, 0.5, 2.0)
    number = 4 * in_flight
    async with line_server() as server:
        await server.faults(
            {"fault": "hang", "seconds": 300, "accept": True, "endpoint": "push", "probability": 0.5},
            {"fault": "hang", "seconds": 300},
        )
        before = psutil.Process().memory_info().rss
        async with sending(bench, server, number, in_flight=in_flight, gives_up=gives_up) as watched:
            await until(_breaker_opened, seconds=60)
            at_first = len(watched.sent)
            await asyncio.sleep(hanging)
            grown = psutil.Process().memory_info().rss - before
            assert watched.most <= in_flight
            assert at_first <= in_flight + IN_A_ROW
            assert len(watched.sent) == at_first, "nothing goes out while not even a call is answered"
            await server.end_faults()
            back = await until(_breaker_closed, seconds=60)

            async def all_accepted() -> bool:
                return await bench.states() == {"accepted": number}

            await until(all_accepted, seconds=60)
        await assert_each_once(bench, server, number)
        assert grown <= 50 * MIB
        if LONG:
            assert watched.longest <= 10.5
            assert back <= 5


async def _breaker_opened() -> bool:
    return bool(metrics.BREAKER_OPEN.labels("main")._value.get() == 1)


async def _breaker_closed() -> bool:
    return bool(metrics.BREAKER_OPEN.labels("main")._value.get() == 0)


ERRORS: list[Fault] = ["server_error", "garbage"]


@pytest.mark.parametrize("everything", [True, False], ids=["all of LINE", "messages alone"])
async def test_fault_11_ten_minutes_of_errors_cost_few_attempts_and_no_lateness(bench: Bench, everything: bool) -> None:
    """5xx and garbage: the same keys throughout, at most 12 attempts a message, and all out 5 s after LINE is back."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, max_in_flight=10)
    await bench.take(dispatcher, *(request(f"m{index}") for index in range(30)))
    await bench.take(dispatcher, *(request(f"g{index}", text="新茶が届きました") for index in range(5)))
    line.is_down = everything
    line.faults.extend(itertools.islice(itertools.cycle(ERRORS), 10_000))
    rounds = await _ten_minutes(bench, dispatcher, line, step=3)
    opened = next(index for index, sent in enumerate(rounds) if sent)
    assert max(rounds[opened + 1 :]) <= 1, "one message at a time"
    assert max(Counter(key for key, _ in line.requests).values()) <= 12
    if everything:
        assert sum(rounds) <= 10, "not one, while not even a call is answered"
    keys = {key for key, _ in line.requests}

    line.is_down = False
    line.faults.clear()
    await bench.take(dispatcher, request("late"))
    back = bench.clock.now()
    while await bench.states() != {"accepted": 36}:
        await dispatcher.send_some()
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
        assert bench.clock.now() - back <= timedelta(seconds=5)
    assert keys <= {taken.retry_key for taken in line.accepted}
    assert len({body for _, body in line.requests}) == len({key for key, _ in line.requests})
    assert await bench.reserved() == sum(len(taken.to) for taken in line.accepted) == 36


async def test_a_message_that_is_alone_goes_out_five_seconds_after_lines_return(bench: Bench) -> None:
    """Nobody else's probe closes the breaker for it, and its own pause would have been 8 s and more."""
    line = MemoryLine(is_down=True)
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    while len(line.requests) < IN_A_ROW:
        await dispatcher.send_some()
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=500))
    line.is_down = False
    for _ in range(20):
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
        await dispatcher.send_some()
    assert await bench.states() == {"accepted": 1}


async def test_a_line_that_comes_and_goes_costs_no_more_than_twelve_attempts(bench: Bench) -> None:
    """Calls are answered now and then, messages never: pauses are cut short, but not without end."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    line.faults.extend(itertools.islice(itertools.cycle(ERRORS), 10_000))
    while bench.clock.now() < NOON + timedelta(minutes=10):
        line.is_down = not line.is_down
        await dispatcher.send_some()
        bench.clock.move_to(bench.clock.now() + timedelta(seconds=3))
    assert 6 < len(line.requests) <= 12


async def _ten_minutes(bench: Bench, dispatcher: Dispatcher, line: MemoryLine, *, step: int) -> list[int]:
    """How many messages were sent in each `step` seconds of them."""
    rounds = []
    while bench.clock.now() < NOON + timedelta(minutes=10):
        before = len(line.requests)
        await dispatcher.send_some()
        rounds.append(len(line.requests) - before)
        bench.clock.move_to(bench.clock.now() + timedelta(seconds=step))
    return rounds


@pytest.mark.parametrize("fault", ["rate", "concurrency"])
async def test_fault_12_a_429_slows_all_dispatchers_for_less_than_two_seconds(bench: Bench, fault: Fault) -> None:
    """What is on its way is answered; nothing more goes out for a second; then everything does, and once."""
    line = MemoryLine()
    fleet = [bench.dispatcher(line, max_in_flight=8) for _ in range(3)]
    await bench.take(fleet[0], *(request(f"m{index}") for index in range(60)))
    line.faults.extend([fault] * 8)
    sent: list[int] = []
    for _ in range(12):
        before = len(line.requests)
        for dispatcher in fleet:
            await dispatcher.send_some()
        sent.append(len(line.requests) - before)
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
    assert sent[0] <= 8
    assert sent[1:4] == [0, 0, 0]
    assert sum(sent[4:8]) > 8, "under way again within two seconds"
    assert await bench.states() == {"accepted": 60}
    assert (len(line.accepted), await bench.reserved()) == (60, 60)


async def test_fault_12_lines_monthly_limit_parks_what_is_not_on_its_way(bench: Bench) -> None:
    """LINE has room for 50 where we believe in more: after its word no more is asked than was on its way."""
    line = MemoryLine(quota=50)
    dispatcher = bench.dispatcher(line, max_in_flight=20)
    await bench.take(dispatcher, *(request(f"m{index}") for index in range(300)))
    for _ in range(100):
        await dispatcher.send_some()
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
    assert await bench.states() == {"accepted": 50, "held": 250}
    assert 0 < len(line.requests) - 50 <= 20
    assert (len(line.accepted), await bench.reserved()) == (50, 50)
    assert {taken.to for taken in line.accepted} <= {(user_named(f"m{index}"),) for index in range(300)}
    held = {each.message for each in await bench.outcomes() if each.state == "held"}
    assert len(held & {message_named(f"m{index}") for index in range(300)}) == 250
