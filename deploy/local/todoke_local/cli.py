"""The `todoke` command."""

import logging
import sys

import typer
from rich.console import Console

from todoke_local.commands import (
    campaigns,
    demo,
    import_,
    keys,
    links,
    migrate,
    privacy,
    rebuild,
    replay,
    run,
    segments,
    simulator,
    up,
)
from todoke_shared.yaml_files import FileMistakesError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Todoke (届け): the right LINE message to the right customer, once, on time.",
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("migrate")(migrate.migrate)
app.command("replay")(replay.replay)
app.command("import")(import_.import_)
app.command("rebuild")(rebuild.rebuild)
app.add_typer(simulator.app, name="simulator")
app.add_typer(campaigns.app, name="campaigns")
app.add_typer(segments.app, name="segments")
app.add_typer(keys.app, name="keys")
app.add_typer(links.app, name="links")
app.add_typer(privacy.app, name="privacy")


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
