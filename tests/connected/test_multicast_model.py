"""Whatever LINE answers and whoever dies whenever: nobody is sent a message twice, nobody is left out, all is told.

Two dispatchers on a real ledger, LINE in memory, and a clock. A dispatcher may die, or sleep, between any two of claim,
send and record; both work in turns.
"""

import asyncio
import itertools
import os
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.deliveries import NOON, crowd, request, user_named
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.sending import Result
from todoke_shared.clock import FakeClock
from todoke_shared.jsons import loads

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
EXAMPLES = 500 if LONG else 40
PEOPLE = 20
BAD = frozenset({user_named("p18"), user_named("p19")})
PHASES = tuple(Phase) if LONG else (Phase.reuse, Phase.generate)
"""Making a failure small takes minutes: in the long form."""
DAY = 86_400.0
"""How long LINE keeps a retry key."""

LEDGER = """
SELECT user_id, request, state FROM deliveries
UNION ALL
SELECT unnest(user_ids), request, CASE state WHEN 'told' THEN 'accepted' ELSE state END FROM crowds
"""
Fate = Literal["lives", "dies before it sends", "dies before it records", "sleeps"]


@dataclass(frozen=True)
class Owed:
    """Requests come, for whomever, also the same again: each by itself, or for all of them at once."""

    people: list[int]
    text: str
    at_once: bool = False


@dataclass(frozen=True)
class Round:
    """A dispatcher claims, sends and records, each answer with its fault in turn, as far as its fate lets it come."""

    which: int
    room: int
    faults: list[Fault | None]
    fate: Fate


@dataclass(frozen=True)
class Wakes:
    """A sleeper records old news; the ledger may have gone on without it."""


@dataclass(frozen=True)
class Token:
    """LINE knows the token, and an operator has resumed the channel; or LINE knows it no more."""

    good: bool


@dataclass(frozen=True)
class Passes:
    """Time: retries, ends of leases, and ends of keys."""

    seconds: float


HELD = "SELECT message_id FROM deliveries WHERE state = 'held'"
Step = Owed | Round | Wakes | Token | Passes
FAULTS: list[Fault | None] = [
    None,
    "reset_after_accept",
    "reset_after_accept",
    "monthly",
    "rate",
    "server_error",
    "reset",
    "garbage_200",
]
FATES: list[Fate] = ["lives", "lives", "dies before it records", "dies before it sends", "sleeps"]
ROUNDS = st.builds(
    Round,
    which=st.integers(0, 1),
    room=st.sampled_from([20, 20, 3]),
    faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4),
    fate=st.sampled_from(FATES),
)
PASSES = st.builds(Passes, st.sampled_from([0.25, 2.0, 15.0, 15.0, 600.0, DAY]))
OWED = st.builds(
    Owed, st.lists(st.integers(0, PEOPLE - 1), min_size=1, max_size=12), st.sampled_from("ab"), st.booleans()
)
STEPS = st.one_of(ROUNDS, ROUNDS, ROUNDS, PASSES, PASSES, OWED, st.just(Wakes()), st.builds(Token, st.booleans()))


class Broadcasts:
    """The ledger, two dispatchers and LINE."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.bench.clock, self.bench.offset = FakeClock(NOON), 0
        self.line = MemoryLine(never_existed=BAD)
        self.dispatchers = [bench.dispatcher(self.line) for _ in range(2)]
        self.asleep: list[tuple[Dispatcher, list[Result]]] = []
        self.owed: Counter[tuple[str, str]] = Counter()

    async def play(self, steps: list[Step], *, at_once: bool) -> None:
        """A broadcast to good ids waits, the steps happen, and everything comes to its end."""
        tables = "deliveries, multicasts, crowds, quotas, rates, channels, outbox, consumed"
        await self.bench.pool.execute(f"TRUNCATE {tables}")
        await self.take(Owed(list(range(PEOPLE - len(BAD))), "a", at_once))
        for step in steps:
            match step:
                case Owed():
                    await self.take(step)
                case Round():
                    await self.round(step)
                case Wakes() if self.asleep:
                    dispatcher, results = self.asleep.pop(0)
                    await dispatcher.record(results)
                case Token(good):
                    await self.change_token(good)
                case Passes(seconds):
                    self.pass_time(seconds)
                case _:
                    pass
            received = self.received()
            assert received <= self.owed, received - self.owed
            await self.check_holds()
        await self.settle()

    async def take(self, step: Owed) -> None:
        """The next records of the topic."""
        first = self.owed.total()
        for person in step.people:
            self.owed[user_named(f"p{person}"), step.text] += 1
        names = [f"m{first + index}" for index in range(len(step.people))]
        users = [user_named(f"p{person}") for person in step.people]
        told = {"text": step.text, "campaign": "news", "step": step.text}
        if step.at_once:
            await self.bench.take(self.dispatchers[0], crowd(*names, to=users, **told))
            return
        apart = (request(name, to=user, **told) for name, user in zip(names, users, strict=True))
        await self.bench.take(self.dispatchers[0], *apart)

    async def round(self, step: Round) -> None:
        """See `Round`."""
        dispatcher = self.dispatchers[step.which]
        attempts = (await dispatcher.claim(step.room)).attempts
        if step.fate == "dies before it sends":
            return
        results = []
        for attempt, fault in zip(attempts, itertools.cycle(step.faults), strict=False):
            self.line.faults.extend([fault] if fault else [])
            results.append(await dispatcher.send(attempt))
            self.line.faults.clear()
        if step.fate == "lives":
            await dispatcher.record(results)
        elif step.fate == "sleeps":
            self.asleep.append((dispatcher, results))

    async def change_token(self, good: bool) -> None:
        """See `Token`."""
        self.line.accounts = frozenset({"main"} if good else ())
        if good:
            await self.open_channel()

    def pass_time(self, seconds: float) -> None:
        """See `Passes`."""
        self.bench.clock.move_to(self.bench.clock.now() + timedelta(seconds=seconds))
        if seconds == DAY:
            self.line.forget_keys()

    def received(self) -> Counter[tuple[str, str]]:
        """How often LINE has taken which text for whom."""
        return Counter(
            (to, loads(taken.body)["messages"][0]["text"]) for taken in self.line.accepted for to in taken.to
        )

    async def open_channel(self) -> None:
        """What an operator does once LINE takes messages again."""
        async with self.bench.pool.acquire() as connection:
            await channels.resume(connection, "main")
            await channels.unpark(connection, "main", month_of(self.bench.clock.wall()))

    async def settle(self) -> None:
        """Everybody wakes, the token is good, the channel open; then nothing may be left on its way."""
        for dispatcher, results in self.asleep:
            await dispatcher.record(results)
        self.line.accounts = frozenset({"main"})
        for _ in range(200):
            await self.open_channel()
            await self.dispatchers[0].send_some()
            states = await self.bench.states()
            if not {"waiting", "attempting", "held"} & states.keys():
                break
            self.bench.clock.move_to(self.bench.clock.now() + timedelta(seconds=15))
        await self.check(states)

    async def check(self, states: dict[str, int]) -> None:
        """Accepted means received, failed means a bad id, unknown is told; the month counts all that LINE may have."""
        rows = await self.bench.pool.fetch(LEDGER)
        by_state: dict[str, Counter[tuple[str, str]]] = {}
        for row in rows:
            text = loads(row["request"])["messages"][0]["text"]
            by_state.setdefault(row["state"], Counter())[row["user_id"], text] += 1
        assert states.keys() <= {"accepted", "failed", "unknown"}, states
        accepted, unknown = by_state.get("accepted", Counter()), by_state.get("unknown", Counter())
        assert accepted <= self.received() <= accepted + unknown
        assert by_state.get("failed", Counter()) + unknown >= Counter(
            {key: number for key, number in self.owed.items() if key[0] in BAD}
        )
        assert all(user in BAD for user, _ in by_state.get("failed", Counter()))
        assert sum(states.values()) == self.owed.total() == len(rows)
        assert await self.bench.reserved() >= states.get("accepted", 0) + states.get("unknown", 0)
        ended = Counter((each.message, each.state) for each in await self.bench.outcomes() if each.state != "held")
        assert len(ended) == ended.total() == len(rows), "each is told how it ended, once"
        await self.check_told()

    async def check_holds(self) -> None:
        """What stands still is told so, and why."""
        held = {row["message_id"] for row in await self.bench.pool.fetch(HELD)}
        told = {each.message for each in await self.bench.outcomes() if each.state == "held" and each.reason}
        assert held <= told

    async def check_told(self) -> None:
        """Each outcome says what the ledger has: whose step, in which lane, LINE's id of the request, why."""
        ledger = {row["message_id"]: row for row in await self.bench.pool.fetch("SELECT * FROM deliveries")}
        taken = {each.request_id for each in self.line.accepted}
        for each in await self.bench.outcomes():
            assert each.message is not None
            row = ledger.get(each.message)
            if row is None:  # it left in its crowd
                assert (each.state, each.lane, each.campaign) == ("accepted", "marketing", "news")
                assert each.step
                assert each.line_request_id in taken
                continue
            assert (each.lane, each.campaign, each.step) == (row["lane"], row["campaign"], row["step"])
            if each.state == "held":
                continue
            assert (each.state, each.line_request_id) == (row["state"], row["line_request_id"])
            if each.state == "accepted":
                assert each.line_request_id in taken
            else:
                assert each.reason
                assert each.reason == row["reason"]
            if each.state == "failed":
                assert each.line_request_id, "LINE has no logs for its users: its id is all there is to ask with"


def test_nobody_twice_and_nobody_left_out_whatever_happens(postgres_dsn: str) -> None:
    """Requests, rounds, answers and lost answers, refusals, deaths and time, in any order."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        bench = runner.run(stack.enter_async_context(open_bench(postgres_dsn)))

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
        @given(st.lists(STEPS, min_size=10, max_size=25), st.booleans())
        def play(steps: list[Step], at_once: bool) -> None:
            runner.run(Broadcasts(bench).play(steps, at_once=at_once))

        try:
            play()
        finally:
            runner.run(stack.aclose())
