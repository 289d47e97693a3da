"""Write the parts of the documentation that the code already says: `python docs/generate.py`.

`--check` writes nothing and fails, naming each file that no longer says what the code says.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from prometheus_client.metrics import MetricWrapperBase
from pydantic import AwareDatetime, BaseModel

import todoke_dispatcher.main
import todoke_ingest.asyncapi
import todoke_scheduler.main
import todoke_segmenter.main
import todoke_shared.contracts
from todoke_shared.campaigns.schema import campaign_schema
from todoke_shared.contracts.ec_events import CATALOGUE_TYPES, DATA_MODELS, EVENT_TYPES, EventData
from todoke_shared.contracts.topics import EC_EVENTS, PARTITIONS, TOPICS, Topic
from todoke_shared.kafka.records import Record
from todoke_shared.telemetry import metrics

DOCS = Path(__file__).parent
_WORDS = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    AwareDatetime: "time with offset",
    UUID: "UUID",
}
EXAMPLES = Path(todoke_shared.contracts.__file__).parent / "examples"
GENERATED = "<!-- Written by docs/generate.py; change the code it comes from. -->\n"
BROKER = "kafka:9092"
"""Stands in the AsyncAPI documents for TODOKE_KAFKA_BOOTSTRAP_SERVERS; nobody connects to it."""

SERVICES: dict[str, tuple[str, Callable[[KafkaBroker], object]]] = {
    "ingest": ("EVENTS: HTTP doors to event topics.", todoke_ingest.asyncapi.declare),
    "segmenter": (
        "STATE: event topics to customer state, segments and triggers.",
        lambda broker: todoke_segmenter.main.declare(broker, _take_nothing, _take_nothing, _take_nothing),
    ),
    "scheduler": (
        "TIMERS: triggers to enrolments, timers and message requests.",
        lambda broker: todoke_scheduler.main.declare(broker, _take_nothing, _take_nothing),
    ),
    "dispatcher": (
        "MESSAGES: requests to LINE, each once, within limits.",
        lambda broker: todoke_dispatcher.main.declare(broker, lambda _: _take_nothing),
    ),
}


async def _take_nothing(_: Sequence[Record], /) -> None:
    """A handler for a service that is described and not run."""


def documents() -> dict[Path, str]:
    """Every generated file, by its path below docs/."""
    found = {Path("asyncapi", f"{name}.json"): asyncapi(name) for name in SERVICES}
    found[Path("campaign.schema.json")] = json.dumps(campaign_schema(), ensure_ascii=False, indent=2) + "\n"
    return found | {Path("topics.md"): topics(), Path("events.md"): events(), Path("metrics.md"): metric_list()}


def asyncapi(service: str) -> str:
    """What a service reads and writes, as AsyncAPI 3."""
    description, declare = SERVICES[service]
    broker = KafkaBroker(BROKER, logger=None)
    declare(broker)
    document = AsyncAPI(
        broker, title=f"todoke {service}", version=version(f"todoke-{service}"), description=description
    ).to_specification()
    values = document.to_jsonable()
    for message in values["components"]["messages"].values():
        del message["correlationId"]  # FastStream's own header; our records carry none
    return json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def topics() -> str:
    """docs/topics.md: the topic map."""
    rows = [
        (f"[`{t.name}`](#{_anchor(t.name)})", ", ".join(t.producers), ", ".join(t.consumers), t.purpose) for t in TOPICS
    ]
    parts = [
        "# Topics\n",
        GENERATED,
        _table(("topic", "written by", "read by", "purpose"), rows),
        f"Every topic has {PARTITIONS} partitions, fixed for life: records of one key keep their order only while this "
        "stays as it is. Fields that we do not know are carried. A record that can never be handled goes, untouched, "
        "to the topic's dead letters (`<topic>.dlq`, 1 partition, 30 days) with headers that say which service refused "
        "it (`todoke-service`), why (`todoke-reason`, `todoke-field`) and where it was (`todoke-origin`).\n",
        *map(_topic, TOPICS),
    ]
    return "\n".join(parts)


def _topic(topic: Topic) -> str:
    facts = [
        ("key", f"`{topic.key}`"),
        ("written by", ", ".join(topic.producers)),
        ("read by", ", ".join(topic.consumers)),
        ("kept for", f"{topic.retention // 86_400} days"),
        ("partitions", str(PARTITIONS)),
        ("dead letters", f"`{topic.dead_letters}`"),
    ]
    of_one = sorted(set(_examples(topic)) - {"crowd"})
    name = "cart.item_added" if topic is EC_EVENTS else of_one[0]
    parts = [
        f"## {topic.name}\n",
        f"{topic.purpose}\n",
        _table(("", ""), facts),
        _prose(topic.model),
        _fields(topic.model),
        _example(topic, name),
    ]
    if topic.also is not None:
        parts += [f"Or: {_prose(topic.also)}", _fields(topic.also), _example(topic, "crowd")]
    return "\n".join(part for part in parts if part)


def events() -> str:
    """docs/events.md: the vocabulary of shop events."""
    rooms: dict[str, list[str]] = {}
    for type_ in sorted(EVENT_TYPES):
        rooms.setdefault(type_.partition(".")[0], []).append(type_)
    rows = [(noun, ", ".join(f"[`{t}`](#{_anchor(t)})" for t in types)) for noun, types in rooms.items()]
    parts = [
        "# Events\n",
        GENERATED,
        f"What a shop tells Todoke, as [CloudEvents 1.0](https://cloudevents.io) in `{EC_EVENTS.name}`. `subject` "
        "names the person as the shop knows them: `customer:{id}`, `visitor:{id}` or `line:{account}:{userId}`. "
        "Only fields that a room reads are listed; all others are carried, and conditions may ask about them as "
        "`event.…`. Whatever has no word here is `custom.*`.\n",
        _table(("about", "events"), rows),
        "Any event may carry `order_id` and `cart_id` (texts of at most 255 characters): campaigns that run "
        "`per: order` or `per: cart` keep their runs apart by them.\n",
        'An event with `"history": true` beside its `type` tells of what happened long ago: what is known of the '
        "person follows it, and no campaign starts or ends by it (docs/adr/0015).\n",
        *(_event(type_) for types in rooms.values() for type_ in types),
        "## custom.*\n",
        "Anything else, under a name of your own; these few are read.\n",
        _example(EC_EVENTS, "custom.favourited"),
        *(_event(type_) for type_ in sorted(DATA_MODELS) if type_.startswith("custom.")),
    ]
    return "\n".join(parts)


def _event(type_: str) -> str:
    parts = [f"## {type_}\n"]
    if type_ in CATALOGUE_TYPES:
        parts.append("About a product, not a person: it needs no subject.\n")
    model = DATA_MODELS.get(type_)
    if model is not None:
        parts += [_prose(model), _fields(model, "data.")]
    return "\n".join([*parts, _example(EC_EVENTS, type_)])


def metric_list() -> str:
    """docs/metrics.md: the closed list of metrics."""
    found = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    # Neither the class nor its families tell the labels in public.
    rows = [
        (f"`{_exposed(metric)}`", str(metric._type), ", ".join(metric._labelnames), metric._documentation)
        for metric in found
    ]
    return "\n".join(
        [
            "# Metrics\n",
            GENERATED,
            "Every service serves them at `GET /metrics`. Times are in seconds. A name not here does not exist.\n",
            _table(("metric", "type", "labels", "meaning"), rows),
        ]
    )


def _exposed(metric: MetricWrapperBase) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


def _fields(model: type[BaseModel], prefix: str = "") -> str:
    rows = [(f"`{path}`", kind, "yes" if needed else "") for path, kind, needed in _walk(model, prefix)]
    return _table(("field", "type", "needed"), rows)


def _walk(model: type[BaseModel], prefix: str) -> Iterable[tuple[str, str, bool]]:
    for name, field in model.model_fields.items():
        if name in EventData.model_fields and not field.is_required():
            continue  # told once, for every event
        inner, many = _model_in(field.annotation)
        kind = _kind(field.annotation)
        yield prefix + name, kind, field.is_required()
        if inner is not None:
            yield from _walk(inner, f"{prefix}{name}{'[]' if many else ''}.")


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    found = [(model, get_origin(annotation) is tuple) for model, _ in map(_model_in, get_args(annotation)) if model]
    return found[0] if found else (None, False)


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in arguments if part is not type(None)))
    if origin is tuple:
        return f"list of {_kind(arguments[0])}s"
    if arguments and origin not in (dict, tuple):
        literal = all(isinstance(argument, str | int) for argument in arguments)
        return " or ".join(f"`{argument}`" for argument in arguments) if literal else _kind(arguments[0])
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "object"
    return _WORDS[annotation]


def _prose(model: type[BaseModel]) -> str:
    return "\n".join(line.strip() for line in (model.__doc__ or "").splitlines()).strip() + "\n"


def _examples(topic: Topic) -> list[str]:
    return [file.stem for file in (EXAMPLES / topic.name).glob("*.json")]


def _example(topic: Topic, name: str) -> str:
    text = (EXAMPLES / topic.name / f"{name}.json").read_text(encoding="utf-8")
    return f"```json\n{text}```\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _anchor(heading: str) -> str:
    return heading.replace(".", "").lower()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with `--check` tell which differ. The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    check = parser.parse_args(arguments).check
    wanted = documents()
    differing = [path for path, text in wanted.items() if not _says(DOCS / path, text)]
    if check:
        for path in differing:
            sys.stderr.write(f"docs/{path} does not say what the code says: run python docs/generate.py\n")
        return 1 if differing else 0
    for path in differing:
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(wanted[path], encoding="utf-8")
    return 0


def _says(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
