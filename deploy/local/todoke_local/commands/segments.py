"""`todoke segments check|publish|withdraw|list|count`."""

import asyncio
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from todoke_local.settings import LocalSettings
from todoke_segmenter.adapters import audiences
from todoke_segmenter.adapters.audiences import Count, Listed
from todoke_segmenter.adapters.publishing import Publication
from todoke_segmenter.adapters.publishing import publish as publish_all
from todoke_segmenter.adapters.publishing import withdraw as withdraw_one
from todoke_segmenter.adapters.segments import current_segments
from todoke_shared.conditions import Condition, ConditionError, parse_condition, resolve
from todoke_shared.conditions.operands import one_of_these
from todoke_shared.contracts.json_values import field_path
from todoke_shared.people import TOKYO
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Write, check, publish and count segments of customers."
)

Place = Annotated[Path | None, typer.Argument(help="A segment file or a folder of them (default: TODOKE_SEGMENTS)")]


@app.command("check")
def check(place: Place = None) -> None:
    """Report every mistake in segment files, with file, line and what to write instead."""
    settings = LocalSettings()
    segments = _checked(settings, place)
    Console().print(f"{len(segments)} {'segment' if len(segments) == 1 else 'segments'}, no mistakes.")


@app.command("publish")
def publish(place: Place = None) -> None:
    """Check segments and put them in force. Everybody is asked in the background; nobody is told of it."""
    settings = LocalSettings()
    segments = _checked(settings, place)

    async def go() -> list[Publication]:
        async with await _open(settings) as pool:
            return await publish_all(pool, segments)

    for publication in asyncio.run(go()):
        state = "published" if publication.new else "unchanged"
        Console().print(f"{publication.segment}: version {publication.version}, {state}")


@app.command("withdraw")
def withdraw(name: Annotated[str, typer.Argument(help="A segment")]) -> None:
    """Take a segment out of force. Whoever is in it leaves it, and campaigns that listen hear of it.

    Refused while a campaign in force or another segment asks for it. Publishing it again brings it back.
    """
    settings = LocalSettings()

    async def go() -> None:
        async with await _open(settings) as pool:
            await _must_be_published(pool, name)
            await withdraw_one(pool, name)

    asyncio.run(go())
    words = f"{name}: withdrawn; whoever is in it leaves it now. Remove its file, or the next publish brings it back."
    Console().print(words, highlight=False)


@app.command("list")
def list_(name: Annotated[str | None, typer.Argument(help="A segment: list who is in it")] = None) -> None:
    """List the segments in force with their sizes; of one segment, everybody in it (tab-separated)."""
    settings = LocalSettings()
    if name is not None:
        asyncio.run(_list_members(settings, name))
        return
    table = Table("segment", "name", "version", "people", "asked")
    for row in asyncio.run(_list_segments(settings)):
        asked = "everybody" if row.asked == 1 else f"{row.asked:.1%}"
        table.add_row(row.segment, row.name, str(row.version), _in_words(row.members), asked)
    Console().print(table)


@app.command("count")
def count(
    name: Annotated[str | None, typer.Argument(help="A segment")] = None,
    when: Annotated[str | None, typer.Option(help="A condition instead, as YAML: '{orders: {at_least: 2}}'")] = None,
) -> None:
    """Count the people in a segment, or of whom a condition holds. Of many people, a sample is counted."""
    if (name is None) == (when is None):
        raise ValueError("name a segment, or give a condition with --when")
    settings = LocalSettings()
    found = asyncio.run(_count_members(settings, name) if name is not None else _count_holding(settings, when or ""))
    Console().print(_in_words(found), highlight=False)


async def _list_segments(settings: LocalSettings) -> list[Listed]:
    async with await _open(settings) as pool:
        published = await current_segments(pool)
        names = [one.segment.segment for one in published]
        sizes = await audiences.count_members(pool, names) if names else {}
        shares = await audiences.share_asked(pool, [one.revision for one in published])
    return [
        Listed(one.segment.segment, one.segment.name, one.version, sizes[one.segment.segment], share)
        for one, share in zip(published, shares, strict=True)
    ]


async def _list_members(settings: LocalSettings, name: str) -> None:
    async with await _open(settings) as pool:
        await _must_be_published(pool, name)
        async with pool.acquire() as connection:
            async for member in audiences.list_members(connection, name):
                sys.stdout.write(f"{member.person}\t{member.since.isoformat()}\t{','.join(member.customers)}\n")


async def _count_members(settings: LocalSettings, name: str) -> Count:
    async with await _open(settings) as pool:
        await _must_be_published(pool, name)
        return (await audiences.count_members(pool, [name]))[name]


def _checked(settings: LocalSettings, place: Path | None) -> list[Segment]:
    from todoke_local.segment_check import check_segments  # noqa: PLC0415 - to count and to list, no file is read

    return check_segments(place or settings.segments, settings.segments)


async def _count_holding(settings: LocalSettings, when: str) -> Count:
    from todoke_shared.yaml_files import read_value  # noqa: PLC0415 - as above

    written = read_value(when, "--when")
    async with await _open(settings) as pool:
        known = {one.segment.segment: one.segment.condition for one in await current_segments(pool)}
        condition = resolve(_condition(written, known), known)
        now = (await open_clock(pool)).now()
        return await audiences.count_holding(pool, condition, now, TOKYO)


def _condition(written: object, segments: Collection[str]) -> Condition:
    try:
        return parse_condition(written, segments=segments, events=False)
    except ConditionError as error:
        told = (f"{field_path(one.path) if one.path else '--when'}: {one}" for one in (error, *error.others))
        raise ValueError("\n".join(told)) from None


async def _must_be_published(pool: "asyncpg.Pool[asyncpg.Record]", name: str) -> None:
    names = [one.segment.segment for one in await current_segments(pool)]
    if not names:
        raise ValueError("no segment is published; `todoke segments publish` puts those of the folder in force")
    one_of_these(name, (), names, "segment")


async def _open(settings: LocalSettings) -> "asyncpg.Pool[asyncpg.Record]":
    return await open_pool(settings.need("postgres_dsn"), application="segments", schema="segmenter", size=1)


def _in_words(count: Count) -> str:
    if not count.error:
        return f"{count.people:,}"
    return f"about {count.people:,} (± {count.error:,}, 95 times in 100; {count.sampled:,} people looked at)"
