"""`todoke rebuild --from-topics`: is the live state what the topics make of it, and what would have been sent?"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from todoke_local.settings import LocalSettings
from todoke_local.stopping import run_until_stopped
from todoke_segmenter.rebuilding import SCHEMA, Counts, Outcome, drop_scratch
from todoke_segmenter.rebuilding import rebuild as rebuild_state

DIFFERENT = 3
"""The exit code when all went well, and the live state is not what the topics make of it."""
_SHOWN_PARTS = 20


def rebuild(
    from_topics: Annotated[bool, typer.Option("--from-topics", help="From what the event topics still hold")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="From scratch, though one was interrupted")] = False,
    keep: Annotated[bool, typer.Option("--keep", help=f"Leave the schema {SCHEMA}, to look into")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Only remove what was kept or interrupted")] = False,
) -> None:
    """Fold the event topics into a fresh state, sending nothing, and compare it with the live one, which goes on.

    Tells who differs and in which parts, never what is known of anybody; and the entries into campaigns that the live
    system has never heard of ("would have sent"). Interrupted, it goes on where it was when it is started again.
    Ends with 3 when something differs. Needs TODOKE_POSTGRES_DSN as the user that runs `todoke migrate`, and
    TODOKE_KAFKA_BOOTSTRAP_SERVERS. See docs/rebuild.md.
    """
    settings, console = LocalSettings(), Console()
    dsn = settings.need("postgres_dsn")
    if drop:
        asyncio.run(_drop(dsn))
        console.print(f"The schema {SCHEMA} is gone.")
        return
    if not from_topics:
        raise ValueError("say --from-topics: the event topics are the one thing a state can be rebuilt from")
    bootstrap = settings.need("kafka_bootstrap_servers")
    outcome = run_until_stopped(_rebuild(dsn, bootstrap, console, restart=restart, keep=keep))
    tell(outcome, console)
    if not outcome.comparison.is_equal:
        raise typer.Exit(DIFFERENT)


async def _rebuild(dsn: str, bootstrap: str, console: Console, *, restart: bool, keep: bool) -> Outcome:
    try:
        with _bar(console) as watch:
            return await rebuild_state(dsn, bootstrap, watch, restart=restart, keep=keep)
    except asyncio.CancelledError:
        console.print("Stopped. Started again, it goes on; `todoke rebuild --drop` gives its space back.")
        raise


async def _drop(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await drop_scratch(connection)
    finally:
        await connection.close()


class _Bar:
    """A line for each stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def stage(self, words: str, total: int | None) -> None:
        """A new line, and the one before is done."""
        self._finish()
        self._task = self._progress.add_task(words, total=total)

    def step(self, steps: int) -> None:
        """So many are done."""
        if self._task is not None:
            self._progress.advance(self._task, steps)

    def _finish(self) -> None:
        if self._task is not None:
            done = self._progress.tasks[self._task].completed
            self._progress.update(self._task, total=done, completed=done)


@contextmanager
def _bar(console: Console) -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress)


def tell(outcome: Outcome, console: Console) -> None:
    """What was found, for people."""
    went_on = " (an interrupted rebuild, gone on with)" if outcome.went_on else ""
    console.print(f"Folded {outcome.folded:,} records{went_on}.", highlight=False)
    if outcome.not_taken:
        console.print(f"{outcome.not_taken:,} records the live segmenter has still to take; they are on neither side.")
    people, products = outcome.comparison.people, outcome.comparison.products
    since = outcome.complete_since
    if since is None:
        console.print("The topics hold everything from the first event on: all people are compared.")
    else:
        console.print(
            f"The topics hold everything since {since:%Y-%m-%d %H:%M} UTC: that is the whole history of "
            f"{people.share:.1%} of the people. Of the others nothing is said where they differ (older).",
            highlight=False,
        )
    table = Table("", *(Column(name, justify="right") for name in _HEADINGS))
    for words, counts in (("people", people), ("products", products)):
        table.add_row(words, *(f"{number:,}" for number in _numbers(counts)))
    console.print(table)
    _tell_parts("People", people, console)
    _tell_parts("Products", products, console)
    _tell_sending(outcome, console)


_HEADINGS = ("equal", "different", "missing", "only rebuilt", "older")


def _numbers(counts: Counts) -> tuple[int, ...]:
    return counts.equal, counts.different, counts.missing, counts.only_rebuilt, counts.older


def _tell_parts(what: str, counts: Counts, console: Console) -> None:
    for part, number in counts.parts.most_common(_SHOWN_PARTS):
        names = ", ".join(difference.name for difference in counts.samples[part])
        more = " …" if number > len(counts.samples[part]) else ""
        words = f"{what}, {part}: {number:,} differ: {names}{more}"
        console.print(words, markup=False, highlight=False, soft_wrap=True)


def _tell_sending(outcome: Outcome, console: Console) -> None:
    sending = outcome.sending
    if sending.entries:
        table = Table("campaign", *(Column(name, justify="right") for name in ("entries", "known", "would have sent")))
        table.add_column("before it was published", justify="right")
        for campaign, entries in sending.entries.items():
            numbers = (entries.found, entries.known, entries.missing, entries.before)
            table.add_row(campaign, *(f"{number:,}" for number in numbers))
        console.print(table)
    else:
        console.print("No campaign would have been entered.")
    if sending.waiting:
        console.print(
            f"{sending.waiting:,} triggers are still on their way to the scheduler: it may know more in a moment."
        )
    if sending.unreadable:
        console.print(f"{sending.unreadable:,} records are out of the vocabulary, as the dead-letter topics have them.")
