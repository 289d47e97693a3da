"""docker-compose.yml: what it promises, read from the file; no Docker is asked."""

import json
import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from tests.support.apache_kafka.jars import kafka_version
from tests.unit.deploy.yamls import (
    COMPOSE,
    COMPOSE_LINE,
    FLOW,
    ROOT,
    SETTINGS,
    Table,
    at,
    default_port,
    documents,
    env_file,
    interpolated,
    items,
    known_variables,
    required_variables,
    strings,
    table,
)
from todoke_line_simulator.settings import AccountSettings
from todoke_shared.accounts import Config
from todoke_shared.settings import Settings

ONE_SHOT = {"migrate", "publish"}
PROGRAMS = (*SETTINGS,)
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")


@pytest.fixture(scope="module")
def compose() -> Table:
    """The file, with YAML's anchors and merges carried out."""
    [document] = documents(COMPOSE)
    return document


@pytest.fixture
def services(compose: Table) -> dict[str, Table]:
    """The services by name, in the file's order."""
    return {name: table(service) for name, service in table(compose["services"]).items()}


def environment(service: Table) -> dict[str, str]:
    """A service's environment; every value is a text, as YAML's own booleans and numbers would surprise."""
    given = table(service["environment"])
    assert all(isinstance(value, str) for value in given.values()), given
    return {name: str(value) for name, value in given.items()}


def waits_for(services: dict[str, Table], name: str) -> set[str]:
    """Everything that is started before a service, directly or through another."""
    direct = set(table(services[name].get("depends_on", {})))
    return direct.union(*(waits_for(services, other) for other in direct))


def test_it_starts_everything_that_the_pipeline_needs(services: dict[str, Table]) -> None:
    """Kafka, PostgreSQL, the migration, the simulator and the four services, and nothing that is not known here."""
    assert set(services) == {"kafka", "postgres", *PROGRAMS}


def test_the_services_stand_and_start_in_flow_order(services: dict[str, Table]) -> None:
    """A reader sees the flow top down, and each service starts after the one before it and after the migration."""
    assert [name for name in services if name in FLOW] == list(FLOW)
    names = list(services)
    assert names.index("simulator") < names.index("ingest")
    for position, name in enumerate(FLOW):
        assert {"kafka", "postgres", "migrate", *FLOW[:position]} <= waits_for(services, name)


@pytest.mark.parametrize("name", FLOW)
def test_no_service_starts_before_the_migration_has_succeeded(services: dict[str, Table], name: str) -> None:
    """The condition is its success, not its start."""
    assert at(services[name], "depends_on", "migrate", "condition") == "service_completed_successfully"


def test_the_migration_waits_for_healthy_kafka_and_postgres(services: dict[str, Table]) -> None:
    """Both must answer, not just run."""
    for part in ("kafka", "postgres"):
        assert at(services["migrate"], "depends_on", part, "condition") == "service_healthy"


def test_whatever_keeps_running_has_a_health_check(services: dict[str, Table]) -> None:
    """Only the one-shots, which end and are not started again, have none."""
    for name, service in services.items():
        if name in ONE_SHOT:
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "unless-stopped"
            assert {"test", "interval", "timeout", "retries"} <= set(table(service["healthcheck"])), name


@pytest.mark.parametrize("name", [*FLOW, "simulator"])
def test_ports_agree_with_the_settings(services: dict[str, Table], name: str) -> None:
    """The port set, the one asked for health, and the one published are what the settings have by default."""
    port = default_port(name)
    prefix = "TODOKE_SIMULATOR" if name == "simulator" else f"TODOKE_{name.upper()}"
    assert environment(services[name])[f"{prefix}_PORT"] == str(port)
    path = "healthz" if name == "simulator" else "readyz"
    assert f"'http://127.0.0.1:{port}/{path}'" in str(at(services[name], "healthcheck", "test", -1))
    for published in items(services[name].get("ports", [])):
        assert interpolated(str(published)) == f"127.0.0.1:{port}:{port}"


def test_only_ingest_and_the_simulator_can_be_reached_from_the_machine(services: dict[str, Table]) -> None:
    """Kafka and PostgreSQL above all have no port outside."""
    assert {name for name, service in services.items() if "ports" in service} == {"ingest", "simulator"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_variable_is_a_setting_of_its_program(services: dict[str, Table], name: str) -> None:
    """A misspelt name would be ignored in silence; a missing one would stop the start."""
    given = set(environment(services[name]))
    assert given <= known_variables(name)
    assert required_variables(name) <= given


def test_the_simulators_accounts_are_ones_it_accepts(services: dict[str, Table]) -> None:
    """Its webhooks go to ingest's door for the account that every service knows by default."""
    [account] = json.loads(environment(services["simulator"])["TODOKE_SIMULATOR_ACCOUNTS"])
    parsed = AccountSettings.model_validate(account)
    assert parsed.webhook_url == f"http://ingest:{default_port('ingest')}/webhooks/line/main"
    assert environment(services["dispatcher"])["TODOKE_LINE_API_URL"] == f"http://simulator:{default_port('simulator')}"


def test_no_secret_stands_in_the_file(services: dict[str, Table]) -> None:
    """Each password comes from the environment and has no default; a connection string carries none."""
    for name, service in services.items():
        for variable, value in environment(service).items():
            if SECRET_NAME.search(variable):
                assert re.fullmatch(r"\$\{TODOKE_[A-Z]+_PASSWORD:\?[^}]+\}", value), f"{name}: {variable}"
        for text in strings(service):
            assert not re.search(r"://[^/@\s]*:[^/@\s]*@", text), f"{name}: a password in {text}"


def test_the_example_of_the_environment_file_names_every_password_and_holds_none(compose: Table) -> None:
    """What docker-compose.yml demands is what env.example lists, all of it empty."""
    demanded = {name for text in strings(compose) for name in re.findall(r"\$\{(\w+):\?", text)}
    assert env_file(ROOT / "deploy/docker/env.example") == dict.fromkeys(demanded, "")
    assert len(demanded) == 5


def test_each_service_logs_in_as_its_own_user(services: dict[str, Table]) -> None:
    """The login's group role is the service's; the owner of the tables is for the one-shots alone."""
    logins = (ROOT / "deploy/docker/postgres-logins.sql").read_text(encoding="utf-8")
    for name in FLOW:
        given = environment(services[name])
        assert f"//{name}_login@postgres:5432/todoke" in given["TODOKE_POSTGRES_DSN"]
        assert f"TODOKE_{name.upper()}_PASSWORD" in given["PGPASSWORD"]
        assert f"CREATE ROLE {name}_login LOGIN PASSWORD :'{name}' IN ROLE todoke_{name};" in logins
        assert f"\\getenv {name} TODOKE_{name.upper()}_PASSWORD" in logins
    owners = {name for name in PROGRAMS if "todoke_owner" in environment(services[name]).get("TODOKE_POSTGRES_DSN", "")}
    assert owners == ONE_SHOT


def test_every_image_has_a_version(services: dict[str, Table]) -> None:
    """A number with at least major and minor; ours are built from the one Dockerfile with the package's name."""
    for name, service in services.items():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+[\w.-]*", interpolated(str(service["image"]))), name
    for name in PROGRAMS:
        build = table(services[name]["build"])
        package = str(services[name]["image"]).partition(":")[0]
        assert build == {"context": ".", "dockerfile": "deploy/docker/Dockerfile", "args": {"SERVICE": package}}


def test_kafka_is_the_release_that_the_tests_run_on(services: dict[str, Table]) -> None:
    """What was never tested is not deployed; and topics are made by the migration alone."""
    assert services["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert environment(services["kafka"])["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_nothing_runs_as_root_or_without_limits(services: dict[str, Table]) -> None:
    """A user, no capabilities, no new privileges, and an end to memory, processors and processes."""
    for name, service in services.items():
        assert str(service["user"]).split(":")[0] not in ("", "0", "root"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service), name
        assert service.get("read_only", False) is (name != "kafka"), name


def test_a_stop_has_longer_than_a_service_drains(services: dict[str, Table]) -> None:
    """Docker kills after stop_grace_period; until then a batch in hand may end."""
    drain = Settings.model_fields["drain_seconds"].default
    for name in FLOW:
        assert int(str(services[name]["stop_grace_period"]).removesuffix("s")) > drain


def test_kafka_and_postgres_are_on_a_network_without_a_way_out(compose: Table, services: dict[str, Table]) -> None:
    """They speak plain text there."""
    assert at(compose, "networks", "inside", "internal") is True
    for name in ("kafka", "postgres", "migrate", "segmenter", "scheduler", "dispatcher"):
        assert services[name]["networks"] == ["inside"], name


def test_the_files_that_are_mounted_exist(services: dict[str, Table]) -> None:
    """Docker would make an empty folder of one that does not."""
    mounted = [str(volume).split(":")[0] for s in services.values() for volume in items(s.get("volumes", []))]
    ours = [source for source in mounted if source.startswith("./")]
    assert len(ours) == 3
    assert all((ROOT / source).exists() for source in ours)


def test_publishing_takes_segments_and_then_the_campaigns_that_may_name_them(
    services: dict[str, Table], tmp_path: Path
) -> None:
    """Each folder is mounted, read-only, where its setting says; a mistake in a segment ends it before a campaign."""
    given = environment(services["publish"])
    mounted = [str(volume).split(":") for volume in items(services["publish"]["volumes"])]
    assert {source: (target, mode) for source, target, mode in mounted} == {
        "./campaigns": (given["TODOKE_CAMPAIGNS"], "ro"),
        "./segments": (given["TODOKE_SEGMENTS"], "ro"),
    }
    stub = tmp_path / "todoke"
    stub.write_text('#!/bin/sh\necho "$@"\n[ "$FAILS" != "$1" ]\n', encoding="utf-8")
    stub.chmod(0o755)

    def run(fails: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [str(word) for word in items(services["publish"]["entrypoint"])],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "FAILS": fails},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()

    assert run("") == (0, ["segments publish", "campaigns publish"])
    assert run("segments") == (1, ["segments publish"])
    assert run("campaigns") == (1, ["segments publish", "campaigns publish"])


def test_sending_to_line_changes_only_what_it_must(services: dict[str, Table]) -> None:
    """The second file leaves the simulator out, names LINE's address and the accounts, and knows every variable."""
    [document] = documents(COMPOSE_LINE)
    changed = {name: table(service) for name, service in table(document["services"]).items()}
    assert set(changed) == {"simulator", "migrate", "ingest", "scheduler", "dispatcher"}
    assert changed["simulator"] == {"profiles": ["simulator"]}
    assert at(services["dispatcher"], "depends_on", "simulator", "required") is False
    for name in ("ingest", "scheduler", "dispatcher"):
        given = environment(changed[name])
        assert set(given) <= known_variables(name)
        mounts = [table(mount) for mount in items(changed[name]["volumes"])]
        assert given["TODOKE_CONFIG"] in [mount["target"] for mount in mounts]
        assert all(mount["read_only"] is True for mount in mounts)
    assert environment(changed["dispatcher"])["TODOKE_LINE_API_URL"] == "https://api.line.me"
    config = environment(changed["ingest"])["TODOKE_CONFIG"]
    assert environment(changed["migrate"]) == {"TODOKE_CONFIG": config}
    assert [table(mount)["target"] for mount in items(changed["migrate"]["volumes"])] == [config], "and no secret"


def test_the_example_of_the_accounts_file_is_valid_and_names_files_below_the_mount() -> None:
    """It reads as ingest and the dispatcher read it, and every secret is one of the files mounted."""
    [example] = documents(ROOT / "deploy/docker/accounts.example.yaml")
    for account in Config.model_validate(example).accounts.values():
        for reference in (*account.channel_secrets, account.access_token or ""):
            assert reference.startswith("file:/run/secrets/line/")
            assert PurePosixPath(reference.removeprefix("file:")).parent == PurePosixPath("/run/secrets/line")


def test_git_ignores_what_holds_secrets() -> None:
    """The environment file, the accounts and the folder of secrets at the root."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "/accounts.yaml", "/secrets/"} <= set(ignored)
