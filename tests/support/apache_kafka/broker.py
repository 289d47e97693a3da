"""A real Apache Kafka 4 broker for tests, run from its jars: no Docker, no installation."""

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.apache_kafka.prepared import Prepared, java, prepare
from tests.support.apache_kafka.settings import write_settings
from tests.support.kafka_ready import wait_until_it_answers
from todoke_local.embedded.child import ChildProgram
from todoke_local.ports import free_port


class ApacheKafka:
    """One broker that can be stopped, killed and restarted on the same ports and data.

    Everything it writes is in `directory`: `broker.log` (its stdout and stderr), `server.properties`, `data/`.
    The caller removes it. The broker ends with the test run, by kill -9 of the run too.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._properties = directory / "server.properties"
        self._log = directory / "broker.log"
        self._port, self._controller_port = free_port(), free_port()
        self._child: ChildProgram | None = None
        self._process_id = 0

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, the same through every restart."""
        return f"127.0.0.1:{self._port}"

    @property
    def process_id(self) -> int:
        """The Java process; 0 while none runs."""
        return self._process_id

    async def start(self) -> None:
        """Return once it answers metadata requests. RuntimeError, with the end of its log, where it does not."""
        prepared = await asyncio.to_thread(prepare)
        if not self._properties.exists():
            await asyncio.to_thread(self._copy, prepared)
        command = java(prepared.jars, "kafka.Kafka", str(self._properties), classes=prepared.classes)
        child = self._child = ChildProgram("tests.support.tied_process", str(self._log), *command)
        self._process_id = int((await child.start())["process_id"])
        try:
            await wait_until_it_answers(self.bootstrap_servers, is_running=lambda: child.is_running)
        except (TimeoutError, ConnectionError) as error:
            await self.kill()
            raise RuntimeError(f"{error} The end of its log:\n{self._tail()}") from error
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """Shut it down in order (SIGTERM); the data stays. Harmless when it does not run."""
        child, self._child = self._child, None
        self._process_id = 0
        if child is not None:
            await child.stop()

    async def kill(self) -> None:
        """kill -9: no flush, no goodbye. What it acknowledged is in the operating system's page cache."""
        if self._process_id:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.kill(self._process_id, signal.SIGKILL)
        await self.stop()

    async def restart(self) -> None:
        """Stop it where it runs, and start it on the same ports and data."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _copy(self, prepared: Prepared) -> None:
        """The data directory, as it is when it has just been formatted, and the settings."""
        data = self._directory / "data"
        shutil.copytree(prepared.data, data)
        controller = f"127.0.0.1:{self._controller_port}"
        write_settings(self._properties, broker=self.bootstrap_servers, controller=controller, data=data)

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-3000:] or "(empty)"
