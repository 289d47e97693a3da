"""What every test room gets: a Kafka, a PostgreSQL, and no network where there must be none."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.brokers import CHOICE, BrokerKind, choose_broker_kind, fresh_broker, start_broker
from tests.support.chromium import NAMES, find_chromium
from tests.support.databases import choose_postgres, create_migrated_database, drop_database, fresh_database
from tests.support.kafka_groups import groups_of
from tests.support.no_network import no_network
from tests.support.recordings import RECORDING

Result = TypeVar("Result")

TESTS = Path(__file__).parent
MARKERS = {
    "connected": "talks to a real Kafka or PostgreSQL (every test in tests/connected)",
    "e2e": "runs the services as processes against the simulator (every test in tests/e2e)",
    "recording": "needs the recording of a real shop that lies beside the project",
    "browser": "drives a real Chromium",
    "apache_kafka": "needs Apache Kafka itself, since it kills and restarts the broker",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and refuse a choice of Kafka that is none."""
    try:
        choose_broker_kind()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_report_header() -> list[str]:
    """Say what the tests run on, and what they therefore leave out."""
    kind = choose_broker_kind()
    lines = [f"todoke: Kafka is {kind} ({CHOICE} chooses), PostgreSQL is {choose_postgres()[0]}"]
    if kind is not BrokerKind.APACHE:
        lines.append(f"todoke: tests marked apache_kafka are deselected; {CHOICE}=apache runs them (Java 17, Maven)")
    if not RECORDING.exists():
        lines.append(f"todoke: tests marked recording are deselected; TODOKE_TEST_RECORDING names it (no {RECORDING})")
    if find_chromium() is None:
        lines.append(
            f"todoke: tests marked browser are deselected; `apt-get install chromium` (none of {NAMES} is here)"
        )
    return lines


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their room, and deselect (not skip: the header says so) what the chosen Kafka cannot show."""
    for item in items:
        if (room := room_of(item.path)) in MARKERS:
            item.add_marker(room)
    missing = {"apache_kafka"} if choose_broker_kind() is not BrokerKind.APACHE else set()
    missing |= set() if RECORDING.exists() else {"recording"}
    missing |= set() if find_chromium() else {"browser"}
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in missing)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def room_of(path: Path) -> str:
    """The folder directly below tests/ that a test is in; empty for a test elsewhere."""
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""


@pytest.fixture(autouse=True)
def only_the_network_of_the_room(request: pytest.FixtureRequest) -> Iterator[None]:
    """tests/unit opens no socket at all, tests/pipeline only Unix sockets (the embedded PostgreSQL)."""
    room = room_of(request.path)
    with no_network(unix_sockets=room == "pipeline") if room in ("unit", "pipeline") else nullcontext():
        yield


@pytest.fixture(scope="session")
def shared_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of the run's one Kafka broker; tests want `kafka_bootstrap` or `own_kafka`."""
    broker = run(start_broker(tmp_path_factory.mktemp("kafka")))
    yield broker.bootstrap_servers
    run(broker.stop())


@pytest.fixture
def kafka_bootstrap(shared_kafka: str) -> Iterator[str]:
    """`host:port` of a broker that tests share: they write and look for keys or topics of their own.

    A service would read what other tests have written, and they what it writes: services run on `own_kafka`.
    """
    before = run(groups_of(shared_kafka))
    yield shared_kafka
    joined = run(groups_of(shared_kafka)) - before
    assert not joined, f"Services read as {sorted(joined)} from a Kafka that tests share: give them `own_kafka`."


@pytest.fixture
async def own_kafka(tmp_path: Path) -> AsyncIterator[str]:
    """`host:port` of a broker that is this test's own: every topic is there, and nothing is in them."""
    async with fresh_broker(tmp_path / "own-kafka") as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of the run's one PostgreSQL server; tests want `postgres_dsn`."""
    _, server = choose_postgres()
    run(server.start())
    yield server.dsn
    run(server.stop())


@pytest.fixture(scope="session")
def migrated_database(postgres_server: str) -> Iterator[str]:
    """The name of a database with every room's tables, and nobody in it: to copy it is much quicker than to migrate."""
    name = run(create_migrated_database(postgres_server))
    yield name
    run(drop_database(postgres_server, name))


@pytest.fixture
async def postgres_dsn(postgres_server: str, migrated_database: str) -> AsyncIterator[str]:
    """The DSN of a database that is this test's own, with every room's tables, as `todoke migrate` leaves them."""
    async with fresh_database(postgres_server, like=migrated_database) as dsn:
        yield dsn


@pytest.fixture
async def empty_postgres_dsn(postgres_server: str) -> AsyncIterator[str]:
    """The DSN of an empty database that is this test's own."""
    async with fresh_database(postgres_server) as dsn:
        yield dsn


def run(coroutine: Coroutine[object, object, Result]) -> Result:
    """Run a coroutine to its end from a session fixture, in a thread, apart from the tests' event loops."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
