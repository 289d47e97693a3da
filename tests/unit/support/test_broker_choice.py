"""The Kafka and PostgreSQL that tests run on follow the environment, else what the machine can run."""

import pytest

from tests.support import brokers, databases
from tests.support.brokers import BrokerKind, choose_broker_kind
from tests.support.databases import GivenPostgres, choose_postgres


@pytest.mark.parametrize("kind", list(BrokerKind))
def test_a_named_kafka_is_taken_whatever_the_machine_has(kind: BrokerKind) -> None:
    """TODOKE_TEST_KAFKA names the kind itself."""
    assert choose_broker_kind({"TODOKE_TEST_KAFKA": kind.value}) is kind


@pytest.mark.parametrize(
    ("docker", "jars", "expected"),
    [
        (True, True, BrokerKind.TESTCONTAINERS),
        (True, False, BrokerKind.TESTCONTAINERS),
        (False, True, BrokerKind.APACHE),
        (False, False, BrokerKind.EMBEDDED),
    ],
)
@pytest.mark.parametrize("environment", [{}, {"TODOKE_TEST_KAFKA": "auto"}])
def test_auto_takes_the_most_faithful_kafka_that_runs_here(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], docker: bool, jars: bool, expected: BrokerKind
) -> None:
    """Containers where Docker answers, else the jars where Java and Maven are, else the embedded broker."""
    monkeypatch.setattr(brokers, "docker_answers", lambda: docker)
    monkeypatch.setattr(brokers, "can_run_apache_kafka", lambda: jars)
    assert choose_broker_kind(environment) is expected


def test_an_unknown_kafka_is_refused_with_the_known_ones() -> None:
    """A misspelt choice must not quietly run on something else."""
    with pytest.raises(ValueError, match="set it to auto, testcontainers, apache, embedded"):
        choose_broker_kind({"TODOKE_TEST_KAFKA": "apahce"})


def test_a_given_postgres_is_used_as_it_is() -> None:
    """TODOKE_TEST_POSTGRES_DSN wins over everything else."""
    kind, server = choose_postgres({"TODOKE_TEST_POSTGRES_DSN": "postgresql://someone@db.example/postgres"})
    assert (kind, type(server), server.dsn) == ("given", GivenPostgres, "postgresql://someone@db.example/postgres")


@pytest.mark.parametrize(("docker", "expected"), [(True, "testcontainers"), (False, "embedded")])
def test_postgres_is_a_container_where_docker_answers(
    monkeypatch: pytest.MonkeyPatch, docker: bool, expected: str
) -> None:
    """Without a given server: a container, else the embedded one."""
    monkeypatch.setattr(databases, "docker_answers", lambda: docker)
    monkeypatch.setattr(databases, "PostgresContainer", lambda *_, **__: None)  # its constructor looks for Docker
    assert choose_postgres({})[0] == expected
