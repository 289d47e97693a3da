"""Where time comes from: PostgreSQL's clock between samples, and the clock of stories."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from todoke_shared import clock as clocks
from todoke_shared.clock import ClockSample, FakeClock, SampledClock

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
SHOP = datetime(2017, 11, 25, tzinfo=UTC)


class Stopwatch:
    """Stands in for the process's monotonic clock, and for sleeping by it."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """A monotonic clock that the test moves."""
    watch = Stopwatch()
    monkeypatch.setattr(clocks, "time", watch)
    monkeypatch.setattr(clocks, "asyncio", watch)
    return watch


def test_shop_time_runs_at_its_rate_and_real_time_at_one(stopwatch: Stopwatch) -> None:
    """In a replay a real second is many shop seconds; LINE's limits know nothing of it."""
    clock = SampledClock(ClockSample(wall=NOON, now=SHOP, rate=3600.0, monotonic=100.0))
    assert (clock.now(), clock.wall(), clock.rate) == (SHOP, NOON, 3600.0)
    stopwatch.seconds += 2
    assert clock.now() == SHOP + timedelta(hours=2)
    assert clock.wall() == NOON + timedelta(seconds=2)


def test_a_newer_sample_is_followed_at_once(stopwatch: Stopwatch) -> None:
    """A simulated clock that is set while services run moves all of them."""
    clock = SampledClock(ClockSample(wall=NOON, now=NOON, rate=1.0, monotonic=100.0))
    stopwatch.seconds += 5
    clock.resample(ClockSample(wall=NOON + timedelta(seconds=5), now=SHOP, rate=60.0, monotonic=105.0))
    stopwatch.seconds += 1
    assert clock.now() == SHOP + timedelta(minutes=1)
    assert clock.wall() == NOON + timedelta(seconds=6)


def test_a_sample_that_was_long_on_its_way_does_not_set_the_clock_back(stopwatch: Stopwatch) -> None:
    """Time slots would be used late, and then, with the next quick sample, many at once. The shop's time neither."""
    clock = SampledClock(ClockSample(wall=NOON, now=SHOP, rate=60.0, monotonic=100.0))
    stopwatch.seconds += 1
    slow = timedelta(milliseconds=400)
    late = ClockSample(NOON + timedelta(seconds=1) - slow, SHOP + timedelta(minutes=1) - 60 * slow, 60.0, 101.0)
    clock.resample(late)
    assert timedelta(0) <= NOON + timedelta(seconds=1) - clock.wall() < timedelta(milliseconds=1)
    assert timedelta(0) <= SHOP + timedelta(minutes=1) - clock.now() < timedelta(milliseconds=60)


def test_a_clock_of_postgresqls_that_was_set_back_is_followed(stopwatch: Stopwatch) -> None:
    """By more than a second at once; by less within the hours that a drift of 200 millionths takes."""
    clock = SampledClock(ClockSample(wall=NOON, now=NOON, rate=1.0, monotonic=100.0))
    clock.resample(
        ClockSample(wall=NOON - timedelta(seconds=2), now=NOON - timedelta(seconds=2), rate=1.0, monotonic=100.0)
    )
    assert clock.wall() == NOON - timedelta(seconds=2)
    for _ in range(3600):
        stopwatch.seconds += 1
        true = NOON - timedelta(seconds=2.5) + timedelta(seconds=stopwatch.seconds - 100)
        clock.resample(ClockSample(wall=true, now=true, rate=1.0, monotonic=stopwatch.seconds))
    assert clock.wall() == true


async def test_sleeping_ends_when_real_time_is_there(stopwatch: Stopwatch) -> None:
    """Not a moment earlier, and an instant that has passed costs none."""
    clock = SampledClock(ClockSample(wall=NOON, now=SHOP, rate=3600.0, monotonic=100.0))
    await clock.sleep_until_wall(NOON + timedelta(seconds=3))
    assert clock.wall() == NOON + timedelta(seconds=3)
    await clock.sleep_until_wall(NOON)
    assert stopwatch.seconds == 103.0


def test_a_story_has_one_time_and_it_never_goes_back() -> None:
    """A fake clock stands still, moves forward, and refuses the past."""
    clock = FakeClock(datetime(2026, 2, 3, 21, tzinfo=timezone(timedelta(hours=9))))
    assert clock.now() == clock.wall() == NOON
    assert clock.now().tzinfo is UTC
    clock.move_to(NOON)
    clock.move_to(NOON + timedelta(minutes=1))
    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(NOON)
    assert clock.now() == NOON + timedelta(minutes=1)


async def test_nobody_waits_in_a_story() -> None:
    """Sleeping on a fake clock returns and moves nothing."""
    clock = FakeClock(NOON)
    await clock.sleep_until_wall(NOON + timedelta(days=1))
    assert clock.now() == NOON
