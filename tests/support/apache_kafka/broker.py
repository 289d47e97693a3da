"""A real Apache Kafka 4 broker for tests, run from its jars: no Docker, no installation."""

import asyncio
import os
import signal
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.apache_kafka.jars import kafka_jars
from tests.support.kafka_ready import wait_until_it_answers
from todoke_local.embedded.child import ChildProgram
from todoke_local.ports import free_port

LOGGING = Path(__file__).with_name("log4j2.xml")
CLUSTER_ID = urlsafe_b64encode(b"Todoke-tests-001").decode().rstrip("=")
"""16 bytes as Kafka writes them. Fixed: a random one may begin with a dash, which StorageTool takes for an option."""


def single_node_settings(*, listen: str, advertised: str, controller: str) -> dict[str, str]:
    """The settings of a broker that is its own controller (KRaft combined mode); each address is `host:port`."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{listen},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        # As in production: a topic that nobody created must fail, not appear with the wrong partition count.
        "auto.create.topics.enable": "false",
        # After kill -9 the controller takes no new registration until the dead broker's session ends: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # There is one broker to hold the replicas.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # 50 by default, each with files to create and, after kill -9, to check.
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.num.partitions": "1",
        # Waiting 3 seconds for more members before the first assignment only slows tests.
        "group.initial.rebalance.delay.ms": "0",
    }


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
        jars = await asyncio.to_thread(kafka_jars)
        if not self._properties.exists():
            await self._format(jars)
        command = self._java(jars, "kafka.Kafka", str(self._properties))
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

    async def _format(self, jars: Path) -> None:
        """Write the settings and prepare the data directory, as `bin/kafka-storage.sh format` does."""
        self._directory.mkdir(parents=True, exist_ok=True)
        broker, controller = self.bootstrap_servers, f"127.0.0.1:{self._controller_port}"
        settings = single_node_settings(listen=broker, advertised=broker, controller=controller)
        settings["log.dirs"] = str(self._directory / "data")
        unfinished = self._directory / "server.properties.new"
        unfinished.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
        formatting = await asyncio.create_subprocess_exec(
            *self._java(jars, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(unfinished)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await formatting.communicate()
        if formatting.returncode != 0:
            raise RuntimeError(f"Kafka could not format {self._directory}:\n{output.decode(errors='replace')[-2000:]}")
        unfinished.rename(self._properties)

    def _java(self, jars: Path, main_class: str, *arguments: str) -> list[str]:
        # The serial collector and the quick compiler alone: a test broker lives for seconds, on few cores.
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={LOGGING}"]
        return ["java", *options, "-cp", f"{jars}/*", main_class, *arguments]

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-3000:] or "(empty)"
