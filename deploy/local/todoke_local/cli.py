"""The `todoke` command."""

import logging
import sys
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from todoke_shared.yaml_files import FileMistakesError

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


def _tell(words: str) -> None:
    Console(stderr=True).print(f"todoke: {words}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)
