"""Every topic and every event type has examples that its model reads, and broken ones are refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

import todoke_shared.contracts
from todoke_shared.contracts.ec_events import EVENT_TYPES, EcEvent, check_event
from todoke_shared.contracts.envelope import Contract
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.contracts.topics import EC_EVENTS, TOPICS, Topic
from todoke_shared.contracts.triggers import Trigger, TriggerRecord
from todoke_shared.errors import BadMessageError

EXAMPLES = Path(todoke_shared.contracts.__file__).parent / "examples"
FILES = [(topic, file) for topic in TOPICS for file in sorted((EXAMPLES / topic.name).glob("*.json"))]
each_example = pytest.mark.parametrize(("topic", "file"), FILES, ids=[f"{t.name}/{f.stem}" for t, f in FILES])


def example(topic: str, name: str) -> dict[str, Any]:
    """The values of one example."""
    values: dict[str, Any] = json.loads((EXAMPLES / topic / f"{name}.json").read_bytes())
    return values


def read(model: type[Contract], values: dict[str, Any]) -> Contract:
    """As a service reads a record: by its model, and shop events by the vocabulary too."""
    record = model.from_json(json.dumps(values).encode())
    if isinstance(record, EcEvent):
        check_event(record)
    return record


def model_of(topic: Topic, file: Path) -> type[Contract]:
    """The model that an example is of: a request with recipients is one to a crowd."""
    return topic.also if topic.also and "recipients" in json.loads(file.read_bytes()) else topic.model


@each_example
def test_an_example_is_read_by_its_topics_model(topic: Topic, file: Path) -> None:
    """What we show to other systems is what we take from them."""
    assert read(model_of(topic, file), json.loads(file.read_bytes()))


@each_example
def test_an_example_says_no_more_after_a_round_trip_and_no_less(topic: Topic, file: Path) -> None:
    """Every field of an example comes out as it went in, and a second trip changes nothing."""
    model = model_of(topic, file)
    once = model.from_json(file.read_bytes()).to_json()
    assert model.from_json(once).to_json() == once
    assert json.loads(file.read_bytes()).items() <= json.loads(once).items()


@each_example
def test_fields_that_nobody_knows_yet_are_carried(topic: Topic, file: Path) -> None:
    """A newer producer's field survives an older reader."""
    values = json.loads(file.read_bytes()) | {"added_in_v9": {"よみ": ["とどけ", None]}}
    assert json.loads(read(model_of(topic, file), values).to_json())["added_in_v9"] == {"よみ": ["とどけ", None]}


def test_every_topic_has_examples_and_no_example_is_without_a_topic() -> None:
    """The folders are the topic map."""
    assert {folder.name for folder in EXAMPLES.iterdir()} == {topic.name for topic in TOPICS}
    assert {topic.name for topic, _ in FILES} == {topic.name for topic in TOPICS}


def test_every_event_type_has_an_example() -> None:
    """The vocabulary is shown word by word, and custom.* once."""
    shown = {json.loads(file.read_bytes())["type"] for topic, file in FILES if topic is EC_EVENTS}
    assert {type_ for type_ in shown if not type_.startswith("custom.")} == EVENT_TYPES
    assert any(type_.startswith("custom.") for type_ in shown)


def test_example_ids_are_distinct() -> None:
    """Two examples are never taken for one event told twice."""
    keys = [EcEvent.from_json(file.read_bytes()).key for topic, file in FILES if topic is EC_EVENTS]
    assert len(set(keys)) == len(keys)


CART = example("ec.events.v1", "cart.updated")
ORDER = example("ec.events.v1", "order.placed")
IDENTIFIED = example("ec.events.v1", "customer.identified")
LINK = example("ec.events.v1", "customer.link_issued")
FRIEND = example("ec.events.v1", "friend.imported")
RESTOCKED = example("ec.events.v1", "product.restocked")
FOLLOW = example("line.events.v1", "follow")
START = example("ec.events.v1", "campaign.start_requested")
ENTER = example("customer.triggers.v1", "enter-cart-abandonment")
REQUEST = example("message.requests.marketing.v1", "template")
ACCEPTED = example("message.outcomes.v1", "accepted")
NAN = float("nan")

BROKEN: list[tuple[str, type[Contract], dict[str, Any], str]] = [
    ("missing id", EcEvent, {k: v for k, v in CART.items() if k != "id"}, "id"),
    ("empty id", EcEvent, CART | {"id": ""}, "id"),
    ("wrong specversion", EcEvent, CART | {"specversion": "0.3"}, "specversion"),
    ("NUL in the id", EcEvent, CART | {"id": "a\x00b"}, "id"),
    (
        "NUL deep in the data",
        EcEvent,
        ORDER | {"data": ORDER["data"] | {"note": [{"よみ": "a\x00"}]}},
        "data.note[0].よみ",
    ),
    ("NUL in a field name", EcEvent, ORDER | {"data": {"order_id": "1", "x": {"a\x00": 1}}}, "data.x"),
    ("NUL in an unknown field", EcEvent, ORDER | {"extension": "\x00"}, "extension"),
    ("no subject", EcEvent, {k: v for k, v in CART.items() if k != "subject"}, "subject"),
    ("subject of no kind", EcEvent, CART | {"subject": "taro@example.jp"}, "subject"),
    ("LINE subject without a user id", EcEvent, CART | {"subject": "line:main:U123"}, "subject"),
    ("bad subject of a product event", EcEvent, RESTOCKED | {"subject": "tea"}, "subject"),
    (
        "bad further identifier",
        EcEvent,
        IDENTIFIED | {"data": {"identifiers": ["customer:1", "x"]}},
        "data.identifiers[1]",
    ),
    ("nonce of a visitor", EcEvent, LINK | {"subject": "visitor:1"}, "subject"),
    ("nonce that is no hash", EcEvent, LINK | {"data": {"nonce_sha256": "b64Qx7Yt2mZ0pR5vN8cK"}}, "data.nonce_sha256"),
    ("nonce beside its hash", EcEvent, LINK | {"data": LINK["data"] | {"nonce": "b64Qx7Yt2mZ"}}, "data.nonce"),
    ("imported friend of a shop", EcEvent, FRIEND | {"subject": "customer:1"}, "subject"),
    ("imported friend or not", EcEvent, FRIEND | {"data": {}}, "data.friend"),
    ("history that is no truth value", EcEvent, ORDER | {"history": "long ago"}, "history"),
    ("NaN amount", EcEvent, ORDER | {"data": ORDER["data"] | {"amount": NAN}}, "data.amount"),
    ("NaN where no model looks", EcEvent, ORDER | {"data": ORDER["data"] | {"weights": [1, NAN]}}, "data.weights[1]"),
    ("Infinity", EcEvent, ORDER | {"data": ORDER["data"] | {"weight": float("-inf")}}, "data.weight"),
    ("order without an id", EcEvent, ORDER | {"data": {}}, "data.order_id"),
    (
        "order id too long for a run",
        EcEvent,
        CART | {"type": "order.paid", "data": {"order_id": "x" * 256}},
        "data.order_id",
    ),
    ("cart id too long for a run", EcEvent, CART | {"data": CART["data"] | {"cart_id": "x" * 256}}, "data.cart_id"),
    ("negative price", EcEvent, CART | {"data": {"items": [{"product_id": "a", "price": -1}]}}, "data.items[0].price"),
    (
        "no quantity at all",
        EcEvent,
        CART | {"data": {"items": [{"product_id": "a", "quantity": 0}]}},
        "data.items[0].quantity",
    ),
    ("unknown type", EcEvent, CART | {"type": "cart.exploded"}, "type"),
    ("time without an offset", EcEvent, CART | {"time": "2026-02-03T09:00:00"}, "time"),
    ("the year 9999", EcEvent, CART | {"time": "9999-12-31T23:59:59-10:00"}, "time"),
    ("data that is no object", EcEvent, CART | {"data": [1]}, "data"),
    (
        "LINE event without an id",
        LineEvent,
        {k: v for k, v in FOLLOW.items() if k != "webhook_event_id"},
        "webhook_event_id",
    ),
    ("account that is no name", LineEvent, FOLLOW | {"account": "Main Shop"}, "account"),
    ("trigger for nobody", Trigger, {k: v for k, v in ENTER.items() if k != "person"}, "person"),
    ("trigger of no kind", Trigger, ENTER | {"kind": "begin"}, "kind"),
    ("schema of the future", Trigger, ENTER | {"schema_version": 2}, "schema_version"),
    ("NUL in a trigger's key", Trigger, ENTER | {"key": "\x00"}, "key"),
    ("trigger in the year 9999", Trigger, ENTER | {"at": "9999-01-01T00:00:00Z"}, "at"),
    (
        "trigger for two people",
        TriggerRecord,
        ENTER | {"subject": "customer:1"},
        "(the whole record)",
    ),
    ("start of a campaign without a name", EcEvent, START | {"data": {}}, "data.campaign"),
    ("start of no campaign", EcEvent, START | {"data": {"campaign": "Spring Sale"}}, "data.campaign"),
    (
        "start with more context than a message says",
        EcEvent,
        START | {"data": START["data"] | {"context": {"text": "茶" * 5500}}},
        "data.context",
    ),
    ("start with a key too long for a run", EcEvent, START | {"data": START["data"] | {"key": "x" * 256}}, "data.key"),
    ("request to no LINE user", MessageRequest, REQUEST | {"to": "everyone"}, "to"),
    ("six message objects", MessageRequest, REQUEST | {"template": None, "messages": [{}] * 6}, "messages"),
    (
        "template of version 0",
        MessageRequest,
        REQUEST | {"template": REQUEST["template"] | {"version": 0}},
        "template.version",
    ),
    ("outcome of no kind", Outcome, ACCEPTED | {"state": "lost"}, "state"),
]


@pytest.mark.parametrize(("model", "values", "field"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_record_is_refused_with_the_name_of_its_field(
    model: type[Contract], values: dict[str, Any], field: str
) -> None:
    """A dead letter tells its producer which field to mend."""
    with pytest.raises(BadMessageError) as refusal:
        read(model, values)
    assert refusal.value.field == field
    assert refusal.value.reason


@pytest.mark.parametrize("number", ["1e400", "-1e+999", "1" * 310 + ".0"])
def test_a_number_beyond_every_float_is_refused(number: str) -> None:
    """It would come back as null from the first database that holds it."""
    value = json.dumps(ORDER | {"data": {"order_id": "1", "weight": 0}}).replace('"weight": 0', f'"weight": {number}')
    with pytest.raises(BadMessageError) as refusal:
        EcEvent.from_json(value.encode())
    assert refusal.value.field == "data.weight"


@pytest.mark.parametrize("text", ["\\u0000 written out", "NaN", "Infinity", "1e400", "9" * 400])
def test_a_text_that_only_looks_unstorable_is_taken(text: str) -> None:
    """The close look finds nothing wrong with words."""
    record = read(EcEvent, ORDER | {"data": ORDER["data"] | {"note": text}})
    assert json.loads(record.to_json())["data"]["note"] == text


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"null", b"\xff", b'{"id": "\\ud800"}', b"[" * 300])
def test_a_value_that_is_no_record_is_refused(value: bytes | None) -> None:
    """A tombstone, half a record, another encoding: all are dead letters and none is a crash."""
    with pytest.raises(BadMessageError):
        EcEvent.from_json(value)


def test_a_refusal_repeats_nothing_of_the_record() -> None:
    """The reason goes into headers and logs, where a customer's data has no place."""
    with pytest.raises(BadMessageError) as refusal:
        read(EcEvent, ORDER | {"data": ORDER["data"] | {"order_id": ["山田花子"]}})
    assert "山田" not in str(refusal.value)
    assert str(refusal.value).startswith("data.order_id: ")


def test_a_request_has_one_content() -> None:
    """None of template, messages and rich menu, or two of them, is a request for nothing in particular."""
    for content in ({"template": None}, {"messages": [{"type": "text", "text": "はい"}]}, {"rich_menu": "member"}):
        with pytest.raises(BadMessageError, match="exactly one of template, messages and rich_menu"):
            read(MessageRequest, REQUEST | content)


def test_history_goes_on_the_wire_only_when_it_is_true() -> None:
    """Nearly no event is history; the others carry no byte of it, and their readers know."""
    assert b"history" not in EcEvent.from_json(json.dumps(ORDER | {"history": False}).encode()).to_json()
    assert EcEvent.from_json(json.dumps(ORDER).encode()).history is False
    assert json.loads(EcEvent.from_json(json.dumps(ORDER | {"history": True}).encode()).to_json())["history"] is True
