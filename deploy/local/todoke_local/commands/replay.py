"""`todoke replay FILE`: a recording of real events, through everything, faster than life."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import aiohttp
import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from todoke_local.fleet import free_ports
from todoke_local.flow import Flow, read_flow
from todoke_local.machine import open_machine
from todoke_local.recordings import FORMATS, Recorded, read_recording
from todoke_local.replay import Place, Replay
from todoke_local.replay import Progress as ReplayProgress
from todoke_local.settings import LocalSettings
from todoke_local.stopping import run_until_stopped
from todoke_shared.postgres.pool import open_pool


def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The recording")],
    format_: Annotated[str, typer.Option("--format", help=f"One of {', '.join(sorted(FORMATS))}")] = "cloudevents",
    speed: Annotated[float, typer.Option(min=0.001, help="Shop seconds a second")] = 3600.0,
) -> None:
    """Feed a recording through the HTTP door under a simulated clock, and sum up what came of it.

    With TODOKE_POSTGRES_DSN set it goes to the Todoke that runs there (`todoke up`) and moves that shop's clock, so
    that timers of everybody in it fire; else to one of its own, which ends with the replay. A recording of
    CloudEvents has one event a line, as JSON, with its `time`. The clock runs on for 26 hours after the last.
    """
    events = read_recording(file, format_)
    run_until_stopped(_replay(LocalSettings(), events, speed, Console()))


async def _replay(settings: LocalSettings, events: list[Recorded], speed: float, console: Console) -> None:
    async with _somewhere(settings, console) as (pool, place, urls), aiohttp.ClientSession(trust_env=False) as session:
        before = await read_flow(session, urls)
        replay = Replay(events, pool, place, session)
        console.print("Befriending the people of the recording …")
        with _bar(console) as bar:
            task = bar.add_task("events", total=len(events), shop_time="")

            def watch(progress: ReplayProgress) -> None:
                shop_time = progress.shop_time.strftime("%Y-%m-%d %H:%M")
                bar.update(task, completed=progress.posted + progress.refused, shop_time=shop_time)

            quiet = await replay.run(speed, watch)
        flow = (await read_flow(session, urls)).since(before)
        console.print(summary(flow))
        if replay.refused:
            console.print(f"[yellow]{replay.refused} events were refused; the first: {replay.first_refusal}[/]")
        if not quiet:
            console.print("[yellow]Some of it was still on its way after two minutes; see the services' logs.[/]")


@asynccontextmanager
async def _somewhere(
    settings: LocalSettings, console: Console
) -> AsyncIterator[tuple["asyncpg.Pool[asyncpg.Record]", Place, dict[str, str]]]:
    if settings.postgres_dsn is not None:
        async with await open_pool(settings.postgres_dsn, application="replay", schema="scheduler", size=3) as pool:
            urls = {name: f"http://127.0.0.1:{port}" for name, port in settings.ports.items()}
            urls["ingest"] = settings.ingest_url or urls["ingest"]
            simulator = urls.pop("simulator")
            yield pool, Place(urls["ingest"], simulator, key=settings.ingest_key), urls
        return
    console.print("Starting a Todoke of its own for the replay …")
    with tempfile.TemporaryDirectory(prefix="todoke-replay-") as folder:
        async with open_machine(settings, free_ports(), keep=None, logs=Path(folder)) as machine:
            for note in machine.parts.notes:
                console.print(note, highlight=False)
            urls = {name: machine.fleet.url(name) for name in machine.fleet.ports}
            simulator = urls.pop("simulator")
            yield machine.pool, Place(urls["ingest"], simulator), urls


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("shop time {task.fields[shop_time]}"),
        TimeElapsedColumn(),
        console=console,
    )


def summary(flow: Flow) -> Table:
    """What came of it, by campaign."""
    title = f"{flow.events} events taken, {flow.timers} timers fired, {flow.dead_letters} dead letters"
    table = Table("campaign", "triggers", "message requests", "accepted by LINE", "not sent", title=title)
    for name in flow.campaigns:
        counts = (flow.triggers[name], flow.requests[name], flow.messages[name], flow.not_sent[name])
        table.add_row(name, *map(str, counts))
    return table
