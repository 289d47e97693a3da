"""Lists whose cells are copied into other commands: none of them is cut, however narrow the terminal."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_SHOP_ZONE = ZoneInfo("Asia/Tokyo")
_WIDEST = 10_000
_BREAKS = re.compile(r"[\t\r\n]+")


def print_list(headings: Sequence[str], rows: Iterable[Sequence[str]], console: Console | None = None) -> None:
    """A table where it fits the terminal, else a block of lines per row; between tabs where a program reads it."""
    console = console or Console()
    rows = [[_BREAKS.sub(" ", cell) for cell in row] for row in rows]
    if not console.is_terminal:
        for row in (headings, *rows):
            _say(console, "\t".join(row))
        return
    table = Table(*headings)
    for row in rows:
        table.add_row(*map(Text, row))
    if Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum <= console.width:
        console.print(table)
        return
    for number, row in enumerate(rows):
        if number:
            _say(console, "")
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                _say(console, f"{heading}: {cell}")


def shop_time(instant: datetime) -> str:
    """`2026-11-29 13:35 +09:00`: an instant as the shop's clocks show it."""
    text = instant.astimezone(_SHOP_ZONE).isoformat(" ", "minutes")
    return f"{text[:-6]} {text[-6:]}"


def _say(console: Console, words: str) -> None:
    # Written past rich, which turns a tab into spaces.
    console.file.write(f"{words}\n")
