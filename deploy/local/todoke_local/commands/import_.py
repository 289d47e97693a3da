"""`todoke import customers|orders|products|friends FILE`: what another tool exported, for moving over."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from todoke_local.importing.customers import CUSTOMERS
from todoke_local.importing.door import EventsDoor, Tell
from todoke_local.importing.friends import FRIENDS
from todoke_local.importing.importer import SHOWN, Import, Watch, begin
from todoke_local.importing.kinds import Choices, Kind
from todoke_local.importing.orders import ORDERS
from todoke_local.importing.products import PRODUCTS
from todoke_local.importing.progress import Counts, Progress, progress_file
from todoke_local.importing.source import Source, open_source
from todoke_local.importing.survey import Encoding
from todoke_local.names import check_account, check_shop
from todoke_local.settings import LocalSettings
from todoke_local.stopping import run_until_stopped
from todoke_shared.accounts import read_config

KINDS = {kind.name: kind for kind in (CUSTOMERS, ORDERS, PRODUCTS, FRIENDS)}
KindName = Literal["customers", "orders", "products", "friends"]
NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
_NOT_READ = {
    "prefecture": "none that we know: it is kept as it is written, and no condition asks for it",
    "email": "no e-mail address, and left out",
    "phone": "no telephone number, and left out",
}
ROWS_WERE_REFUSED = 3
"""The exit code when all went well but for rows that were refused: FILE.refused.csv has them."""


@dataclass(frozen=True)
class _Asked:
    """The command's options that decide what a row becomes; a later run must have the same."""

    kind: Kind
    shop: str
    account: str
    mapped: dict[str, str]
    time_zone: str
    as_of: datetime | None
    live: bool
    link_emails: bool

    def words(self, encoding: str) -> dict[str, str]:
        """As the progress keeps them."""
        return {
            "kind": self.kind.name,
            "--shop": self.shop,
            "--account": self.account,
            "--map": ", ".join(f"{heading}={field}" for heading, field in sorted(self.mapped.items())),
            "--encoding": encoding,
            "--time-zone": self.time_zone,
            "--as-of": self.as_of.isoformat() if self.as_of else "",
            "--live": "yes" if self.live else "",
            "--link-emails": "yes" if self.link_emails else "",
        }

    def choices(self, as_of: datetime) -> Choices:
        """As the importer takes them. ValueError for a time zone that is none."""
        try:
            zone = ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"--time-zone {self.time_zone}: there is none; write one such as Asia/Tokyo") from None
        exported = self.as_of or as_of
        exported = exported if exported.tzinfo else exported.replace(tzinfo=zone)
        return Choices(self.shop, self.account, zone, exported, not self.live, self.link_emails)


def import_(  # noqa: PLR0913, PLR0917 - each is an option of the command
    kind: Annotated[KindName, typer.Argument(help="What the rows are")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, with a heading")],
    shop: Annotated[str, typer.Option(help="The shop that the rows are of")] = "main",
    account: Annotated[str, typer.Option(help="The LINE account that the user ids are of")] = "main",
    map_: Annotated[list[str] | None, typer.Option("--map", help="HEADING=FIELD, for a column not known")] = None,
    encoding: Annotated[Encoding, typer.Option(help="Of the file")] = "auto",
    time_zone: Annotated[str, typer.Option(help="Of times without an offset")] = "Asia/Tokyo",
    as_of: Annotated[
        datetime | None, typer.Option(help="When the file was exported, for rows without a time (else: its date)")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Orders alone: let them start campaigns")] = False,
    link_emails: Annotated[
        bool, typer.Option("--link-emails", help="Customers alone: orders known by their e-mail address are theirs")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read it all, post nothing, tell what would be")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="From the first row, whatever an earlier run did")] = False,
) -> None:
    """Tell Todoke what another tool knew: members, orders, products, or the friends of a LINE account.

    The rows go to ingest (TODOKE_INGEST_URL, with the key TODOKE_INGEST_KEY) as history: they are known from then on,
    and send no message. A stopped import goes on where it was when it is started again; a repeated one changes nothing.
    Ends with 3 when rows were refused: FILE.refused.csv has them, with the reasons. See docs/import.md.
    """
    chosen = KINDS[kind]
    if (live and chosen is not ORDERS) or (link_emails and chosen is not CUSTOMERS):
        raise ValueError("--live is for orders alone, --link-emails for customers alone")
    for option, name in (("--shop", shop), ("--account", account)):
        if not re.fullmatch(NAME_PATTERN, name):
            raise ValueError(f"{option} {name}: a name is of a-z, 0-9, _ and -, as in TODOKE_CONFIG")
    mapped = dict(_mapping(text) for text in map_ or ())
    source = open_source(file, chosen, encoding, mapped)
    _check_names(LocalSettings(), source, shop, account)
    asked = _Asked(chosen, shop, account, mapped, time_zone, as_of, live, link_emails)
    _run(_prepare(source, asked, afresh=restart or dry_run), Console(), dry_run=dry_run)


def _check_names(settings: LocalSettings, source: Source, shop: str, account: str) -> None:
    """ValueError for a shop or an account that is not here, as far as this terminal can know."""
    config = read_config(settings.config)
    if config.trial and settings.ingest_url is not None:
        return  # that ingest has a configuration of its own, which need not be on this machine
    check_shop(config, shop)
    if "line_user_id" in source.columns.places:
        check_account(config, account)


def _prepare(source: Source, asked: _Asked, *, afresh: bool) -> Import:
    """The import as it is now: at its beginning, or where an earlier run stopped."""
    words = asked.words(source.survey.encoding)
    earlier = None if afresh else Progress.read(progress_file(source.file))
    if earlier is not None:
        earlier.check(source.survey, words)
    choices = asked.choices(datetime.fromisoformat(earlier.as_of) if earlier else _date_of(source.file))
    return Import(source, asked.kind, choices, earlier or begin(source, choices, words))


def _run(whole: Import, console: Console, *, dry_run: bool) -> None:
    _tell_columns(whole.source, whole.kind, console)
    if whole.progress.done:
        console.print(f"Imported already: {_told(whole.progress.counts)}. With --restart it is imported again.")
    elif dry_run:
        _rehearse(whole, console)
    else:
        run_until_stopped(_import(LocalSettings(), whole, console))
    if whole.progress.counts.refused:
        raise typer.Exit(ROWS_WERE_REFUSED)


async def _import(settings: LocalSettings, whole: Import, console: Console) -> None:
    progress = whole.progress
    if progress.counts.rows:
        console.print(f"Going on at line {progress.line}, after {_told(progress.counts)}.")
    url = (settings.ingest_url or f"http://127.0.0.1:{settings.ingest_port}").rstrip("/")
    key = settings.ingest_key.get_secret_value() if settings.ingest_key else None
    try:
        async with aiohttp.ClientSession(trust_env=False) as session:
            with _bar(whole.source, console) as (watch, tell):
                watch(progress)
                refused = await whole.run(EventsDoor(session, url, tell, key).post, watch)
    except asyncio.CancelledError:
        console.print(
            f"Stopped before line {progress.line}, after {_told(progress.counts)}. Started again, it goes on."
        )
        raise
    console.print(f"Imported {_told(progress.counts)}.")
    _tell_not_read(progress.counts, console)
    if progress.counts.refused:
        words = f"The refused rows, and why: {refused.file}. Put them right and import that file."
        console.print(words, style="yellow", markup=False, highlight=False)


def _rehearse(whole: Import, console: Console) -> None:
    with _bar(whole.source, console) as (watch, _):
        found = whole.rehearse(datetime.now(UTC), watch)
    for event in found.sample:
        console.print_json(event.decode())
    for one in found.refused:
        console.print(f"line {one.row.line}: {one.reason}", markup=False, highlight=False)
    counts = whole.progress.counts
    if counts.refused > SHOWN:
        console.print(f"… and {counts.refused - SHOWN:,} more")
    console.print(f"A dry run, nothing was posted: {_told(counts)}.")
    _tell_not_read(counts, console)


def _tell_not_read(counts: Counts, console: Console) -> None:
    """Which rows say something that nobody can read; never what they say."""
    for name, found in sorted(counts.not_read.items()):
        more = f" and {found.rows - len(found.lines):,} more" if found.rows > len(found.lines) else ""
        lines = ", ".join(map(str, found.lines))
        words = f"{name} is {_NOT_READ[name]} (lines {lines}{more})"
        console.print(f"{found.rows:,} rows are taken, but {words}.", style="yellow", markup=False, highlight=False)


def _tell_columns(source: Source, kind: Kind, console: Console) -> None:
    columns = source.columns
    read = ", ".join(
        f"{columns.header[place]} = {column.field}"
        for column in kind.columns
        if (place := columns.places.get(column.field)) is not None
    )
    console.print(f"Read: {read} ({source.survey.encoding})", markup=False, highlight=False)
    if columns.unread:
        console.print(f"Not read: {', '.join(columns.unread)}", markup=False, highlight=False)


@contextmanager
def _bar(source: Source, console: Console) -> Iterator[tuple[Watch, Tell]]:
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("", total=source.survey.size)

        def watch(progress: Progress) -> None:
            counts = progress.counts
            words = f"{counts.rows:,} rows, {counts.refused:,} refused"
            bar.update(task, completed=progress.offset, description=words)

        def tell(words: str) -> None:
            bar.update(task, description=words)

        yield watch, tell


def _told(counts: Counts) -> str:
    left_out = f", {counts.left_out:,} left out (nothing to tell)" if counts.left_out else ""
    return f"{counts.rows:,} rows: {counts.events:,} events, {counts.refused:,} rows refused{left_out}"


def _mapping(text: str) -> tuple[str, str]:
    heading, equals, field = text.rpartition("=")
    if not equals or not heading.strip():
        raise ValueError(f"--map {text}: write HEADING=FIELD, for example --map 'お客様コード=customer_id'")
    return heading.strip(), field.strip()


def _date_of(file: Path) -> datetime:
    """When a file was written, to the second; never in the future, where ingest would not take it."""
    return min(datetime.fromtimestamp(int(file.stat().st_mtime), UTC), datetime.now(UTC).replace(microsecond=0))
