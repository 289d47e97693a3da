"""Imports a file, batch by batch: post, write down what was refused, write down how far it is; then the next.

May block: on ingest's door. May lose: nothing; what it has written down was acknowledged. May repeat: the batch that
was on its way when it stopped; its events have the same ids again, and readers recognise them.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from todoke_local.importing.batches import Batch, batches
from todoke_local.importing.entries import Entries, Entry, Refused
from todoke_local.importing.kinds import Choices, Kind
from todoke_local.importing.progress import Counts, NotRead, Progress, progress_file
from todoke_local.importing.refusals import RefusedFile
from todoke_local.importing.rows import Place
from todoke_local.importing.source import Source
from todoke_shared.contracts.ec_events import EcEvent, check_event
from todoke_shared.errors import BadMessageError

Watch = Callable[[Progress], None]
Post = Callable[[bytes, int], Awaitable[dict[int, str]]]
"""Has a body of so many events taken, and gives the reasons of those refused, by index (door.py)."""
SHOWN = 20
"""Refused rows that a rehearsal keeps; their number is told in any case."""


@dataclass(frozen=True)
class Import:
    """One import of a file. `progress` is what an earlier run wrote down, or a new one."""

    source: Source
    kind: Kind
    choices: Choices
    progress: Progress

    async def run(self, post: Post, watch: Watch) -> RefusedFile:
        """Have every row taken that can be. ValueError when the door will not open; the progress then stands."""
        kept, source = progress_file(self.source.file), self.source
        refused = RefusedFile(
            source.file, source.columns.header, source.survey.encoding, source.delimiter, self.progress.refused_bytes
        )
        refused.begin()
        with self._entries() as entries:
            for batch in batches(entries):
                by_ingest = await post(batch.body, len(batch.events)) if batch.events else {}
                rows = batch.refused(by_ingest)
                refused.add(rows)
                self._count(batch, len(rows), by_ingest)
                self.progress.refused_bytes = refused.size
                self.progress.write(kept)
                watch(self.progress)
        self.progress.done = True
        if refused.end():
            kept.unlink(missing_ok=True)
        else:
            self.progress.write(kept)
        return refused

    def rehearse(self, now: datetime, watch: Watch) -> "Rehearsal":
        """Read everything and post nothing: what a run would do, as far as it can be known without ingest."""
        found = Rehearsal()
        with self._entries() as entries:
            for batch in batches(_checked(entry, now) for entry in entries):
                rows = batch.refused({})
                found.sample += batch.events[: 3 - len(found.sample)]
                found.refused += rows[: SHOWN - len(found.refused)]
                self._count(batch, len(rows), {})
                watch(self.progress)
        return found

    @contextmanager
    def _entries(self) -> Iterator[Iterator[Entry]]:
        entries = Entries(self.kind, self.source.columns, self.choices)
        begin = Place(self.progress.offset, self.progress.line)
        try:
            if entries.remembers and begin.offset > self.source.begin.offset:
                before = takewhile(lambda row: row.after.offset <= begin.offset, self.source.rows())
                entries.pass_over(before)
            yield entries.of(self.source.rows(begin))
        finally:
            entries.close()

    def _count(self, batch: Batch, refused: int, by_ingest: dict[int, str]) -> None:
        counts, progress = self.progress.counts, self.progress
        counts.rows += batch.rows
        counts.refused += refused
        counts.events += len(batch.events) - len(by_ingest)
        counts.left_out += sum(len(entry.rows) for entry in batch.entries if not entry.events)
        for name, line in batch.not_read(by_ingest):
            counts.not_read.setdefault(name, NotRead()).add(line)
        progress.offset, progress.line = batch.after.offset, batch.after.line


@dataclass
class Rehearsal:
    """The first events that would be posted, as JSON, and the first rows that would be refused."""

    sample: list[bytes] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def begin(source: Source, choices: Choices, words: dict[str, str]) -> Progress:
    """The progress of an import that has not begun. `words`: the choices, as a later run compares them."""
    return Progress(
        size=source.survey.size,
        sha256=source.survey.sha256,
        choices=words,
        as_of=choices.as_of.isoformat(),
        offset=source.begin.offset,
        line=source.begin.line,
        counts=Counts(),
    )


def _checked(entry: Entry, now: datetime) -> Entry:
    """The entry as ingest would take it: held against the vocabulary."""
    try:
        for event in entry.events:
            read = EcEvent.from_json(event)
            check_event(read)
            if read.time - now > timedelta(minutes=15):
                raise BadMessageError("is in the future", field="time")
    except BadMessageError as error:
        refused = tuple(Refused(row, f"ingest would refuse it: {error}") for row in entry.rows)
        return Entry((), (), (*refused, *entry.refused), entry.after)
    return entry
