"""Aggregation units: the names under which LINE counts pushes and multicasts, at most 1,000 a month and account."""

from collections import Counter
from datetime import datetime

from todoke_line_simulator.limits import Json
from todoke_line_simulator.quota import TOKYO

MOST_UNITS = 1000
FIELD = "customAggregationUnits"


def unit_of(body: Json) -> str | None:
    """The unit of a request that was checked, if it has one."""
    units = body.get(FIELD)
    return str(units[0]) if isinstance(units, list) and units else None


def is_unit(unit: object) -> bool:
    """Whether LINE takes the name."""
    return isinstance(unit, str) and 1 <= len(unit) <= 30 and unit.isascii() and unit.replace("_", "a").isalnum()


class Units:
    """Recipients of one account by unit in the month now. Names beyond the limit are left out without a word."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._month: tuple[int, int] = (0, 0)

    def count(self, unit: str | None, recipients: int, now: float) -> None:
        """A request was accepted at ``now`` (Unix seconds)."""
        self._turn_month(now)
        if unit is not None and (unit in self._counts or len(self._counts) < MOST_UNITS):
            self._counts[unit] += recipients

    def report(self, now: float) -> dict[str, int]:
        """Recipients by unit."""
        self._turn_month(now)
        return dict(self._counts)

    def _turn_month(self, now: float) -> None:
        local = datetime.fromtimestamp(now, TOKYO)
        if (local.year, local.month) != self._month:
            self._month = (local.year, local.month)
            self._counts.clear()
