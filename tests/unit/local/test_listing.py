"""Lists whose cells are copied: whole, on a narrow terminal as in a pipe, with the shop's time."""

import io
from datetime import UTC, datetime

from rich.console import Console

from todoke_local.listing import print_list, shop_time

LINK = "https://ingest.shop.example/r/" + "a" * 22
ROW = (LINK, "https://shop.example/a/very/long/way/to/[bold]tea[/bold]", "", "2026-11-29 13:35 +09:00")
HEADINGS = ("link", "leads to", "step", "made")


def printed(width: int, *, terminal: bool = True) -> str:
    """What the list looks like on such a terminal."""
    out = io.StringIO()
    print_list(HEADINGS, [ROW, ROW], Console(file=out, width=width, force_terminal=terminal, color_system=None))
    return out.getvalue()


def test_a_narrow_terminal_gets_a_block_per_entry() -> None:
    """Every cell on a line of its own, so that nothing of it is cut; what is empty is left out."""
    block = f"link: {LINK}\nleads to: {ROW[1]}\nmade: {ROW[3]}\n"
    assert printed(80) == f"{block}\n{block}"


def test_a_wide_terminal_gets_a_table() -> None:
    """A row on one line, its cells whole."""
    rows = [line for line in printed(200).splitlines() if LINK in line]
    assert len(rows) == 2
    assert all(cell in rows[0] for cell in ROW)


def test_a_pipe_gets_cells_between_tabs() -> None:
    """For cut, awk and spreadsheets: the headings, then a line per entry, however long."""
    lines = printed(80, terminal=False).splitlines()
    assert [tuple(line.split("\t")) for line in lines] == [HEADINGS, ROW, ROW]


def test_times_are_the_shops() -> None:
    """With their offset, so that nobody has to know the machine's zone."""
    assert shop_time(datetime(2026, 11, 29, 4, 35, 59, tzinfo=UTC)) == "2026-11-29 13:35 +09:00"
