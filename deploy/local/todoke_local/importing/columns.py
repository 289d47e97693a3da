"""Which column of a file is which field: our names, names that exports of shops and LINE tools use, and `--map`."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LINE, REASON = "todoke_line", "todoke_reason"
"""What FILE.refused.csv has beside the columns of its file."""
NOT_YET = "put it right and empty its todoke_reason"

_NOISE = re.compile(r"[\s_\-・:]+")
_EXCEL_TEXT = re.compile(r'="(.*)"', re.DOTALL)
_TEXT_MARK = re.compile(r"'[\d+=@-]")


@dataclass(frozen=True)
class Column:
    """A field, and the names that its column has elsewhere, the likeliest first."""

    field: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """The columns of one file: where each field is, and which headings nothing is read from."""

    header: tuple[str, ...]
    places: Mapping[str, int]
    unread: tuple[str, ...]

    def fields(self, cells: Sequence[str]) -> dict[str, str]:
        """What a row says, by field; an empty cell says nothing. ValueError when it has another number of cells."""
        width = len(self.header)
        if len(cells) < width or any(cells[width:]):
            raise ValueError(f"has {len(cells)} columns; the heading has {width}")
        return {field: text for field, place in self.places.items() if (text := _clean(cells[place]))}

    def refusal(self, cells: Sequence[str]) -> str:
        """Why a row of FILE.refused.csv is still refused; nothing for one that has been put right."""
        reason = cells[self.header.index(REASON)].strip() if REASON in self.header else ""
        return f"{reason.removesuffix(NOT_YET).removesuffix('; ')}; {NOT_YET}" if reason else ""


def find_columns(
    header: Sequence[str],
    columns: Iterable[Column],
    needed: Iterable[tuple[str, ...]],
    mapped: Mapping[str, str],
) -> Columns:
    """Find the fields in a heading. `needed`: of each tuple one must be there; `mapped`: heading to field, by hand.

    ValueError tells which is missing, what there is, and what to do.
    """
    columns = tuple(columns)
    names = [heading_key(heading) for heading in header]
    places = _by_hand(names, columns, mapped)
    for column in columns:
        for alias in map(heading_key, (column.field, *column.aliases)):
            if column.field not in places and alias in names and names.index(alias) not in places.values():
                places[column.field] = names.index(alias)
    for one_of in needed:
        if not any(field in places for field in one_of):
            raise ValueError(
                f"no column is {' or '.join(one_of)}. The file has: {', '.join(filter(None, header)) or 'no heading'}. "
                f"Say which it is, for example --map 'its heading={one_of[0]}'"
            )
    read = {*places.values(), *(header.index(ours) for ours in (LINE, REASON) if ours in header)}
    unread = tuple(heading for place, heading in enumerate(header) if heading and place not in read)
    return Columns(tuple(header), places, unread)


def _by_hand(names: list[str], columns: Sequence[Column], mapped: Mapping[str, str]) -> dict[str, int]:
    fields = {column.field for column in columns}
    places: dict[str, int] = {}
    for heading, field in mapped.items():
        if field not in fields:
            raise ValueError(
                f"--map {heading}={field}: there is no field {field}; use one of {', '.join(sorted(fields))}"
            )
        if heading_key(heading) not in names:
            raise ValueError(f"--map {heading}={field}: the file has no column of that heading")
        places[field] = names.index(heading_key(heading))
    return places


def heading_key(heading: str) -> str:
    """Headings are the same whatever their case, width and spaces."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", heading).lower())


def _clean(cell: str) -> str:
    """A cell without the marks by which spreadsheets are told that it is text: `="00123"`, `'00123`."""
    text = cell.strip()
    if text[:1] == "=" and (quoted := _EXCEL_TEXT.fullmatch(text)):
        return quoted[1].replace('""', '"').strip()
    return text[1:] if text[:1] == "'" and _TEXT_MARK.match(text) else text
