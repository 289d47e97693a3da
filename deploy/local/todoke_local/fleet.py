"""All four services and the LINE simulator as processes of this machine, started in flow order, stopped together."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from todoke_local.embedded.child import ChildProgram
from todoke_local.ports import free_port
from todoke_local.service_process import RUNNERS

READY_SECONDS = 60.0
"""A service imports in a second or two and joins its group in three more; a busy machine takes far longer."""

SERVICES = ("ingest", "segmenter", "scheduler", "dispatcher")
_PORT_SETTING = {name: f"TODOKE_{name.upper()}_PORT" for name in SERVICES} | {"simulator": "TODOKE_SIMULATOR_PORT"}


@dataclass
class Fleet:
    """Processes by service name. `ports`: where each listens; `logs`: the folder of their log files."""

    postgres_dsn: str
    kafka_bootstrap_servers: str
    logs: Path
    ports: Mapping[str, int]
    simulator: bool = True
    line_api_url: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    _children: dict[str, ChildProgram] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        """The processes, in the order in which they start: nobody is sent to before they listen."""
        return (*(("simulator",) if self.simulator else ()), "dispatcher", "scheduler", "segmenter", "ingest")

    def url(self, name: str) -> str:
        """Where a service listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def process_id(self, name: str) -> int:
        """The process of a service."""
        return self._children[name].process_id

    async def start(self, name: str) -> None:
        """Start one process. RuntimeError with the end of its log when it does not come up."""
        child = ChildProgram(
            "todoke_local.service_process", name, environment=self._environment(), log=self.logs / f"{name}.log"
        )
        self._children[name] = child
        await child.start()

    async def kill(self, name: str) -> None:
        """kill -9: what a crash or an out-of-memory killer does. `start` brings it back."""
        child = self._children.pop(name)
        os.kill(child.process_id, signal.SIGKILL)
        await child.stop()

    async def stop_one(self, name: str) -> None:
        """Let one process end its work and go. `start` brings it back."""
        await self._children.pop(name).stop()

    async def until_ready(self) -> None:
        """Return once every process is ready. RuntimeError names the one that is not, and its log."""
        async with aiohttp.ClientSession(trust_env=False) as session:
            await asyncio.gather(*(self._until_ready(session, name) for name in self.names))

    async def stop(self) -> None:
        """Let each end its work, those nearest to the events first."""
        for name in reversed(self.names):
            if child := self._children.pop(name, None):
                await child.stop()

    async def watch(self) -> str:
        """Return the name of the first process that ends by itself."""
        while True:
            for name, child in self._children.items():
                if not child.is_running:
                    return name
            await asyncio.sleep(0.2)

    async def __aenter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            for name in self.names:
                await self.start(name)
            await self.until_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _environment(self) -> dict[str, str]:
        line = self.line_api_url or (self.url("simulator") if self.simulator else None)
        return {
            "TODOKE_POSTGRES_DSN": self.postgres_dsn,
            "TODOKE_KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers,
            **({"TODOKE_LINE_API_URL": line} if line else {}),
            **{_PORT_SETTING[name]: str(port) for name, port in self.ports.items()},
            **({"TODOKE_SIMULATOR_ACCOUNTS": self._simulated_account()} if self.simulator else {}),
            **self.environment,
        }

    def _simulated_account(self) -> str:
        return json.dumps([{"name": "main", "webhook_url": f"{self.url('ingest')}/webhooks/line/main"}])

    async def _until_ready(self, session: aiohttp.ClientSession, name: str) -> None:
        path = "/healthz" if name == "simulator" else "/readyz"
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while True:
            if await _answers(session, self.url(name) + path):
                return
            if not self._children[name].is_running:
                raise RuntimeError(f"{name} ended before it was ready; the reason is in {self.logs / f'{name}.log'}")
            if asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(
                    f"{name} was not ready within {READY_SECONDS:.0f} s; see {self.logs / f'{name}.log'}"
                )
            await asyncio.sleep(0.1)


def free_ports() -> dict[str, int]:
    """A free port for each process: several fleets fit on a machine."""
    return {name: free_port() for name in RUNNERS}


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
