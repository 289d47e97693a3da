"""`todoke up`: everything on this machine."""

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console

from todoke_local.fleet import Fleet
from todoke_local.machine import open_machine
from todoke_local.parts import Parts
from todoke_local.ports import check_free
from todoke_local.settings import LocalSettings
from todoke_local.stopping import run_until_stopped
from todoke_shared.accounts import load_config
from todoke_shared.postgres.fleet_clock import clear_simulated_clock


def up() -> None:
    """Run all services, with embedded PostgreSQL and Kafka and the LINE simulator where none are named.

    Ports 8080 to 8083 and 8090; TODOKE_INGEST_PORT, TODOKE_SIMULATOR_PORT and so on name others.
    """
    settings = LocalSettings()
    load_config(settings.config)  # with its secrets: the services would find them missing one after the other
    console = Console()
    try:
        run_until_stopped(_up(settings, console))
    except SystemExit:
        console.print("Stopped.")
        raise


async def _up(settings: LocalSettings, console: Console) -> None:
    check_free(settings.ports)
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    console.print("Starting …")
    async with open_machine(settings, settings.ports, keep=home / "postgres", logs=home / "logs") as machine:
        await clear_simulated_clock(machine.pool)
        for words in told_when_ready(settings, machine.parts, machine.fleet, home):
            console.print(words, soft_wrap=True, highlight=False, markup=False)
        try:
            ended = await machine.fleet.watch()
        except asyncio.CancelledError:
            console.print("Stopping …")
            raise
        raise RuntimeError(f"{ended} ended by itself; the reason is in {home / 'logs' / f'{ended}.log'}")


def told_when_ready(settings: LocalSettings, parts: Parts, fleet: Fleet, home: Path) -> list[str]:
    """What the user needs to know once everything is up, line by line."""
    words = list(parts.notes)
    words.append(f"Ready. Events in: {fleet.url('ingest')}/v1/events (docs: {fleet.url('ingest')}/docs)")
    if fleet.simulator:
        words.append(f"LINE is simulated: what arrived is at {fleet.url('simulator')}/sim/messages")
    if fleet.simulator and settings.config is not None:
        words.append(
            "LINE is simulated although TODOKE_CONFIG is set; TODOKE_LINE_API_URL=https://api.line.me sends to LINE"
        )
    if not fleet.simulator and settings.public_url is None:
        words.append(
            "Clicks in messages are not counted: set TODOKE_PUBLIC_URL to ingest's address as customers reach it"
        )
    words.append(f"Logs: {home / 'logs'}. For other commands, in another terminal:")
    words.append(f"  export TODOKE_POSTGRES_DSN='{parts.postgres_dsn}'")
    words.append(f"  export KAFKA={shlex.quote(parts.kafka_bootstrap_servers)}")
    if path := missing_path():
        words.append(f'  export PATH="{path}:$PATH"')
    return [*words, "Ctrl-C stops everything."]


def missing_path() -> str | None:
    """The folder of the `todoke` command where a terminal would not find it."""
    folder = os.path.dirname(os.path.abspath(sys.executable))  # noqa: PTH100, PTH120 - a venv's python is a link: not resolved
    return None if shutil.which("todoke") else folder
