"""`todoke import` as it is typed: what it says, how it ends, and what it will not begin."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.unit.local.imports import USER, write
from todoke_local.cli import app

HEADING = "order_id,ordered_at,customer_id,お好み"


def run(*arguments: str | Path) -> Result:
    """The command, with its output in one wide column."""
    return CliRunner().invoke(app, ["import", *map(str, arguments)], env={"COLUMNS": "200", "TERM": "dumb"})


def test_a_dry_run_tells_what_would_be(tmp_path: Path) -> None:
    """Which columns are read and which not, an event, the refused rows, the counts; 3 says that rows were refused."""
    result = run("orders", write(tmp_path, HEADING, "1,2024/1/5,7,茶", "2,never,7,茶"), "--dry-run")
    assert result.exit_code == 3, result.output
    assert "order_id = order_id, ordered_at = ordered_at" in result.output
    assert "Not read: お好み" in result.output
    assert '"time": "2024-01-05T00:00:00+09:00"' in result.output
    assert "line 3: ordered_at is no time" in result.output
    assert "nothing was posted: 2 rows: 1 events, 1 rows refused" in result.output
    assert run("orders", write(tmp_path, HEADING, "1,2024/1/5,7,茶"), "--dry-run").exit_code == 0
    assert os.listdir(tmp_path) == ["file.csv"]  # noqa: PTH208 - names are enough


def test_rows_without_a_time_are_as_old_as_the_file(tmp_path: Path) -> None:
    """Or as --as-of says, in the time zone given."""
    file = write(tmp_path, "line_user_id", USER)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert '"time": "2023-11-14T22:13:20+00:00"' in run("friends", file, "--dry-run").output
    given = run("friends", file, "--dry-run", "--as-of", "2024-02-03T10:00:00", "--time-zone", "Asia/Seoul")
    assert '"time": "2024-02-03T10:00:00+09:00"' in given.output


def test_history_is_said_unless_orders_are_live(tmp_path: Path) -> None:
    """--live is the only way to start campaigns from a file."""
    file = write(tmp_path, HEADING, "1,2024/1/5,7,茶")
    assert '"history": true' in run("orders", file, "--dry-run").output
    assert '"history"' not in run("orders", file, "--dry-run", "--live").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["friends", "--live"], "--live is for orders alone"),
        (["orders", "--link-emails"], "--link-emails for customers alone"),
        (["orders", "--shop", "My Shop"], "--shop My Shop: a name is of"),
        (["orders", "--time-zone", "Mars/Olympus"], "--time-zone Mars/Olympus: there is none"),
        (["orders", "--map", "注文"], "write HEADING=FIELD"),
        (["friends"], "no column is line_user_id"),
    ],
)
def test_a_command_that_cannot_mean_anything_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    """Before a row is read."""
    kind, *options = arguments
    result = run(kind, write(tmp_path, HEADING, "1,2024/1/5,7,茶"), "--dry-run", *options)
    assert isinstance(result.exception, ValueError)
    assert words in str(result.exception)
