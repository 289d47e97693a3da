"""What the dispatcher's stateful models share: rounds that end before their time, answers that are lost, and time."""

import asyncio
import itertools
import os
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.deliveries import NOON
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.sending import Result
from todoke_shared.clock import FakeClock

Story = TypeVar("Story")
LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
PHASES = tuple(Phase) if LONG else (Phase.reuse, Phase.generate)
"""Making a failure small takes minutes: in the long form."""

Fate = Literal["lives", "dies before it sends", "dies before it records", "sleeps"]


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
    """LINE knows the account's token, and an operator has resumed the channel; or LINE knows it no more."""

    good: bool


@dataclass(frozen=True)
class Passes:
    """Time."""

    seconds: float


Mishap = Round | Wakes | Token | Passes


def rounds(
    faults: Sequence[Fault | None], fates: Sequence[Fate], *, rooms: Sequence[int] = (20,)
) -> st.SearchStrategy[Round]:
    """Rounds of either dispatcher; what stands in a list more often happens more often."""
    met = st.lists(st.sampled_from(faults), min_size=1, max_size=4)
    return st.builds(Round, st.integers(0, 1), st.sampled_from(rooms), met, st.sampled_from(fates))


class Shift:
    """Two dispatchers in turns, on the ledger of `bench`, with LINE in memory and a clock at noon."""

    def __init__(self, bench: Bench, line: MemoryLine, **settings: object) -> None:
        """`settings`: the dispatchers'."""
        self.bench, self.line = bench, line
        bench.clock, bench.offset = FakeClock(NOON), 0
        self.dispatchers = [bench.dispatcher(line, **settings) for _ in range(2)]  # type: ignore[arg-type]
        self.asleep: list[tuple[Dispatcher, list[Result]]] = []

    async def happen(self, step: Mishap) -> None:
        """One of these."""
        match step:
            case Round():
                await self.round(step)
            case Wakes() if self.asleep:
                await self.wake()
            case Wakes():
                pass
            case Token(good):
                self.line.accounts = frozenset({"main"} if good else ())
                if good:
                    await self.open_channel()
            case Passes(seconds):
                self.pass_time(seconds)

    async def round(self, step: Round) -> None:
        """See `Round`. What the service does each second is done first."""
        dispatcher = self.dispatchers[step.which]
        await dispatcher.release_held()
        await dispatcher.settle_lost_replies()
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

    async def wake(self) -> None:
        """See `Wakes`: who fell asleep first."""
        dispatcher, results = self.asleep.pop(0)
        await dispatcher.record(results)

    def pass_time(self, seconds: float) -> None:
        """See `Passes`."""
        self.bench.clock.move_to(self.bench.clock.now() + timedelta(seconds=seconds))

    async def open_channel(self) -> None:
        """What an operator does once LINE takes messages again."""
        async with self.bench.pool.acquire() as connection:
            await channels.resume(connection, "main")
            await channels.unpark(connection, "main", month_of(self.bench.clock.wall()))

    async def come_to_an_end(self, open_states: Collection[str], *, seconds: float, times: int) -> dict[str, int]:
        """Everybody wakes, the token is good, the channel open and time passes, until no message is in these states.

        Gives how many are in which.
        """
        while self.asleep:
            await self.wake()
        self.line.accounts = frozenset({"main"})
        for _ in range(times):
            await self.open_channel()
            settled = await self.dispatchers[0].send_some()
            states = await self.bench.states()
            if not settled and not states.keys() & set(open_states):
                return states
            self.pass_time(seconds)
        raise AssertionError(f"after {times} rounds of {seconds} s there are still {states}")


def play_all(
    dsn: str,
    examples: int,
    stories: st.SearchStrategy[Story],
    play: Callable[[Bench, Story], Coroutine[None, None, None]],
) -> None:
    """Have so many stories played, one after the other on one ledger, which each of them empties first."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        bench = runner.run(stack.enter_async_context(open_bench(dsn)))

        def one(story: Story) -> None:
            runner.run(play(bench, story))

        one.__name__ = play.__qualname__.partition(".")[0]  # the test's: Hypothesis keeps what has failed under it
        chosen = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
        try:
            chosen(given(stories)(one))()
        finally:
            runner.run(stack.aclose())
