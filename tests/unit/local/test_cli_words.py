"""What a command says when PostgreSQL refuses: one line that tells what to do, and nothing of a row."""

from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.unit.shared.campaign_files import campaign_of
from todoke_local import cli
from todoke_local.commands.broadcast import _going_at
from todoke_local.commands.segments import _condition


def failing(error: Exception) -> Callable[[], None]:
    """A command that ends so."""

    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            asyncpg.InvalidPasswordError("password authentication failed for user hana"),
            "check it in TODOKE_POSTGRES_DSN",
        ),
        (asyncpg.InvalidCatalogNameError("no database hana"), "check the end of TODOKE_POSTGRES_DSN"),
        (asyncpg.UndefinedTableError("relation hana"), "run `todoke migrate`"),
        (asyncpg.InsufficientPrivilegeError("hana"), "use the one that runs `todoke migrate`"),
        (asyncpg.CannotConnectNowError("hana"), "try again in a moment"),
    ],
)
def test_what_the_user_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, told: str
) -> None:
    """With exit code 1, and none of the driver's own words."""
    monkeypatch.setattr(cli, "app", failing(error))
    with pytest.raises(SystemExit) as ended:
        cli.run_command()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("todoke: ")
    assert told in said
    assert said.count("\n") == 1
    assert "hana" not in said


def test_what_is_ours_to_mend_stays_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that is wrong is no user's fault."""
    monkeypatch.setattr(cli, "app", failing(asyncpg.PostgresSyntaxError("syntax error")))
    with pytest.raises(asyncpg.PostgresSyntaxError):
        cli.run_command()


def test_a_time_that_is_none_is_told_by_its_option() -> None:
    """`--at tomorrow` names no day."""
    once = campaign_of(enter={"schedule": {"at": "2026-12-24 10:00"}})
    with pytest.raises(ValueError, match=r"^--at: write a local date and time, for example .*; or write `now`$"):
        _going_at(once, "tomorrow", datetime(2026, 4, 1, tzinfo=UTC))


def test_every_mistake_of_a_condition_on_the_command_line_is_told() -> None:
    """With the name that it is about: there is no file to look into."""
    with pytest.raises(ValueError, match=r"^gendr: unknown attribute `gendr`; did you mean `gender`\?\n"):
        _condition({"gendr": "female", "orders": {"atleast": 2}, "segment": "vips"}, ["vip"])
    with pytest.raises(ValueError, match=r"orders\.atleast: unknown operator `atleast`"):
        _condition({"orders": {"atleast": 2}}, [])
    with pytest.raises(ValueError, match=r"^--when: write a condition as a mapping"):
        _condition("friend", [])
