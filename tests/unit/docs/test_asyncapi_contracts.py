"""Whoever builds on docs/asyncapi writes what the rooms read: the documents refuse what the contracts refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import todoke_shared.contracts
from docs import generate
from todoke_shared.contracts.topics import TOPICS

EXAMPLES = Path(todoke_shared.contracts.__file__).parent / "examples"
FILES = [(topic.name, file) for topic in TOPICS for file in sorted((EXAMPLES / topic.name).glob("*.json"))]


def payloads() -> dict[str, list[Draft202012Validator]]:
    """By topic, what each service's document says of a record."""
    found: dict[str, list[Draft202012Validator]] = {}
    for service in generate.SERVICES:
        document = json.loads((generate.DOCS / "asyncapi" / f"{service}.json").read_text(encoding="utf-8"))
        for topic in document["operations"]:
            [message] = document["channels"][topic]["messages"]
            payload = document["components"]["messages"][f"{topic}:{message}"]["payload"]
            found.setdefault(topic, []).append(Draft202012Validator({**payload, "components": document["components"]}))
    return found


PAYLOADS = payloads()


def example(topic: str, name: str) -> dict[str, Any]:
    """A record that is right."""
    found: dict[str, Any] = json.loads((EXAMPLES / topic / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_every_topic_stands_in_the_documents_of_all_who_touch_it() -> None:
    """The services among its producers and consumers, each once."""
    touched = {topic.name: len({*topic.producers, *topic.consumers} & generate.SERVICES.keys()) for topic in TOPICS}
    assert {topic: len(validators) for topic, validators in PAYLOADS.items()} == touched


@pytest.mark.parametrize(("topic", "file"), FILES, ids=[f"{topic}-{file.stem}" for topic, file in FILES])
def test_every_example_is_what_the_documents_describe(topic: str, file: Path) -> None:
    """In each of them."""
    record = json.loads(file.read_text(encoding="utf-8"))
    for validator in PAYLOADS[topic]:
        assert [error.message for error in validator.iter_errors(record)] == []


TRIGGERS, OUTCOMES, EVENTS = "customer.triggers.v1", "message.outcomes.v1", "ec.events.v1"
REQUESTS, CROWDS = "message.requests.transactional.v1", "message.requests.marketing.v1"
PERSON = "0d6a2f57-2e3c-5d27-9d2e-8b2f5d4f1a11"
TEXT = [{"type": "text", "text": "はい"}]


@pytest.mark.parametrize(
    ("topic", "name", "change"),
    [
        (TRIGGERS, "enter-cart-abandonment", {"subject": "customer:1"}),
        (TRIGGERS, "enter-cart-abandonment", {"person": None}),
        (TRIGGERS, "exit-from-another-system", {"person": PERSON}),
        (REQUESTS, "template", {"messages": TEXT}),
        (REQUESTS, "template", {"template": None}),
        (REQUESTS, "rich-menu", {"messages": TEXT}),
        (CROWDS, "crowd", {"messages": TEXT}),
        (CROWDS, "crowd", {"template": None}),
        (OUTCOMES, "accepted", {"message": None}),
        (EVENTS, "order.placed", {"type": "order.exploded"}),
        (EVENTS, "order.placed", {"subject": None}),
        (EVENTS, "order.placed", {"subject": "10482"}),
        (EVENTS, "custom.favourited", {"subject": "line:main:mai"}),
    ],
)
def test_a_record_that_no_room_takes_is_refused_by_the_documents(topic: str, name: str, change: dict[str, Any]) -> None:
    """Rules about several fields, and about who is meant, too; not only the type of each field."""
    record = example(topic, name) | change
    for validator in PAYLOADS[topic]:
        assert list(validator.iter_errors(record))


@pytest.mark.parametrize(
    ("topic", "name", "change"),
    [
        (TRIGGERS, "enter-cart-abandonment", {"subject": None}),
        (REQUESTS, "template", {"messages": None, "rich_menu": None, "unknown": 1}),
        (OUTCOMES, "clicked", {"message": None}),
        (EVENTS, "product.updated", {"subject": None}),
        (EVENTS, "order.placed", {"type": "custom.order.exploded"}),
    ],
)
def test_a_record_that_a_room_takes_is_taken_by_the_documents(topic: str, name: str, change: dict[str, Any]) -> None:
    """A null is as a field that is not there, and fields that we do not know are carried."""
    record = example(topic, name) | change
    for validator in PAYLOADS[topic]:
        assert [error.message for error in validator.iter_errors(record)] == []
