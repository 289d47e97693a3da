"""Runs a dispatcher as fast as LINE takes it: claiming, sending and recording go on side by side, bounded.

May block: on PostgreSQL; then nothing new is sent, since what cannot be recorded stays in flight (fail closed).
Stopping: no new claim, what was claimed is sent and recorded (RELIABILITY: shutdown).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.replying import AnyAttempt
from todoke_dispatcher.sending import Result
from todoke_dispatcher.settings import HTTP_TIMEOUT_SECONDS
from todoke_shared.telemetry.loops import Loops

logger = logging.getLogger("todoke.pump")

POLL_SECONDS = 0.1
"""How late a retry, another process's message or a free slot may be noticed; our own requests wake us at once."""
RELEASE_SECONDS = 1.0
LOOK_SECONDS = 0.25
"""A part of the 5 s within which messages flow again when LINE does (domain/breaker.py)."""
MEASURE_SECONDS = 10.0
TELL_SECONDS = 0.05
"""A rest after each crowd's outcomes while requests are on their way: sending comes first."""
RECORD_AT_ONCE = 2_000
"""Messages, after which no more results are added: a transaction of some 50 ms."""


class Pump:
    """Keeps up to `max_in_flight` requests between claim and record."""

    def __init__(self, dispatcher: Dispatcher, max_in_flight: int) -> None:
        self._dispatcher = dispatcher
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._results: asyncio.Queue[Result] = asyncio.Queue()
        self._one_by_one = 0
        """How many results are recorded each by itself: one of them may be what could not be recorded."""
        self._claiming: asyncio.Task[bool] | None = None

    async def claim_once(self) -> None:
        """Claim what there is room for and send it on its way; wait when there is nothing, or no room."""
        self._dispatcher.wake.clear()  # before the look, so that what comes during it is not missed
        room = self._max_in_flight - self._in_flight
        if room * 4 >= self._max_in_flight:  # a transaction for every freed place would be all we do
            # Shielded: a claim that has committed must reach its tasks, else its messages wait for their leases.
            self._claiming = asyncio.create_task(self._claim(room))
            if await asyncio.shield(self._claiming):
                return
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._dispatcher.wake.wait()
        except TimeoutError:
            return

    async def _claim(self, room: int) -> bool:
        claimed = await self._dispatcher.claim(room)
        for attempt in claimed.attempts:
            self._in_flight += 1
            task = asyncio.create_task(self._send(attempt))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return bool(claimed.attempts or claimed.settled or claimed.formed)

    async def _send(self, attempt: AnyAttempt) -> None:
        self._results.put_nowait(await self._dispatcher.send(attempt))

    async def record_once(self) -> None:
        """Record what has come in since the last time, and wait for something when nothing has.

        After an error each by itself: a result that can never be recorded keeps no other from it.
        """
        results = [await self._results.get()]
        messages = results[0].messages
        while not self._one_by_one and not self._results.empty() and messages < RECORD_AT_ONCE:
            results.append(self._results.get_nowait())
            messages += results[-1].messages
        try:
            await self._dispatcher.record(results)
        except BaseException:
            for result in results:
                self._results.put_nowait(result)
            self._one_by_one = self._one_by_one - 1 if self._one_by_one else self._results.qsize()
            raise
        self._one_by_one = max(0, self._one_by_one - 1)
        self._in_flight -= len(results)
        if not self._in_flight:
            self._idle.set()
        self._dispatcher.wake.set()

    async def tell_once(self) -> None:
        """Tell of a crowd that LINE has taken; rest when there is none, or something else to do."""
        if not await self._dispatcher.tell():
            await asyncio.sleep(POLL_SECONDS)
        elif self._in_flight:
            await asyncio.sleep(TELL_SECONDS)

    async def drain(self) -> None:
        """Send and record what was claimed. Gives up after the HTTP timeout and a little: leases take care then."""
        try:
            async with asyncio.timeout(HTTP_TIMEOUT_SECONDS + 2):
                if self._claiming is not None:
                    await asyncio.wait([self._claiming])
                if self._sending:
                    await asyncio.wait(self._sending)
                if self._in_flight:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            logger.warning("stopped with %d messages unrecorded: they go out again, with their keys", self._in_flight)


@asynccontextmanager
async def pumping(dispatcher: Dispatcher, max_in_flight: int) -> AsyncIterator[Pump]:
    """Send in the background; on leaving, drain."""
    pump = Pump(dispatcher, max_in_flight)
    claims, records = Loops(), Loops()

    async def release() -> None:
        if await dispatcher.release_held():
            dispatcher.wake.set()
        await dispatcher.settle_lost_replies()
        await asyncio.sleep(RELEASE_SECONDS)

    async def look() -> None:
        await dispatcher.look_at_line()
        await asyncio.sleep(LOOK_SECONDS)

    async def measure() -> None:
        await dispatcher.measure()
        await asyncio.sleep(MEASURE_SECONDS)

    claims.start("claim", pump.claim_once)
    claims.start("release", release)
    claims.start("look", look)
    claims.start("measure", measure)
    claims.start("tell", pump.tell_once)
    records.start("record", pump.record_once)
    try:
        yield pump
    finally:
        await claims.stop()
        await pump.drain()
        await records.stop()
