"""What a campaign has done and earned, as numbers: the words for them are the `todoke report` command's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from todoke_scheduler.domain.intervals import Interval, Sample, newcombe, welch, wilson


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of a step. `free`, which left as replies, and `clicked` are among the `accepted`; the states add up
    to `asked`.

    `clickers`: the people behind `clicked`. `clicks`: how often links were followed, those that all copies of a message
    share included, of which nobody knows by whom.
    """

    step: str
    asked: int
    accepted: int
    free: int
    clicked: int
    clickers: int
    clicks: int
    failed: int
    dropped: int
    held: int
    unknown: int
    under_way: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of a cohort. `ended` early, by reason, `active` and `done` are of those that get messages.

    `open`: of all runs, those that began so lately that a goal may still be counted for them.
    """

    entered: int
    holdout: int
    active: int
    done: int
    ended: Mapping[str, int]
    open: int


@dataclass(frozen=True, slots=True)
class Group:
    """People who were treated alike. `mean` and `variance`: of the yen of each, those who bought nothing included."""

    name: str
    people: int
    converted: int
    mean: float
    variance: float

    @property
    def rate(self) -> float:
        """The share that converted."""
        return self.converted / self.people

    @property
    def rate_interval(self) -> Interval:
        """How sure that is."""
        return wilson(self.converted, self.people)

    @property
    def revenue(self) -> float:
        """All of them together, yen."""
        return self.mean * self.people

    @property
    def sample(self) -> Sample:
        """The yen of each."""
        return Sample(self.people, self.mean, self.variance)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A group less another one: the difference of the shares that converted, and of the yen a person.

    `revenue_interval` None: nobody bought anything, or there are not even two people on each side.
    """

    group: str
    against: str
    rate: float
    rate_interval: Interval
    revenue: float
    revenue_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Split:
    """A split's branches by name, and each but the first compared with the first."""

    name: str
    arms: Sequence[Group]

    @property
    def comparisons(self) -> list[Comparison]:
        """Each further branch less the first."""
        return [compare(arm, self.arms[0]) for arm in self.arms[1:]]


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign and a cohort of its runs: all that began at `since` or later (None: ever).

    `messaged`: everybody but the holdout, reached or not: in the holdout, too, are people whom nothing would reach.
    Both are None where there is nobody.
    """

    campaign: str
    name: str
    version: int
    since: datetime | None
    runs: Runs
    steps: Sequence[Messages]
    messaged: Group | None
    holdout: Group | None
    splits: Sequence[Split]

    @property
    def lift(self) -> Comparison | None:
        """Those who get messages less the holdout."""
        return compare(self.messaged, self.holdout) if self.messaged and self.holdout else None


def compare(group: Group, other: Group) -> Comparison:
    """The difference that being treated so makes."""
    return Comparison(
        group.name,
        other.name,
        group.rate - other.rate,
        newcombe(group.converted, group.people, other.converted, other.people),
        group.mean - other.mean,
        welch(group.sample, other.sample),
    )
