"""Time is an argument everywhere; here is where it comes from.

`now` is the shop's time: campaigns, timers and customer state follow it, and a replay may make it run faster.
`wall` is LINE's time: rate limits, retry keys and HTTP attempts follow it, and nothing can hurry it.
Both are PostgreSQL's clock, so that machines with wrong clocks agree (fault test 21).
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

DRIFT = 0.0002
"""By how much a machine's clock may run faster than PostgreSQL's: a crystal's error, and an NTP correction's."""
LONGEST_WAY = timedelta(seconds=1)
"""A sample that is further behind was not slow: PostgreSQL's clock was set back."""


class Clock(Protocol):
    """Where a handler's `now` comes from. All instants are aware and in UTC."""

    def now(self) -> datetime:
        """The shop's time."""

    def wall(self) -> datetime:
        """Real time, as LINE sees it."""

    @property
    def rate(self) -> float:
        """Shop seconds per real second; 1 when nothing is simulated."""

    async def sleep_until_wall(self, instant: datetime) -> None:
        """Return once `wall()` has reached `instant`."""


@dataclass(frozen=True)
class ClockSample:
    """PostgreSQL's answer to "what time is it?", taken at a moment of this process's monotonic clock.

    `rate` is shop seconds per real second (1 when nothing is simulated).
    """

    wall: datetime
    now: datetime
    rate: float
    monotonic: float


class SampledClock:
    """Runs on this process's monotonic clock between samples of PostgreSQL's (see `postgres.fleet_clock`)."""

    def __init__(self, sample: ClockSample) -> None:
        self._sample = sample

    def resample(self, sample: ClockSample) -> None:
        """Follow a newer sample from now on, or what is known already where that is nearer to the truth.

        A sample is late by its way back, and never ahead: of two the later time is the truer. Following each as it
        comes would let a busy process's time jump by its pool's and network's delays, and its time slots with it.
        """
        known = self._sample.wall + timedelta(seconds=sample.monotonic - self._sample.monotonic) * (1 - DRIFT)
        late = known - sample.wall
        if timedelta(0) < late <= LONGEST_WAY:
            sample = replace(sample, wall=known, now=sample.now + late * sample.rate)
        self._sample = sample

    @property
    def rate(self) -> float:
        """Shop seconds per real second."""
        return self._sample.rate

    def _elapsed(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._sample.monotonic)

    def now(self) -> datetime:
        """The shop's time."""
        return self._sample.now + self._elapsed() * self._sample.rate

    def wall(self) -> datetime:
        """Real time."""
        return self._sample.wall + self._elapsed()

    def seconds_until(self, instant: datetime) -> float:
        """Real seconds until the shop's time reaches `instant`; 0 when it has."""
        return max(0.0, (instant - self.now()).total_seconds() / self._sample.rate)

    async def sleep_until_wall(self, instant: datetime) -> None:
        """Return once `wall()` has reached `instant`."""
        delay = (instant - self.wall()).total_seconds()
        if delay > 0:
            await asyncio.sleep(delay)


class FakeClock:
    """A clock that stands still until it is moved: for tests, where time is part of the story."""

    def __init__(self, start: datetime) -> None:
        self._instant = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was last moved to."""
        return self._instant

    def wall(self) -> datetime:
        """The same instant: a story has one time."""
        return self._instant

    @property
    def rate(self) -> float:
        """A story has one time."""
        return 1.0

    async def sleep_until_wall(self, instant: datetime) -> None:  # noqa: ARG002 - the port's signature
        """Return at once: in a story nobody waits."""
        await asyncio.sleep(0)

    def move_to(self, instant: datetime) -> None:
        """Move forward to `instant`. ValueError when that would be going back."""
        if instant < self._instant:
            raise ValueError(f"a clock does not go back: it is {self._instant}, asked for {instant}")
        self._instant = instant.astimezone(UTC)
