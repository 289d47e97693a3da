"""`todoke simulator line`: the LINE platform, stood in for."""

import typer

from todoke_line_simulator.main import serve
from todoke_line_simulator.settings import SimulatorSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Stand-ins for outside systems.")


@app.callback()
def _group() -> None:
    """Stand-ins for outside systems."""


@app.command("line")
def line() -> None:
    """Run the LINE simulator (settings: TODOKE_SIMULATOR_*)."""
    serve(SimulatorSettings())
