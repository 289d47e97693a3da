"""`python -m benchmarks [NAME...] [--seconds N] [--pending N] [--people N]`: run benchmarks, then print one table."""

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
from todoke_shared.service import spare_the_collector

NAMES = (
    "ingest",
    "redirect",
    "line_webhooks",
    "segmenter",
    "segments",
    "segmenter_topics",
    "scheduler",
    "timers",
    "broadcast",
    "dispatcher",
    "multicast",
    "flow",
    "overtaking",
    "replies",
)
"""The modules here that have a `run`, in the order of the flow."""
LONG = ("segments_at_scale",)
"""The same, but run only when named: it takes minutes, and disk."""
Run = Callable[[Bench], Awaitable[list[Figure]]]


async def run_all(names: Sequence[str], asked: argparse.Namespace, console: Console) -> list[Figure]:
    """Run these benchmarks one after the other. A failure of one ends the run with its reason."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    figures: list[Figure] = []
    with Progress(*columns, console=console) as progress:
        for name in names:
            run: Run = import_module(f"benchmarks.{name}").run
            figures += await run(Bench(name, asked.seconds, progress, asked.pending, asked.people))
    return figures


def main() -> None:
    """Parse, run, print. Nothing here fails for being slow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"any of {', '.join((*NAMES, *LONG))}; without any, all but {', '.join(LONG)}",
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="longest time of one measurement (default 10)")
    parser.add_argument("--pending", type=int, default=1_000_000, help="timers that wait (`timers`; default 1,000,000)")
    parser.add_argument("--people", type=int, default=100_000, help="whom a `broadcast` is for (default 100,000)")
    arguments = parser.parse_args()
    for unknown in set(arguments.names) - {*NAMES, *LONG}:
        parser.error(f"no benchmark is called {unknown}; choose among {', '.join((*NAMES, *LONG))}")
    if arguments.seconds <= 0:
        parser.error("--seconds must be more than 0")
    if arguments.pending < 1:
        parser.error("--pending must be at least 1")
    if arguments.people < 1:
        parser.error("--people must be at least 1")
    console = Console()
    # As the services do, and on uvloop, because uvicorn runs them on it too.
    spare_the_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            figures = runner.run(run_all(arguments.names or NAMES, arguments, console))
        except KeyboardInterrupt:
            raise SystemExit(130) from None
    console.print(table(figures, title=f"{date.today().isoformat()}, {os.cpu_count()} cores"))  # noqa: DTZ011


if __name__ == "__main__":
    main()
