"""A file made ready to be read: surveyed, its heading found and understood."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from todoke_local.importing.columns import Columns, find_columns
from todoke_local.importing.kinds import Kind
from todoke_local.importing.rows import Place, Row, delimiter_of, read_rows
from todoke_local.importing.survey import Encoding, Survey, survey

_HEADING_ROWS = 5
"""Some tools write a title, or their own names of the columns, above the heading."""


@dataclass(frozen=True)
class Source:
    """A file, how to read it, and where its first row below the heading begins."""

    file: Path
    survey: Survey
    delimiter: str
    columns: Columns
    begin: Place

    def rows(self, place: Place | None = None) -> Iterator[Row]:
        """The rows from a place on, by default all of them."""
        with self.file.open("rb") as opened:
            yield from read_rows(opened, self.survey.encoding, self.delimiter, place or self.begin)


def open_source(file: Path, kind: Kind, encoding: Encoding, mapped: Mapping[str, str]) -> Source:
    """Survey a file and find its columns. ValueError tells what is missing and what to do; no row is read yet."""
    found = survey(file, encoding)
    start = Place(found.start)
    with file.open("rb") as opened:
        opened.seek(found.start)
        delimiter = delimiter_of(opened.readline(1 << 16).decode(found.encoding, "replace"))
        complaint: ValueError | None = None
        for row, _ in zip(read_rows(opened, found.encoding, delimiter, start), range(_HEADING_ROWS), strict=False):
            try:
                if row.reason:
                    raise ValueError(f"the heading (line {row.line}) {row.reason}")
                header = [cell.strip() for cell in row.cells]
                columns = find_columns(header, kind.columns, kind.needed, mapped)
            except ValueError as error:
                complaint = complaint or error
            else:
                return Source(file, found, delimiter, columns, row.after)
    raise ValueError(f"{file}: {complaint or 'the file is empty; it needs a heading and rows'}")
