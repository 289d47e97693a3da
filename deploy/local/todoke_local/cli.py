"""The `todoke` command."""

import logging
import sys
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from todoke_shared.mistakes import FileMistakesError

_COMMANDS = {
    "up": "up",
    "demo": "demo",
    "run": "run",
    "migrate": "migrate",
    "replay": "replay",
    "import": "import_",
    "rebuild": "rebuild",
    "simulator": "simulator",
    "campaigns": "campaigns",
    "segments": "segments",
    "broadcast": "broadcast",
    "quota": "quota",
    "report": "report",
    "coupons": "coupons",
    "explain": "explain",
    "channels": "channels",
    "deliveries": "deliveries",
    "keys": "keys",
    "links": "links",
    "privacy": "privacy",
}
"""Each command's module in `todoke_local.commands`: a function of the same name, or an `app` of further commands."""


class _Commands(TyperGroup):
    """Imports a command when it is named: all of them together, LINE's SDK among them, take seconds.

    (Any: typer keeps click, and so its types, to itself.)
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands.update(
            dict.fromkeys(_COMMANDS, self)
        )  # the names alone: whoever mistypes one is told the nearest

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's signature
        name = _COMMANDS.get(cmd_name)
        if name is None:
            return None
        module = import_module(f"todoke_local.commands.{name}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command(cmd_name)(getattr(module, name))
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def todoke() -> None:
    """Todoke (届け): the right LINE message to the right customer, once, on time."""


def run_command() -> None:
    """Run a command. What the user can mend is told in a sentence; all else is a traceback, for us."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        app()
    except FileMistakesError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except (ConnectionError, FileNotFoundError) as error:
        _tell(
            f"PostgreSQL or Kafka does not answer ({error.strerror or type(error).__name__}). Is what "
            "TODOKE_POSTGRES_DSN and TODOKE_KAFKA_BOOTSTRAP_SERVERS name still running? "
            "For one of its own: unset them, then `todoke up`"
        )
    except (ValueError, RuntimeError, OSError) as error:
        _tell(str(error))
    except Exception as error:
        if (words := _of_postgres(error)) is None:
            raise
        _tell(words)


_OPERATOR = "use the one that runs `todoke migrate`, in TODOKE_POSTGRES_DSN"
_SQLSTATES = {
    "28000": "PostgreSQL refuses this user; check user and password in TODOKE_POSTGRES_DSN",
    "28P01": "PostgreSQL refuses this user's password; check it in TODOKE_POSTGRES_DSN",
    "3D000": "PostgreSQL has no such database; check the end of TODOKE_POSTGRES_DSN",
    "3F000": "the database's tables are not there, or of an older release; run `todoke migrate`",
    "42P01": "the database's tables are not there, or of an older release; run `todoke migrate`",
    "42703": "the database's tables are of an older release; run `todoke migrate`",
    "42501": f"this user of PostgreSQL may not do that; {_OPERATOR}",
    "53300": "PostgreSQL takes no more connections; end some, or try again",
    "57P01": "PostgreSQL was stopped meanwhile; try again when it is back",
    "57P03": "PostgreSQL is starting or stopping; try again in a moment",
    "08003": "the connection to PostgreSQL broke; try again",
    "08006": "the connection to PostgreSQL broke; try again",
}
"""By PostgreSQL's codes (https://www.postgresql.org/docs/current/errcodes-appendix.html): what a user can mend."""


def _of_postgres(error: Exception) -> str | None:
    """What to do about an error of PostgreSQL's, without its own text, which may hold a row; None: it is ours."""
    return _SQLSTATES.get(getattr(error, "sqlstate", None) or "")


def _tell(words: str) -> None:
    Console(stderr=True).print(f"todoke: {words}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)
