"""Reads deployment files, and tells which environment variables each program knows."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, cast

from pydantic_settings import BaseSettings
from ruamel.yaml import YAML

from todoke_dispatcher.settings import DispatcherSettings
from todoke_ingest.settings import IngestSettings
from todoke_line_simulator.settings import SimulatorSettings
from todoke_local.settings import LocalSettings
from todoke_scheduler.settings import SchedulerSettings
from todoke_segmenter.settings import SegmenterSettings

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
COMPOSE_LINE = ROOT / "deploy/docker/compose.line.yml"
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
BASE = ROOT / "deploy/kustomize/base"
EXAMPLE = ROOT / "deploy/kustomize/overlays/example"

Node: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"
Table: TypeAlias = dict[str, Node]

FLOW = ("ingest", "segmenter", "scheduler", "dispatcher")
SETTINGS: Mapping[str, type[BaseSettings]] = {
    "ingest": IngestSettings,
    "segmenter": SegmenterSettings,
    "scheduler": SchedulerSettings,
    "dispatcher": DispatcherSettings,
    "simulator": SimulatorSettings,
    "migrate": LocalSettings,
    "publish": LocalSettings,
}
LIBPQ = {"PGPASSWORD"}
"""Read by asyncpg, not by our settings: https://www.postgresql.org/docs/current/libpq-envars.html"""


def documents(path: Path) -> list[Table]:
    """The YAML documents of a file. ruamel refuses a key given twice."""
    loaded = list(YAML(typ="safe", pure=True).load_all(path))
    assert all(isinstance(document, dict) for document in loaded), f"{path} holds something other than tables"
    return cast(list[Table], loaded)


def table(node: Node) -> Table:
    """The node, which must be a table."""
    assert isinstance(node, dict), f"expected a table, found {node!r}"
    return node


def items(node: Node) -> list[Node]:
    """The node, which must be a list."""
    assert isinstance(node, list), f"expected a list, found {node!r}"
    return node


def at(node: Node, *path: str | int) -> Node:
    """What stands at a path of keys and positions; KeyError or IndexError where there is nothing."""
    for step in path:
        node = table(node)[step] if isinstance(step, str) else items(node)[step]
    return node


def strings(node: Node) -> Iterator[str]:
    """Every text in a document, at any depth."""
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from strings(child)


def known_variables(program: str) -> set[str]:
    """The environment variables that a program reads: its settings' fields, and what asyncpg reads itself."""
    settings = SETTINGS[program]
    prefix = settings.model_config["env_prefix"]
    return {f"{prefix}{name}".upper() for name in settings.model_fields} | LIBPQ


def required_variables(program: str) -> set[str]:
    """Those without which the program does not start."""
    settings = SETTINGS[program]
    prefix = settings.model_config["env_prefix"]
    return {f"{prefix}{name}".upper() for name, field in settings.model_fields.items() if field.is_required()}


def default_port(service: str) -> int:
    """The port that a service listens on where nothing else is set."""
    field = "port" if service == "simulator" else f"{service}_port"
    return cast(int, SETTINGS[service].model_fields[field].default)


def env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a file; comments are left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(cast(tuple[str, str], tuple(line.split("=", 1))) for line in lines)


def interpolated(text: str) -> str:
    """Compose's `${NAME:-default}` replaced by its default; `${NAME:?…}`, which has none, by nothing."""
    return re.sub(r"\$\{\w+:\?[^}]*\}", "", re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
