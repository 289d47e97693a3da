"""A mistake in the environment is told by its variable, with what to write, and no value, which may be a secret."""

import runpy

import pytest

from todoke_dispatcher.settings import DispatcherSettings
from todoke_ingest.settings import IngestSettings
from todoke_local.settings import LocalSettings
from todoke_shared.config_errors import ConfigError
from todoke_shared.postgres.dsn import check_dsn
from todoke_shared.postgres.pool import open_pool
from todoke_shared.settings import FromEnvironment

SECRET = "do-not-show-me"
DSN = f"postgresql://todoke:{SECRET}@db/todoke"
GOOD = {"TODOKE_POSTGRES_DSN": DSN, "TODOKE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}


@pytest.mark.parametrize(
    ("settings", "environment", "told"),
    [
        (DispatcherSettings, {"TODOKE_POSTGRES_DSN": DSN},
         "set TODOKE_KAFKA_BOOTSTRAP_SERVERS: host:port[,host:port…] of Kafka"),
        (DispatcherSettings, GOOD | {"TODOKE_DRAIN_SECONDS": SECRET},
         "TODOKE_DRAIN_SECONDS: write a whole number here"),
        (DispatcherSettings, GOOD | {"TODOKE_PUSH_RATE": "0", "TODOKE_DISPATCHER_PORT": "99999"},
         "TODOKE_DISPATCHER_PORT: write a number of at most 65535; TODOKE_PUSH_RATE: write a number of at least 1"),
        (DispatcherSettings, GOOD | {"TODOKE_LEASE_SECONDS": "3"},
         "TODOKE_LEASE_SECONDS must be more than 10: LINE has that long to answer, and a message must not be taken up "
         "while it does"),
        (IngestSettings, GOOD | {"TODOKE_KEYS": SECRET}, "TODOKE_KEYS: use one of required, optional"),
        (LocalSettings, {"TODOKE_INGEST_PORT": SECRET}, "TODOKE_INGEST_PORT: write a whole number here"),
    ],
)  # fmt: skip
def test_a_variable_that_is_missing_or_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: type[FromEnvironment], environment: dict[str, str], told: str
) -> None:
    """All of them at once; pydantic's own text would show PostgreSQL's password where another variable is missing."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as error:
        settings()
    assert str(error.value) == told
    assert SECRET not in f"{error.value} {error.value!r} {error.value.__cause__!r}"


@pytest.mark.parametrize("service", ["ingest", "segmenter", "scheduler", "dispatcher"])
def test_a_service_ends_with_one_line(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """Exit code 1 and no traceback: `SystemExit` with a text is just that."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", DSN)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"todoke_{service}", run_name="__main__")
    assert ended.value.code == "todoke: set TODOKE_KAFKA_BOOTSTRAP_SERVERS: host:port[,host:port…] of Kafka"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://todoke:{}#1@db/todoke",
        "postgresql://todoke:{}/1@db/todoke",
        "postgresql://todoke:x@db:{}/todoke",
        "mysql://todoke:{}@db/todoke",
        "todoke:{}@db",
        "postgresql://todoke:x@[{}",
    ],
)
async def test_a_dsn_that_is_none_is_not_repeated(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    """Neither by a command nor by a service: a letter that was not encoded splits a password in two."""
    dsn = dsn.format(SECRET)
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", dsn)
    with pytest.raises(ConfigError, match="write TODOKE_POSTGRES_DSN as postgresql://user:password@host") as told:
        LocalSettings()
    with pytest.raises(ValueError, match="with the letters # / ") as pools:
        await open_pool(dsn, application="test", schema="scheduler")
    assert SECRET not in f"{told.value}{pools.value}{pools.value.__cause__!r}"


@pytest.mark.parametrize(
    "dsn",
    [
        DSN,
        "postgres://todoke@/todoke?host=/var/run/postgresql",
        "postgresql://todoke:a%23b@db-1:5432,db-2:5433/todoke?sslmode=verify-full",
        "postgresql://todoke@[::1]:5432/todoke",
        "postgresql://todoke@[::1]/todoke",
        "postgresql://todoke@db:/todoke",
    ],
)
def test_a_dsn_stays_as_it_is(dsn: str) -> None:
    """Sockets, several hosts, addresses of the sixth version."""
    assert check_dsn(dsn) == dsn
