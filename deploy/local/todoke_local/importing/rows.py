"""A CSV file's rows, one at a time, each with its place; a row that cannot be read is refused by itself.

The place is in bytes, so that a reader can go on exactly where another has stopped. An open quote would swallow the
rows after it: such a row is refused, and reading goes on with the line after the one that it began in.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_ROW_BYTES = 128 * 1024
"""No export's row is larger; an event is at most 256 KiB."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row begins: its offset in bytes, its line's number from 1."""

    offset: int
    line: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the number of its first line (from 1), the place after it, and its cells.

    `reason`: why it cannot be read; its cells are then as much as can be shown.
    """

    line: int
    after: Place
    cells: list[str]
    reason: str = ""


class _UnreadableError(Exception):
    """A line that cannot be part of any row; the message says why."""


class _Lines:
    """Lines for the csv module, which takes as many as make a row."""

    def __init__(self, file: BinaryIO, encoding: str, place: Place) -> None:
        self._file = file
        self._encoding = encoding
        self._size = 0
        self.place = place
        self.after_first = place
        self.first = b""
        file.seek(place.offset)

    def begin_row(self) -> None:
        """What is read from here on is a new row."""
        self._size = 0

    def back_to_second_line(self) -> None:
        """Read on with the line after the one that the row began in."""
        self.place = self.after_first
        self._file.seek(self.place.offset)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._read_line()
        if not raw:
            raise StopIteration
        begins = self._size == 0
        self._size += len(raw)
        if begins:
            self.after_first, self.first = self.place, raw
        if self._size > MAX_ROW_BYTES:
            raise _UnreadableError(f"is larger than {MAX_ROW_BYTES // 1024} KiB; is a quotation mark never closed?")
        if b"\x00" in raw:
            raise _UnreadableError("holds the character U+0000; remove it")
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            raise _UnreadableError(f"is not {self._encoding} as the rest of the file is") from None

    def _read_line(self) -> bytes:
        raw = self._file.readline(MAX_ROW_BYTES + 1)
        size, more = len(raw), raw
        while len(more) > MAX_ROW_BYTES and not more.endswith(b"\n"):
            more = self._file.readline(MAX_ROW_BYTES + 1)
            size += len(more)
        self.place = Place(self.place.offset + size, self.place.line + 1)
        return raw


def read_rows(file: BinaryIO, encoding: str, delimiter: str, place: Place) -> Iterator[Row]:
    """The rows from `place` on; lines without a cell that says something are passed over."""
    lines = _Lines(file, encoding, place)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first_line = lines.place.line
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _UnreadableError) as error:
            lines.back_to_second_line()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            reason = str(error) if isinstance(error, _UnreadableError) else f"is no CSV: {error}"
            shown = lines.first[:MAX_ROW_BYTES].decode(encoding, "replace").rstrip("\r\n")
            yield Row(first_line, lines.place, [shown], reason)
            continue
        if any(cells):
            yield Row(first_line, lines.place, cells)


def delimiter_of(header: str) -> str:
    """Comma or tab, whichever the first line has more of."""
    return "\t" if header.count("\t") > header.count(",") else ","
