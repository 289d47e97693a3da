"""LINE's aggregation units in PostgreSQL: which names an account uses in a month, and what each stands for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from todoke_dispatcher.domain.units import MOST_A_MONTH, unit_name
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "units.sql")


class Unit(NamedTuple):
    """A campaign's step that sends in a month (its first day, Asia/Tokyo)."""

    account: str
    month: date
    campaign: str
    step: str

    @property
    def name(self) -> str:
        """What LINE knows it by."""
        return unit_name(self.campaign, self.step)


@dataclass(frozen=True, slots=True)
class ListedUnit:
    """A unit, as it is listed."""

    account: str
    month: date
    unit: str
    campaign: str
    step: str


async def add(connection: Connection, units: Collection[Unit]) -> dict[Unit, str | None]:
    """Enter units; gives the name of each, None where the month has no room for it."""
    named: dict[Unit, str | None] = {}
    for month in sorted({unit.month for unit in units}):
        of = {unit: unit.name for unit in units if unit.month == month}
        await connection.execute(
            _SQL["add_units"],
            month,
            [unit.account for unit in of],
            list(of.values()),
            [unit.campaign for unit in of],
            [unit.step for unit in of],
            MOST_A_MONTH,
        )
        rows = await connection.fetch(_SQL["units_of"], month, sorted({unit.account for unit in of}))
        known = {(row["account"], row["unit"]) for row in rows}
        named |= {unit: name if (unit.account, name) in known else None for unit, name in of.items()}
    return named


async def listed(connection: Connection, since: date) -> list[ListedUnit]:
    """The units of a month and those after it, the latest month first."""
    return [ListedUnit(**dict(row)) for row in await connection.fetch(_SQL["list_units"], since)]
