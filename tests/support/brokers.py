"""Which Kafka the connected and end-to-end tests run on, and how to start one.

`TODOKE_TEST_KAFKA` chooses: `testcontainers`, `apache` (its jars), `embedded`, or `auto`, the default, which takes
the first of these that the machine can run.
"""

import asyncio
import functools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from testcontainers.core.container import DockerContainer

from tests.support.apache_kafka import ApacheKafka, can_run_apache_kafka, kafka_version, single_node_settings
from tests.support.kafka_ready import wait_until_it_answers
from todoke_local.embedded import EmbeddedKafka
from todoke_local.ports import free_port
from todoke_shared.kafka.topics import create_topics

CHOICE = "TODOKE_TEST_KAFKA"


class BrokerKind(StrEnum):
    """The Kafkas that tests can run on, the most faithful first."""

    TESTCONTAINERS = "testcontainers"
    APACHE = "apache"
    EMBEDDED = "embedded"


class Broker(Protocol):
    """A Kafka that a test can start and stop."""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, as clients take it."""

    async def start(self) -> None:
        """Return once it answers."""

    async def stop(self) -> None:
        """Return once it is gone. Harmless when it does not run."""


class ContainerKafka:
    """The `apache/kafka` image. testcontainers' own KafkaContainer only knows the scripts of Confluent's image."""

    def __init__(self) -> None:
        self._port = free_port()
        self._container = DockerContainer(f"apache/kafka:{kafka_version()}").with_bind_ports(9092, self._port)
        self._host = ""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` on the Docker host."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Return once it answers; the first time, once the image is pulled too."""
        # The address goes into the settings before the start: clients are sent to whatever is advertised.
        self._host = await asyncio.to_thread(self._container.get_container_host_ip)
        settings = single_node_settings(
            listen="0.0.0.0:9092",
            advertised=self.bootstrap_servers,
            controller="localhost:9093",
        )
        for name, value in settings.items():
            # The image's own rule: https://hub.docker.com/r/apache/kafka, "Overriding the default broker configuration"
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        await asyncio.to_thread(self._container.start)
        await wait_until_it_answers(self.bootstrap_servers)

    async def stop(self) -> None:
        """Remove the container."""
        await asyncio.to_thread(self._container.stop)


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine can be reached: `docker info` succeeds."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def choose_broker_kind(environment: Mapping[str, str] = os.environ) -> BrokerKind:
    """The kind that the environment asks for or, on `auto`, the first that this machine can run.

    ValueError where the variable holds anything else.
    """
    choice = environment.get(CHOICE, "auto")
    if choice in list(BrokerKind):
        return BrokerKind(choice)
    if choice != "auto":
        raise ValueError(f"{CHOICE}={choice}: set it to auto, {', '.join(BrokerKind)}.")
    if docker_answers():
        return BrokerKind.TESTCONTAINERS
    return BrokerKind.APACHE if can_run_apache_kafka() else BrokerKind.EMBEDDED


def make_broker(kind: BrokerKind, directory: Path) -> Broker:
    """A broker of that kind, not started yet; `directory` is for the files of those that write any."""
    match kind:
        case BrokerKind.TESTCONTAINERS:
            return ContainerKafka()
        case BrokerKind.APACHE:
            return ApacheKafka(directory)
        case BrokerKind.EMBEDDED:
            return EmbeddedKafka()


async def start_broker(directory: Path, kind: BrokerKind | None = None) -> Broker:
    """Start a broker of the given kind, else of the chosen one. The caller stops it."""
    broker = make_broker(kind or choose_broker_kind(), directory)
    await broker.start()
    return broker


@asynccontextmanager
async def fresh_broker(directory: Path, kind: BrokerKind | None = None) -> AsyncIterator[str]:
    """`host:port` of a new broker, with every topic and nothing in them, and with no groups; gone at the end.

    The names of topics and of services' groups are fixed, and what is in a topic is what the next service reads:
    two tests of services never share a broker.
    """
    broker = await start_broker(directory, kind)
    try:
        await create_topics(broker.bootstrap_servers)
        yield broker.bootstrap_servers
    finally:
        await broker.stop()
