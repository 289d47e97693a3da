"""Time slots: nobody's twice, and never more requests in a second than the limit."""

from bisect import bisect_left
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import NOON
from todoke_dispatcher.domain.rate import HORIZON, SLOT_LIFE, from_us, is_past, spacing_us, take_slots, to_us

HORIZON_US = HORIZON // timedelta(microseconds=1)
LIFE_US = SLOT_LIFE // timedelta(microseconds=1)
TAKERS = st.lists(st.tuples(st.integers(-20_000, 400_000), st.integers(0, 60)), min_size=1, max_size=40)
"""Microseconds since the taker before (clocks may differ by a little), and how many slots it asks for."""


def slots_of(per_second: int, takers: list[tuple[int, int]]) -> list[int]:
    """The slots that takers get one after the other, each checked against its own horizon."""
    now, tat, given = to_us(NOON), 0, []
    for step, wanted in takers:
        now += step
        tat, slots = take_slots(tat, now, wanted, spacing_us(per_second))
        instants = [to_us(instant) for instant in slots.instants()]
        assert len(instants) <= wanted
        assert all(now <= instant < now + HORIZON_US for instant in instants)
        given += instants
    return given


@given(per_second=st.integers(1, 3000), takers=TAKERS)
def test_slots_never_overlap(per_second: int, takers: list[tuple[int, int]]) -> None:
    """Any takers in any order: every slot begins at least a spacing after the one before."""
    given = slots_of(per_second, takers)
    assert all(later - earlier >= spacing_us(per_second) for earlier, later in pairwise(given))


@given(
    per_second=st.integers(1, 300),
    takers=TAKERS,
    lateness=st.lists(st.integers(0, LIFE_US), min_size=1, max_size=50),
)
def test_no_second_holds_more_requests_than_the_limit(
    per_second: int, takers: list[tuple[int, int]], lateness: list[int]
) -> None:
    """Even when each slot is used as late as it may be, and busy seconds meet idle ones."""
    given = slots_of(per_second, takers)
    sent = sorted(slot + lateness[index % len(lateness)] for index, slot in enumerate(given))
    for index, first in enumerate(sent):
        assert bisect_left(sent, first + 1_000_000) - index <= per_second


@pytest.mark.parametrize("per_second", [1, 7, 200, 1999, 2000])
def test_the_worst_second_holds_no_more_than_the_limit(per_second: int) -> None:
    """A stall as long as a slot lives: what was late and what is on time meet in one second, and just fit."""
    slots = slots_of(per_second, [(100_000, 500)] * 40)
    for stalled in range(min(len(slots), 300)):
        resumed = slots[stalled] + LIFE_US
        sent = [max(slot, resumed) for slot in slots[stalled:]]
        assert sum(1 for instant in sent if instant < resumed + 1_000_000) <= per_second


def test_one_taker_alone_reaches_95_percent_of_lines_limit() -> None:
    """A dispatcher that asks every 100 ms for what it can get sends at least 1,900 of 2,000 a second."""
    given = slots_of(2000, [(100_000, 500)] * 100)
    seconds = (given[-1] - given[0]) / 1_000_000
    assert len(given) / seconds >= 1900


@pytest.mark.parametrize("per_second", [1, 2, 4, 5, 200, 2000])
def test_every_rate_sends(per_second: int) -> None:
    """One a second, too, whose slots are further apart than the horizon: ten seconds, at least nine of ten."""
    given = slots_of(per_second, [(100_000, 500)] * 100)
    assert 9 * per_second <= len(given) <= 10 * per_second


@pytest.mark.parametrize("per_second", [1, 200, 2000])
@pytest.mark.parametrize("back", [timedelta(seconds=5), timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_is_set_back_stops_sending_for_seconds(per_second: int, back: timedelta) -> None:
    """Not until it is where it was; and what was given out before is long used when slots are given again."""
    ahead = slots_of(per_second, [(0, 500)])[-1] - to_us(NOON)
    tat, _ = take_slots(0, to_us(NOON), 500, spacing_us(per_second))
    for tenth in range(40):
        now = to_us(NOON - back) + tenth * 100_000
        tat, slots = take_slots(tat, now, 500, spacing_us(per_second))
        if slots.count:
            assert tenth * 100_000 > ahead + LIFE_US
            return
    raise AssertionError("four seconds, and nothing was sent")


def test_a_slot_may_be_used_for_40_ms_and_no_longer() -> None:
    """Later than that it could meet another second's requests."""
    assert not is_past(NOON, NOON - timedelta(seconds=1))
    assert not is_past(NOON, NOON + SLOT_LIFE)
    assert is_past(NOON, NOON + SLOT_LIFE + timedelta(microseconds=1))


@given(st.datetimes(min_value=NOON.replace(tzinfo=None)))
def test_instants_survive_the_way_through_microseconds(instant: object) -> None:
    """PostgreSQL and Python calculate in whole microseconds, without rounding."""
    aware = instant.replace(tzinfo=NOON.tzinfo)  # type: ignore[attr-defined]
    assert from_us(to_us(aware)) == aware
