"""Intervals, held to the worked examples that their authors have published."""

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_scheduler.domain.intervals import Interval, Sample, newcombe, student, welch, wilson


def rounded(interval: Interval) -> tuple[float, float]:
    """To four places, as the tables have it."""
    return round(interval.low, 4), round(interval.high, 4)


@pytest.mark.parametrize(
    ("successes", "size", "interval"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_a_share_is_as_sure_as_newcombes_table_says(successes: int, size: int, interval: tuple[float, float]) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3 (Wilson's score)."""
    assert rounded(wilson(successes, size)) == interval


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_a_difference_is_as_sure_as_newcombes_table_says(
    counts: tuple[int, int, int, int], interval: tuple[float, float]
) -> None:
    """Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10."""
    assert rounded(newcombe(*counts)) == interval


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (120, 1.980), (1e9, 1.960)],
)
def test_students_quantile_is_the_tables(freedom: float, quantile: float) -> None:
    """NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2; from 4 on to three places or nearly."""
    assert student(freedom) == pytest.approx(quantile, abs=0.004 if freedom < 4 else 0.0011)


def test_a_difference_of_means_is_as_sure_as_nists_example_says() -> None:
    """NIST/SEMATECH e-Handbook, 1.3.5.3, miles per gallon: T = -12.94627 with 136.8750 degrees of freedom."""
    one, other = Sample(249, 20.14458, 6.414700**2), Sample(79, 30.48101, 6.107710**2)
    interval = welch(one, other)
    assert interval is not None
    half = (interval.high - interval.low) / 2
    difference = one.mean - other.mean
    assert (interval.high + interval.low) / 2 == pytest.approx(difference)
    assert difference / (half / student(136.8750)) == pytest.approx(-12.94627, abs=1e-4)


def test_nobody_and_nothing_that_varies_tell_nothing() -> None:
    """There is no share of nobody, and no difference among people who all bought nothing."""
    with pytest.raises(ValueError, match="no share"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="no share"):
        newcombe(1, 2, 0, 0)
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)
    assert welch(Sample(1, 5.0, 0.0), Sample(10, 5.0, 2.0)) is None
    assert welch(Sample(10, 0.0, 0.0), Sample(10, 0.0, 0.0)) is None


COUNTS = st.integers(1, 10_000).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))


@given(COUNTS, COUNTS)
def test_an_interval_lies_around_what_was_counted(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Within what is possible, and the other way round it is the same, mirrored."""
    share, of = wilson(*one), one[0] / one[1]
    assert 0 <= share.low <= of <= share.high <= 1
    there, back = newcombe(*one, *other), newcombe(*other, *one)
    assert -1 <= there.low <= of - other[0] / other[1] <= there.high <= 1 + 1e-12
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_of_a_hundred_intervals_ninety_five_hold_the_truth() -> None:
    """Over all that two groups of 60 and 20 can come to, by the exact chance of each."""

    def chance(successes: int, size: int, share: float) -> float:
        return comb(size, successes) * share**successes * (1 - share) ** (size - successes)

    holds = 0.0
    for successes, other in product(range(61), range(21)):
        interval = newcombe(successes, 60, other, 20)
        if interval.low <= 0.1 <= interval.high:
            holds += chance(successes, 60, 0.3) * chance(other, 20, 0.2)
    assert 0.94 <= holds <= 0.97
