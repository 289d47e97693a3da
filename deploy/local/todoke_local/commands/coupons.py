"""`todoke coupons create|import|list`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from todoke_local.in_room import Done, Work, in_room
from todoke_local.listing import print_list
from todoke_scheduler.adapters import coupons
from todoke_scheduler.adapters.coupons import Pool

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Coupon codes that campaigns give (`coupon: POOL`), each once."
)

PoolName = Annotated[str, typer.Argument(help="The pool, as campaigns name it: a-z, 0-9, _ and -", metavar="POOL")]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST = 100
"""Characters of a code: more than anybody types, few enough for any message."""


@app.command("create")
def create(
    pool: PoolName,
    number: Annotated[int, typer.Argument(help="How many codes to make", min=1, max=10_000_000)],
    prefix: Annotated[str, typer.Option("--prefix", help="What each code begins with, for example SPRING-")] = "",
) -> None:
    """Make codes that nobody can guess, and put them into a pool. The shop must know them, to honour them."""
    _check_name(pool)
    added = _with_the_scheduler(lambda opened: coupons.generate_codes(opened, pool, number, _code(prefix, 1)))
    typer.echo(f"{pool}: {added:,} codes made")


@app.command("import")
def import_(
    pool: PoolName, file: Annotated[Path, typer.Argument(help="A code a line, as the shop has them", exists=True)]
) -> None:
    """Put the codes of a file into a pool. Codes that are in it already stay as they are."""
    _check_name(pool)
    codes = list(_codes(file))
    added = _with_the_scheduler(lambda opened: coupons.add_codes(opened, pool, codes))
    typer.echo(f"{pool}: {added:,} codes added, {len(codes) - added:,} were there already")


@app.command("list")
def list_() -> None:
    """List the pools, with how many of their codes are unused, assigned to somebody, and redeemed of those."""
    pools: list[Pool] = _with_the_scheduler(coupons.list_pools)
    rows = ((one.pool, f"{one.unused:,}", f"{one.assigned:,}", f"{one.redeemed:,}") for one in pools)
    print_list(("pool", "unused", "assigned", "redeemed"), rows)


def _check_name(pool: str) -> None:
    if not _NAME.fullmatch(pool):
        raise ValueError(f"`{pool}`: a pool's name is of a-z, 0-9, _ and -")


def _codes(file: Path) -> Iterable[str]:
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.strip():
            yield _code(line.strip(), number, str(file))


def _code(text: str, line: int, file: str = "--prefix") -> str:
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"{file}:{line}: a code is at most {_LONGEST} characters, all of them printable")
    return text


def _with_the_scheduler(work: Work[Done]) -> Done:
    return in_room("scheduler", work, command="coupons")
