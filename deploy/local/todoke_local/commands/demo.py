"""`todoke demo`: a day at a shop, seen as it flows, and what each customer received."""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.live import Live

from todoke_local.demo_view import Letter, Story
from todoke_local.fleet import free_ports
from todoke_local.flow import read_flow
from todoke_local.machine import Machine, open_machine
from todoke_local.replay import Place, Replay
from todoke_local.settings import LocalSettings
from todoke_local.shop_day import shop_day
from todoke_local.stopping import run_until_stopped

REFRESH_SECONDS = 0.25


def demo(
    speed: Annotated[float, typer.Option(min=1, help="Shop seconds a second")] = 3600.0,
    seed: Annotated[int, typer.Option(help="Which day")] = 1,
) -> None:
    """Run a day at a shop through everything: embedded parts, simulator, all services. Ctrl-C stops at any moment."""
    settings = LocalSettings(postgres_dsn=None, kafka_bootstrap_servers=None, line_api_url=None)
    run_until_stopped(_demo(settings, speed, seed, Console()))


async def _demo(settings: LocalSettings, speed: float, seed: int, console: Console) -> None:
    console.print(
        "[bold]Todoke 届け[/]: a day at a tea shop. Starting PostgreSQL, Kafka, LINE's stand-in and four services …"
    )
    with tempfile.TemporaryDirectory(prefix="todoke-demo-") as logs:
        async with open_machine(settings, free_ports(), keep=None, logs=Path(logs)) as machine:
            for note in machine.parts.notes:
                console.print(f"  {note}", highlight=False)
            async with aiohttp.ClientSession(trust_env=False) as session:
                story = await _play(machine, session, speed, seed, console)
            console.print(story.flow_panel(), story.letters_table())


async def _play(machine: Machine, session: aiohttp.ClientSession, speed: float, seed: int, console: Console) -> Story:
    urls = {name: machine.fleet.url(name) for name in machine.fleet.ports}
    simulator = urls.pop("simulator")
    replay = Replay(shop_day(seed), machine.pool, Place(urls["ingest"], simulator), session)
    story = Story(speed=speed)

    async def refresh() -> None:
        story.flow = await read_flow(session, urls)
        story.names = {user_id: name for name, user_id in replay.user_ids.items()}
        async with session.get(f"{simulator}/sim/messages", params={"after": story.seen}) as response:
            answer = await response.json()
        story.seen = answer["next"]
        story.letters += [_letter(message, replay) for message in answer["messages"]]

    async def keep_refreshing(live: Live) -> None:
        while True:
            await refresh()
            live.update(story.view(), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)

    with Live(story.view(), console=console, auto_refresh=False, transient=True) as live:
        refreshing = asyncio.create_task(keep_refreshing(live))
        try:
            await replay.run(speed, story.watch)
        finally:
            refreshing.cancel()
    await refresh()
    return story


def _letter(message: dict[str, Any], replay: Replay) -> Letter:
    """An accepted message, at the shop's time; what came before the clock ran belongs to the evening before."""
    accepted_at = datetime.fromisoformat(message["acceptedAt"])
    clock = replay.clock
    at = None if clock is None else clock.now() - (clock.wall() - accepted_at) * clock.rate
    text = "\n".join(part.get("text", part["type"]) for part in message["messages"])
    return Letter(message["delivered"][0], at, text)
