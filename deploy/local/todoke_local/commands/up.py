"""`todoke up`: everything on this machine."""

from rich.console import Console

from todoke_local.machine import open_machine
from todoke_local.ports import check_free
from todoke_local.settings import LocalSettings
from todoke_local.stopping import run_until_stopped
from todoke_shared.postgres.fleet_clock import clear_simulated_clock


def up() -> None:
    """Run all services, with embedded PostgreSQL and Kafka and the LINE simulator where none are named.

    Ports 8080 to 8083 and 8090; TODOKE_INGEST_PORT, TODOKE_SIMULATOR_PORT and so on name others.
    """
    run_until_stopped(_up(LocalSettings(), Console()))


async def _up(settings: LocalSettings, console: Console) -> None:
    check_free(settings.ports)
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    console.print("Starting …")
    async with open_machine(settings, settings.ports, keep=home / "postgres", logs=home / "logs") as machine:
        await clear_simulated_clock(machine.pool)
        for note in machine.parts.notes:
            console.print(note, highlight=False)
        fleet = machine.fleet
        console.print(f"Ready. Events in: {fleet.url('ingest')}/v1/events (docs: {fleet.url('ingest')}/docs)")
        if fleet.simulator:
            console.print(f"LINE is simulated: what arrived is at {fleet.url('simulator')}/sim/messages")
        console.print(f"Logs: {home / 'logs'}. For other commands, in another terminal:", soft_wrap=True)
        console.print(f"  export TODOKE_POSTGRES_DSN='{machine.parts.postgres_dsn}'", soft_wrap=True, highlight=False)
        console.print("Ctrl-C stops everything.")
        ended = await fleet.watch()
        raise RuntimeError(f"{ended} ended by itself; the reason is in {home / 'logs' / f'{ended}.log'}")
