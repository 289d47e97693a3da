"""How sure a share, a difference of two shares, and a difference of two means are: 95% intervals in closed form.

scipy and statsmodels have these too, and would be fifty times the size of the scheduler. The tests hold the formulas to
the tables that their authors have published.
"""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054
"""Of the normal distribution, 97.5% lie below it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends; of 100 such intervals, some 95 hold the truth."""

    low: float
    high: float

    @property
    def tells(self) -> bool:
        """Whether it lies on one side of nothing at all."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers of people: how many, their mean, and their variance (of the sample, n - 1)."""

    size: int
    mean: float
    variance: float


def wilson(successes: int, size: int) -> Interval:
    """Of a share, by its score (Wilson 1927, JASA 22:209-212). ValueError for nobody."""
    if not 0 <= successes <= size or not size:
        raise ValueError(f"{successes} of {size} is no share")
    share, z2 = successes / size, Z * Z
    middle = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = Z * sqrt(share * (1 - share) / size + z2 / (4 * size * size)) / (1 + z2 / size)
    # At the ends rounding would leave a hair of 0 or 1.
    return Interval(0.0 if successes == 0 else middle - half, 1.0 if successes == size else middle + half)


def newcombe(successes: int, size: int, other: int, other_size: int) -> Interval:
    """Of the first share less the other one (Newcombe 1998, Statistics in Medicine 17:873-890, method 10).

    ValueError where either is of nobody.
    """
    one, two = successes / size if size else 0.0, other / other_size if other_size else 0.0
    first, second = wilson(successes, size), wilson(other, other_size)
    below = sqrt((one - first.low) ** 2 + (second.high - two) ** 2)
    above = sqrt((first.high - one) ** 2 + (two - second.low) ** 2)
    return Interval(one - two - below, one - two + above)


def welch(one: Sample, other: Sample) -> Interval | None:
    """Of the first mean less the other one, the variances not taken to be equal (Welch 1947, Biometrika 34:28-35).

    None where one of them has fewer than two people, or neither varies.
    """
    if min(one.size, other.size) < 2:
        return None
    first, second = one.variance / one.size, other.variance / other.size
    if not first + second:
        return None
    freedom = (first + second) ** 2 / (first**2 / (one.size - 1) + second**2 / (other.size - 1))
    half = student(freedom) * sqrt(first + second)
    difference = one.mean - other.mean
    return Interval(difference - half, difference + half)


def student(freedom: float) -> float:
    """Of Student's t distribution, 97.5% lie below it (Abramowitz and Stegun 1964, 26.7.5).

    From 3 degrees of freedom on within 1% of the true one; below, it is taken for 3, and too short.
    """
    f = max(freedom, 3.0)
    return (
        Z
        + (Z**3 + Z) / (4 * f)
        + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * f**2)
        + (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * f**3)
        + (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / (92160 * f**4)
    )
