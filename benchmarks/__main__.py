"""`python -m benchmarks [NAME...] [--seconds N]`: run benchmarks, then print one table."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from importlib import import_module

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.figures import Bench, Figure, table

NAMES = ("ingest", "redirect", "line_webhooks", "segmenter", "segments", "scheduler", "dispatcher", "multicast", "flow")
"""The modules here that have a `run`, in the order of the flow."""
Run = Callable[[Bench], Awaitable[list[Figure]]]


async def run_all(names: Sequence[str], seconds: float, console: Console) -> list[Figure]:
    """Run these benchmarks one after the other. A failure of one ends the run with its reason."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    figures: list[Figure] = []
    with Progress(*columns, console=console) as progress:
        for name in names:
            run: Run = import_module(f"benchmarks.{name}").run
            figures += await run(Bench(name, seconds, progress))
    return figures


def main() -> None:
    """Parse, run, print. Nothing here fails for being slow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; without any, all")
    parser.add_argument("--seconds", type=float, default=10.0, help="longest time of one measurement (default 10)")
    arguments = parser.parse_args()
    for unknown in set(arguments.names) - set(NAMES):
        parser.error(f"no benchmark is called {unknown}; choose among {', '.join(NAMES)}")
    if arguments.seconds <= 0:
        parser.error("--seconds must be more than 0")
    console = Console()
    # uvloop, because uvicorn runs the services on it too.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            figures = runner.run(run_all(arguments.names or NAMES, arguments.seconds, console))
        except KeyboardInterrupt:
            raise SystemExit(130) from None
    console.print(table(figures, title=f"{date.today().isoformat()}, {os.cpu_count()} cores"))  # noqa: DTZ011


if __name__ == "__main__":
    main()
