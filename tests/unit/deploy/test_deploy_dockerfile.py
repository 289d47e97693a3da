"""deploy/docker/Dockerfile: one recipe, locked, without root."""

import re
import tomllib
from importlib.metadata import requires
from importlib.util import find_spec

import pytest

from tests.unit.deploy.yamls import DOCKERFILE, ROOT, SETTINGS, known_variables

MEMBERS = [path.parent for path in sorted(ROOT.glob("*/*/pyproject.toml"))] + [ROOT / "shared"]
PROGRAMS = (
    "todoke-ingest",
    "todoke-segmenter",
    "todoke-scheduler",
    "todoke-dispatcher",
    "todoke-line-simulator",
    "todoke",
)


@pytest.fixture(scope="module")
def steps() -> list[str]:
    """The instructions, comments left out and continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_every_image_begins_from_a_pinned_python_3_11(steps: list[str]) -> None:
    """No `latest`, no tag that moves with a minor release."""
    begins = [step.split()[1] for step in steps if step.startswith("FROM")]
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", begins[0])
    assert set(begins[1:]) == {"base"}
    assert not any("latest" in step for step in steps)


def test_the_service_is_an_argument_that_must_be_given(steps: list[str]) -> None:
    """Without a default: an empty one would install the whole workspace."""
    assert "ARG SERVICE" in steps
    assert not any(step.startswith("ARG SERVICE=") for step in steps)
    assert any(step.startswith('RUN test -n "$SERVICE"') for step in steps)


def test_it_installs_the_wanted_member_as_locked_and_no_more(steps: list[str]) -> None:
    """`--frozen` takes uv.lock as it is; no test tools, no source tree that the installed code points back to."""
    assert "COPY pyproject.toml uv.lock ./" in steps
    syncs = [step for step in steps if "uv sync" in step]
    assert len(syncs) == 2
    for step in syncs:
        assert {"--frozen", "--no-dev", "--package"} <= set(step.split())
        assert step.endswith('--package "$SERVICE"')
    assert "--no-editable" in syncs[1]
    assert any(re.search(r"pip install .*uv==\d+\.\d+\.\d+$", step) for step in steps)


def test_it_copies_every_member_of_the_workspace_and_nothing_else(steps: list[str]) -> None:
    """A member that is not copied cannot be built; tests and documents are not."""
    copied = [step.split()[1] for step in steps if step.startswith("COPY ") and "--from" not in step]
    folders = [folder for folder in copied if (ROOT / folder).is_dir()]
    assert all(any(member.is_relative_to(ROOT / folder) for folder in folders) for member in MEMBERS)
    assert len(MEMBERS) == 7
    assert all((ROOT / source).exists() for source in [*folders, "pyproject.toml", "uv.lock"])
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    assert {f"!{folder.split('/')[0]}" for folder in folders} <= set(ignore)
    assert {"!pyproject.toml", "!uv.lock"} <= set(ignore)


def test_it_ends_without_root(steps: list[str]) -> None:
    """By number, as Kubernetes' runAsNonRoot wants it; and no later step changes it back."""
    users = [step for step in steps if step.startswith("USER")]
    assert users == ["USER 10001:10001"]
    assert steps.index(users[0]) > max(i for i, step in enumerate(steps) if step.startswith(("FROM", "RUN", "COPY")))


def test_its_environment_is_known_to_the_services(steps: list[str]) -> None:
    """The address it sets, to be reachable from outside the container, is a setting of each service."""
    given = {name for step in steps for name in re.findall(r"\b(TODOKE_\w+)=", step) if step.startswith("ENV")}
    assert given == {"TODOKE_HOST"}
    for service in ("ingest", "segmenter", "scheduler", "dispatcher"):
        assert given <= known_variables(service)
    assert "host" in SETTINGS["ingest"].model_fields


@pytest.mark.parametrize("package", PROGRAMS)
def test_each_program_can_be_started_by_its_name(package: str) -> None:
    """It is a member of the workspace, with a command of its own name or a module that `python -m` runs."""
    assert requires(package)
    projects = [tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"] for member in MEMBERS]
    [project] = [project for project in projects if project["name"] == package]
    if package not in project.get("scripts", {}):
        assert find_spec(f"{package.replace('-', '_')}.__main__") is not None


def test_signals_reach_the_program(steps: list[str]) -> None:
    """The shell that starts it is replaced by it, so that SIGTERM begins the drain."""
    assert steps[-1] == 'ENTRYPOINT ["start"]'
    assert any("exec %s" in step for step in steps)
