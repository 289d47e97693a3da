"""A mistake in the environment is told by its variable, with what to write, and no value, which may be a secret."""

import runpy

import pytest

from todoke_dispatcher.settings import DispatcherSettings
from todoke_ingest.settings import IngestSettings
from todoke_local.settings import LocalSettings
from todoke_shared.config_errors import ConfigError
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
