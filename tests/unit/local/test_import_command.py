"""`todoke import` as it is typed: what it says, how it ends, and what it will not begin."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.unit.local.imports import USER, write
from todoke_local.cli import app
from todoke_shared.config_errors import ConfigError

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


def test_cells_that_cannot_be_read_are_told_by_line(tmp_path: Path) -> None:
    """The rows are taken; how many, which lines and what becomes of the cell is said, and never what it says."""
    secrets = ["Atlantis", "hana at example.jp", "see above"]
    file = write(
        tmp_path,
        "customer_id,prefecture,email,phone",
        "1,東京,hana@example.jp,03-1234-5678",
        *(f"{number},{secrets[0]},{secrets[1]}," for number in range(2, 14)),
        f"14,,,{secrets[2]}",
    )
    result = run("customers", file, "--dry-run")
    assert result.exit_code == 0, result.output
    told = result.output.split("nothing was posted", 1)[1]
    lines = ", ".join(str(line) for line in range(3, 13))
    assert f"12 rows are taken, but email is no e-mail address, and left out (lines {lines} and 2 more)." in told
    assert "12 rows are taken, but prefecture is none that we know: it is kept as it is written" in told
    assert "1 rows are taken, but phone is no telephone number, and left out (lines 15)." in told
    assert not any(secret in told for secret in secrets)


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
        (["orders", "--shop", "shop2"], "there is no shop shop2: TODOKE_CONFIG is not set, so there is the shop main"),
    ],
)
def test_a_command_that_cannot_mean_anything_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    """Before a row is read."""
    kind, *options = arguments
    result = run(kind, write(tmp_path, HEADING, "1,2024/1/5,7,茶"), "--dry-run", *options)
    assert isinstance(result.exception, ValueError)
    assert words in str(result.exception)


def test_an_account_that_is_not_here_is_told_before_a_row_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the file that TODOKE_CONFIG names, or by the trial's own; another machine's ingest is taken at its word."""
    file = write(tmp_path, "line_user_id", USER)
    config = tmp_path / "todoke.yaml"
    config.write_text("accounts: {main: {channel_secrets: [env:A], access_token: env:B}}", encoding="utf-8")
    told = "there is no account mian: TODOKE_CONFIG is not set, so there is the account main alone"
    assert str(run("friends", file, "--dry-run", "--account", "mian").exception) == told
    monkeypatch.setenv("TODOKE_CONFIG", str(config))
    told = "there is no account mian in TODOKE_CONFIG; it has: main"
    assert str(run("friends", file, "--dry-run", "--account", "mian").exception) == told
    orders = write(tmp_path, HEADING, "1,2024/1/5,7,茶", name="orders.csv")
    assert run("orders", orders, "--dry-run", "--account", "mian").exit_code == 0
    monkeypatch.delenv("TODOKE_CONFIG")
    monkeypatch.setenv("TODOKE_INGEST_URL", "https://ingest.example")
    assert run("friends", file, "--dry-run", "--account", "mian").exit_code == 0


def test_a_mistake_in_the_configuration_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its one line, by every command that needs what it says; nothing has been started or asked yet."""
    config = tmp_path / "todoke.yaml"
    config.write_text("acounts: {}", encoding="utf-8")
    monkeypatch.setenv("TODOKE_CONFIG", str(config))
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("TODOKE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    file = str(write(tmp_path, "line_user_id", USER))
    for command in (
        ["up"],
        ["run", "dispatcher"],
        ["keys", "list"],
        ["keys", "create", "main", "--for", "events"],
        ["links", "list"],
        ["links", "create", "https://shop.example/"],
        ["import", "friends", file, "--dry-run"],
    ):
        error = CliRunner().invoke(app, command).exception
        assert isinstance(error, ConfigError), command
        assert str(error) == f"{config}: acounts is unknown; did you mean accounts?"
