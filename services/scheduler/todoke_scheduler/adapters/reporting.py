"""A campaign's report, counted in PostgreSQL: of a million people come a dozen rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg

from todoke_scheduler.domain.report import Group, Messages, Report, Runs, Split
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.campaigns.steps import Ask, Send
from todoke_shared.campaigns.steps import Split as SplitStep
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "reporting.sql")
LONGEST_SECONDS = 600
"""A million people take some ten."""
MESSAGED, HOLDOUT = "campaign", "holdout"


async def report(
    pool: "asyncpg.Pool[asyncpg.Record]", published: PublishedCampaign, since: datetime | None, now: datetime
) -> Report:
    """The report of a campaign's runs that began at `since` or later; `now` is the shop's time."""
    campaign = published.campaign
    cohort = (campaign.campaign, since)
    # In one snapshot, so that nobody is in one figure and not yet in another.
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0")  # an operator waits longer than a service may
        longest = max((goal.within for goal in campaign.goal), default=timedelta())
        groups = await _groups(connection, cohort)
        return Report(
            campaign.campaign,
            campaign.name,
            published.version,
            since,
            _runs(await _ask(connection, "count_runs", *cohort, now - longest)),
            _in_order(await _messages(connection, cohort), campaign),
            groups.get(MESSAGED),
            groups.get(HOLDOUT),
            _splits(await _ask(connection, "compare_arms", *cohort), campaign),
        )


async def _ask(connection: Connection, query: str, *about: object) -> list[asyncpg.Record]:
    return await connection.fetch(_SQL[query], *about, timeout=LONGEST_SECONDS)


async def _groups(connection: Connection, cohort: tuple[str, datetime | None]) -> dict[str, Group]:
    rows = await _ask(connection, "compare_people", *cohort)
    named = [(HOLDOUT if row["holdout"] else MESSAGED, row) for row in rows]
    return {name: _group(name, row) for name, row in named}


def _group(name: str, row: asyncpg.Record) -> Group:
    return Group(name, row["people"], row["converted"], row["mean"], row["variance"])


def _runs(rows: Sequence[asyncpg.Record]) -> Runs:
    total = Counter[str]()
    ended = Counter[str]()
    for row in rows:
        total["entered"] += row["runs"]
        total["open"] += row["open"]
        total["holdout" if row["holdout"] else row["status"]] += row["runs"]
        if row["status"] == "ended" and not row["holdout"]:
            ended[row["end_reason"] or ""] += row["runs"]
    return Runs(total["entered"], total["holdout"], total["active"], total["done"], dict(ended), total["open"])


async def _messages(connection: Connection, cohort: tuple[str, datetime | None]) -> list[Messages]:
    shared = {row["step"]: row["clicks"] for row in await _ask(connection, "count_shared_clicks", *cohort)}
    counted = [Messages(**dict(row)) for row in await _ask(connection, "count_messages", *cohort)]
    return [replace(one, clicks=one.clicks + shared.get(one.step, 0)) for one in counted]


def _in_order(counted: Sequence[Messages], campaign: Campaign) -> list[Messages]:
    """As the campaign's file has them; what is not in it any more comes last."""
    steps = [instruction.step for instruction in Program.of(campaign).instructions]
    sent = [step.send if isinstance(step, Send) else step.message for step in steps if isinstance(step, Send | Ask)]
    place = {name: number for number, name in reversed(list(enumerate(sent)))}
    return sorted(counted, key=lambda one: (place.get(one.step, len(sent)), one.step))


def _splits(rows: Sequence[asyncpg.Record], campaign: Campaign) -> list[Split]:
    """In the order of the file, those of earlier versions last; the branches by name (jsonb does not keep an order)."""
    instructions = Program.of(campaign).instructions
    named = [(instruction.step, instruction.place) for instruction in instructions]
    order = [step.name or place for step, place in named if isinstance(step, SplitStep)]
    arms: dict[str, list[Group]] = {}
    for row in rows:
        arms.setdefault(row["split"], []).append(_group(row["arm"], row))
    found = [name for name in order if name in arms] + sorted(arms.keys() - set(order))
    return [Split(name, arms[name]) for name in found]
