"""Rows -> entries: what belongs together in the file, and the events that it becomes, or why it becomes none."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from todoke_local.importing.columns import Columns
from todoke_local.importing.kinds import Choices, Kind, event_of
from todoke_local.importing.rows import Place, Row
from todoke_local.importing.values import Fields, RowError
from todoke_shared.contracts.envelope import MAX_EVENT_BYTES
from todoke_shared.jsons import dumps

MAX_GROUP = 1000
"""Rows of one order; an event takes 500 items, and a batch must hold whatever a group becomes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, and why."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Rows that are one thing, and its events as JSON: none when there is nothing to tell.

    `refused`: the rows of it, and those between them, that are not taken. `after`: the place after all of them.
    `not_read`: fields that could not be read, though their rows can, each with the row's line.
    """

    rows: tuple[Row, ...]
    events: tuple[bytes, ...]
    refused: tuple[Refused, ...]
    after: Place
    not_read: tuple[tuple[str, int], ...] = ()


class Seen:
    """Which groups have come, in a few megabytes however many: SQLite keeps what is more in a file of its own."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, key: str) -> bool:
        """Whether the key is new."""
        number = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,)).rowcount == 1

    def close(self) -> None:
        """Give back the memory and the file."""
        self._database.close()


@dataclass
class _Group:
    """`unread`: rows between (or just after) these that cannot be read; nobody knows whether they belong to them."""

    key: str | None
    rows: list[Row]
    fields: list[Fields]
    unread: list[Refused]
    reason: str = ""


class Entries:
    """The entries of a file's rows, in its order."""

    def __init__(self, kind: Kind, columns: Columns, choices: Choices) -> None:
        self._kind = kind
        self._columns = columns
        self._choices = choices
        self._group = next((field for field in kind.group if field in columns.places), None)
        self._seen = Seen() if kind.once else None

    @property
    def remembers(self) -> bool:
        """Whether an entry depends on those before it, so that going on in the middle must `pass_over` them first."""
        return self._seen is not None

    def pass_over(self, rows: Iterable[Row]) -> None:
        """Know the rows of an earlier run without telling of them again."""
        for group in self._groups(rows):
            self._is_new(group)

    def of(self, rows: Iterable[Row]) -> Iterator[Entry]:
        """Each entry as soon as its last row has come."""
        for group in self._groups(rows):
            if not self._is_new(group):
                group.reason = (
                    f"{self._group} has come further up already; its rows must stand together: sort the file by it"
                )
            yield self._entry(group)

    def close(self) -> None:
        """Give back what was kept to know repeated groups."""
        if self._seen is not None:
            self._seen.close()

    def _is_new(self, group: _Group) -> bool:
        return self._seen is None or group.key is None or self._seen.add(group.key)

    def _entry(self, group: _Group) -> Entry:
        rows = (*group.rows, *(refused.row for refused in group.unread))
        after = max((row.after for row in rows), key=lambda place: place.offset)
        events: tuple[bytes, ...] = ()
        try:
            if group.reason:
                raise RowError(group.reason)
            drafts = self._kind.read(group.fields, self._choices) if group.rows else []
            events = tuple(dumps(event_of(draft, self._kind.name, self._choices)) for draft in drafts)
            if any(len(event) > MAX_EVENT_BYTES for event in events):
                raise RowError(f"would be an event larger than {MAX_EVENT_BYTES // 1024} KiB")
        except RowError as error:
            refused = (*(Refused(row, str(error)) for row in group.rows), *group.unread)
            return Entry((), (), refused, after)
        not_read = tuple(
            (name, row.line)
            for row, fields in zip(group.rows, group.fields, strict=True)
            for name in self._kind.not_read(fields)
        )
        return Entry(tuple(group.rows), events, tuple(group.unread), after, not_read if events else ())

    def _groups(self, rows: Iterable[Row]) -> Iterator[_Group]:
        """Rows that agree in the group's field; a row that cannot be read spoils the group that it cuts in two."""
        group = _Group(None, [], [], [])
        for row in rows:
            found = self._read(row)
            if found.unread and len(group.unread) < MAX_GROUP:
                group.unread += found.unread
            elif found.key is not None and found.key == group.key and len(group.rows) < MAX_GROUP:
                group.rows += found.rows
                group.fields += found.fields
                group.reason = group.reason or found.reason
                if group.unread:
                    group.reason = "another row of it, or one between its rows, cannot be read; put that one right"
            else:
                if group.rows or group.unread:
                    yield group
                group = found
        if group.rows or group.unread:
            yield group

    def _read(self, row: Row) -> _Group:
        try:
            if row.reason:
                raise ValueError(row.reason)
            fields = self._columns.fields(row.cells)
            refusal = self._columns.refusal(row.cells)
        except ValueError as error:
            return _Group(None, [], [], [Refused(row, str(error))])
        return _Group(fields.get(self._group) if self._group else None, [row], [fields], [], refusal)
