"""Entries -> requests: as many events as ingest's door takes at once, with the rows that each came from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from todoke_local.importing.entries import Entry, Refused
from todoke_local.importing.rows import Place

MAX_EVENTS = 1000
MAX_BYTES = 1024 * 1024
"""What one request to POST /v1/events may hold (services/ingest/README.md)."""
MAX_ENTRIES = 5000
"""Rows that become nothing do not fill a request; the progress past them is kept all the same."""


@dataclass
class Batch:
    """Entries that are acknowledged together. `owners`: of each event, the entry that it came from."""

    entries: list[Entry] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    owners: list[Entry] = field(default_factory=list)
    size: int = 2

    def fits(self, entry: Entry) -> bool:
        """Whether the door would still take it; an empty batch takes any entry that fits a request at all."""
        more = sum(len(event) + 1 for event in entry.events)
        return not self.entries or (
            len(self.entries) < MAX_ENTRIES
            and len(self.events) + len(entry.events) <= MAX_EVENTS
            and self.size + more <= MAX_BYTES
        )

    def add(self, entry: Entry) -> None:
        """Take an entry."""
        self.entries.append(entry)
        self.events += entry.events
        self.owners += [entry] * len(entry.events)
        self.size += sum(len(event) + 1 for event in entry.events)

    @property
    def body(self) -> bytes:
        """The request's body: a JSON array of CloudEvents."""
        return b"[" + b",".join(self.events) + b"]"

    @property
    def after(self) -> Place:
        """The place after its last row."""
        return self.entries[-1].after

    @property
    def rows(self) -> int:
        """How many rows it holds, refused ones too."""
        return sum(len(entry.rows) + len(entry.refused) for entry in self.entries)

    def refused(self, by_ingest: dict[int, str]) -> list[Refused]:
        """Every row that is not taken: unreadable ones, and those whose event ingest refused (reasons by index)."""
        told: dict[int, str] = {}
        for index, reason in by_ingest.items():
            told.setdefault(id(self.owners[index]), f"ingest refused it: {reason}")
        found: list[Refused] = []
        for entry in self.entries:
            found += entry.refused
            if id(entry) in told:
                found += [Refused(row, told[id(entry)]) for row in entry.rows]
        return found

    def not_read(self, by_ingest: dict[int, str]) -> list[tuple[str, int]]:
        """Fields that could not be read of rows that are taken, each with the row's line."""
        refused = {id(self.owners[index]) for index in by_ingest}
        return [told for entry in self.entries if id(entry) not in refused for told in entry.not_read]


def batches(entries: Iterable[Entry]) -> Iterator[Batch]:
    """Full batches, and what remains."""
    batch = Batch()
    for entry in entries:
        if not batch.fits(entry):
            yield batch
            batch = Batch()
        batch.add(entry)
    if batch.entries:
        yield batch
