"""What campaigns may send in a month, and what they have reserved of it. In PostgreSQL, on the caller's connection."""

from collections.abc import Collection, Mapping
from datetime import date

from todoke_dispatcher.adapters.channels import QuotaExceededError
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "budgets.sql")

Version = tuple[str, int]
"""A campaign and its version."""


async def current_versions(connection: Connection) -> set[Version]:
    """The versions in force."""
    return {(row["campaign"], row["version"]) for row in await connection.fetch(_SQL["current_versions"])}


async def budgets(connection: Connection, versions: Collection[Version]) -> dict[Version, tuple[str, object]]:
    """The account of each of these versions, and what it says of a budget, as it was published; None: nothing."""
    columns = [name for name, _ in versions], [number for _, number in versions]
    rows = await connection.fetch(_SQL["budgets"], *columns)
    return {(row["campaign"], row["version"]): (row["account"], row["budget"]) for row in rows}


async def lock(connection: Connection, month: date, campaigns: Collection[str]) -> dict[str, int]:
    """What these campaigns have reserved of the month, locked until the transaction ends."""
    names = sorted(campaigns)
    rows = await connection.fetch(_SQL["lock_campaigns"], month, names)
    if len(rows) < len(names):
        missing = sorted(set(names) - {row["campaign"] for row in rows})
        await connection.execute(_SQL["add_campaigns"], month, missing)
        rows = await connection.fetch(_SQL["lock_campaigns"], month, names)
    return {row["campaign"]: row["messages"] for row in rows}


async def read(connection: Connection, month: date, campaigns: Collection[str]) -> dict[str, int]:
    """What these campaigns have reserved of the month as it stands."""
    rows = await connection.fetch(_SQL["read_campaigns"], month, sorted(campaigns))
    return {row["campaign"]: row["messages"] for row in rows}


async def reserve(
    connection: Connection, month: date, messages: Mapping[str, int], limits: Mapping[str, int | None]
) -> None:
    """Take so many of the month for each campaign. QuotaExceededError when they do not fit under its limit."""
    names = sorted(messages)
    columns = names, [messages[name] for name in names], [limits.get(name) for name in names]
    taken = await connection.fetch(_SQL["reserve_campaigns"], month, *columns)
    if len(taken) < len(names):
        beyond = sorted(set(names) - {row["campaign"] for row in taken})
        raise QuotaExceededError(f"the messages of {', '.join(beyond)} do not fit into the budget")


async def give_back(connection: Connection, messages: Mapping[tuple[date, str], int]) -> None:
    """Give so many back, by month and campaign: LINE has definitively not taken them."""
    if messages:
        months, names = [month for month, _ in messages], [name for _, name in messages]
        await connection.execute(_SQL["give_back_campaigns"], months, names, list(messages.values()))
