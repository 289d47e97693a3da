"""Several processes of one service, to be started, killed and frozen by name; and what each says of itself."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

import aiohttp

from tests.support.waiting import until
from todoke_local.fleet import Fleet, free_ports

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(kw_only=True)
class Instances:
    """Processes of `service` on one database and one Kafka, none running yet; their logs are in `directory`."""

    service: str
    dsn: str
    bootstrap_servers: str
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    fleets: dict[str, Fleet] = field(default_factory=dict)

    async def start(self, name: str, *, dsn: str | None = None, environment: Mapping[str, str] = _NOTHING) -> None:
        """Start one; it is soon at work. `dsn`, `environment`: its own way to PostgreSQL, what it alone is told."""
        if name not in self.fleets:
            logs = self.directory / name
            logs.mkdir(parents=True)
            told = {**self.environment, **environment}
            self.fleets[name] = Fleet(
                dsn or self.dsn, self.bootstrap_servers, logs, free_ports(), simulator=False, environment=told
            )
        await self.fleets[name].start(self.service)

    async def until_ready(self, name: str) -> None:
        """Return once it says that it is at work."""
        url = f"{self.fleets[name].url(self.service)}/readyz"
        async with aiohttp.ClientSession(trust_env=False) as session:
            await until(lambda: _status(session, url), lambda status: status == 200, f"{name} is ready")

    async def kill(self, name: str) -> None:
        """kill -9."""
        await self.fleets[name].kill(self.service)

    def signal(self, name: str, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT."""
        os.kill(self.fleets[name].process_id(self.service), number)

    async def counted(self, name: str, metric: str) -> int:
        """A counter of a process, over all its labels; 0 as long as it does not answer."""
        url = f"{self.fleets[name].url(self.service)}/metrics"
        try:
            async with aiohttp.ClientSession(trust_env=False) as session, session.get(url) as answer:
                lines = (await answer.text()).splitlines()
        except aiohttp.ClientError:
            return 0
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith((f"{metric}{{", f"{metric} ")))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """All that run, in peace."""
        await asyncio.gather(*(fleet.stop() for fleet in self.fleets.values()))


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    try:
        async with session.get(url) as response:
            return response.status
    except aiohttp.ClientError:
        return 0
