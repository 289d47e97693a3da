"""POST /v1/events: what is accepted is durable, and what is refused is told why."""

import json

import pytest
from pydantic_core import from_json

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import CheckedTopics, Json, as_bytes, event, new_door
from todoke_ingest.answers import Problem, Taken
from todoke_ingest.domain.cloudevents import BATCH, PLAIN, SINGLE
from todoke_shared.contracts.topics import EC_EVENTS


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def door(topics: CheckedTopics) -> Doors:
    """The door on it, at 2026-01-31T00:00:00Z."""
    return new_door(topics)


async def refusals(door: Doors, body: bytes, content_type: str = SINGLE, status: int = 400) -> list[Json]:
    """What the door complains about when it takes nothing."""
    answer = await door.take_events(body, content_type)
    assert answer.status == status
    assert isinstance(answer.body, Problem)
    assert answer.media_type == "application/problem+json"
    assert isinstance(door.intake.publisher, CheckedTopics)
    assert door.intake.publisher.records == []
    return [error.model_dump(exclude_none=True) for error in answer.body.errors]


async def test_a_single_event_is_durable_before_it_is_accepted(door: Doors, topics: CheckedTopics) -> None:
    """202 names the id, and the topic holds the event under its subject."""
    answer = await door.take_events(as_bytes(event(time="2026-01-31T08:59:00+09:00", traceparent="00-a-b-01")))
    assert (answer.status, answer.content()) == (202, b'{"accepted":["1"],"refused":[]}')
    [record] = topics.records
    assert (record.topic, record.key) == (EC_EVENTS.name, b"customer:1")
    assert topics.values() == [
        {
            **event(traceparent="00-a-b-01"),
            "time": "2026-01-31T08:59:00+09:00",
            "datacontenttype": "application/json",
            "shop": "main",
        }
    ]


@pytest.mark.parametrize("content_type", [BATCH, PLAIN, f"{BATCH}; charset=utf-8"])
async def test_a_batch_with_bad_events_loses_only_those(door: Doors, topics: CheckedTopics, content_type: str) -> None:
    """207: the good are durable, and index, field and reason name the bad."""
    batch = [event(id="a"), event(id="b", type="cart.exploded"), event(id="c"), 7]
    answer = await door.take_events(as_bytes(batch), content_type)
    assert answer.status == 207
    assert isinstance(answer.body, Taken)
    assert answer.body.accepted == ["a", "c"]
    assert [(r.index, r.field) for r in answer.body.refused] == [(1, "type"), (3, "(the whole event)")]
    assert "unknown event type" in answer.body.refused[0].reason
    assert [value["id"] for value in topics.values()] == ["a", "c"]


async def test_a_batch_of_bad_events_is_a_problem(door: Doors) -> None:
    """400: where none is good, errors names each."""
    errors = await refusals(door, as_bytes([event(specversion=None), event(subject="bob")]), BATCH)
    assert [(error["index"], error["field"]) for error in errors] == [(0, "specversion"), (1, "subject")]


async def test_binary_mode_is_read(door: Doors, topics: CheckedTopics) -> None:
    """Attributes in percent-encoded ce- headers and the body as data make the same event."""
    names = {"specversion": "1.0", "id": "%E8%8C%B6", "source": "pos", "type": "order.placed", "subject": "customer:2"}
    headers = {f"Ce-{name}": value for name, value in names.items()}
    answer = await door.take_events(as_bytes({"order_id": "o1"}), "application/json; charset=utf-8", headers)
    assert answer.status == 202
    [value] = topics.values()
    assert (value["id"], value["data"]) == ("茶", {"order_id": "o1"})


@pytest.mark.parametrize("header", ["caf\xe9", "%FF"])
async def test_binary_mode_refuses_headers_that_are_no_text(door: Doors, header: str) -> None:
    """A ce- header that is not percent-encoded UTF-8 is named."""
    answer = await door.take_events(b"{}", PLAIN, {"ce-subject": header})
    assert isinstance(answer.body, Problem)
    assert (answer.status, answer.body.errors[0].field) == (400, "ce-subject")


async def test_a_missing_time_is_the_clocks(door: Doors, topics: CheckedTopics) -> None:
    """An event without time happened now, by the fleet's clock."""
    await door.take_events(as_bytes(event(time=None)))
    assert topics.values()[0]["time"] == "2026-01-31T00:00:00+00:00"


async def test_catalogue_events_keep_their_products_order(door: Doors, topics: CheckedTopics) -> None:
    """A restock needs no person; its key is the product."""
    restock = event(type="product.restocked", subject=None, data={"product": {"product_id": "tea"}})
    assert (await door.take_events(as_bytes(restock))).status == 202
    assert topics.records[0].key == b"tea"


@pytest.mark.parametrize(
    ("bad", "field", "words"),
    [
        (event(specversion=None), "specversion", "required"),
        (event(specversion="0.3"), "specversion", "1.0"),
        (event(id=""), "id", "at least 1"),
        (event(id=None), "id", "required"),
        (event(type="cart.exploded"), "type", "unknown event type"),
        (event(subject=None), "subject", "customer:{id}"),
        (event(data={"item": {"product_id": "tea", "quantity": 0}}), "data.item.quantity", "greater than"),
        (event(data=[1]), "data", "dictionary"),
        (event(data=None, data_base64="AA=="), "data_base64", "JSON object"),
        (event(shop="My Shop"), "shop", "pattern"),
        (event(time=1769817540), "time", "RFC 3339"),
        (event(time="1769817540"), "time", "RFC 3339"),
        (event(time="2026-01-31T09:00:00"), "time", "RFC 3339"),
        (event(time="10000-01-01T00:00:00Z"), "time", "RFC 3339"),
        (event(time="9999-12-31T23:59:59-10:00"), "time", "check the clock of the producer"),
        (event(time="2200-01-01T00:00:00Z"), "time", "years 2000"),
        (event(time="2026-01-31T00:15:01Z"), "time", "check the clock of the producer"),
        (event(time="1999-12-31T23:59:59Z"), "time", "years 2000"),
        (event(time="0001-01-01T00:00:00+10:00"), "time", "years 2000"),
        (event(type="product.restocked", subject=None), "data.product", "required"),
        (event(note="a\x00b"), "note", "U+0000"),
        (event(data={"notes": ["x", "a\x00"]}, type="custom.note"), "data.notes[1]", "U+0000"),
        (event(data={"no": {"a\x00": 1}}, type="custom.note"), "data.no", "U+0000"),
        (event(data={"n": 2**63}, type="custom.note"), "data.n", "64 bits"),
        (event(data={"n": float("nan")}, type="custom.note"), "data.n", "finite"),
        (event(data={"n": [float("-inf")]}, type="custom.note"), "data.n[0]", "finite"),
        (event(data={"text": "x" * 256 * 1024}, type="custom.note"), "(the whole event)", "256 KiB"),
        ("just text", "(the whole event)", "JSON object"),
    ],
)
async def test_a_bad_event_is_told_field_and_reason(door: Doors, bad: object, field: str, words: str) -> None:
    """Whatever is wrong with an event, the answer names the field and says why, and nothing is written."""
    [error] = await refusals(door, as_bytes(bad))
    assert error["field"] == field
    assert words in str(error["reason"])


async def test_an_infinite_number_in_disguise_is_refused(door: Doors) -> None:
    """1e999 is JSON, and yet no number that anybody behind the door can hold."""
    body = as_bytes(event(type="custom.note", data={"n": "N"})).replace(b'"N"', b"1e999")
    [error] = await refusals(door, body)
    assert error["field"] == "data.n"


@pytest.mark.parametrize("levels", [70, 250, 100_000])
async def test_deep_nesting_is_refused(door: Doors, levels: int) -> None:
    """However deep, the answer is 400 and not a crash."""
    body = as_bytes(event(type="custom.note", data={"n": "N"})).replace(b'"N"', b"[" * levels + b"]" * levels)
    [error] = await refusals(door, body)
    assert "deeper" in str(error["reason"]) or "recursion" in str(error["reason"])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"id": "\\ud800"}', b"{} {}", b"1" * 5000])
async def test_what_is_not_json_is_told_where(door: Doors, body: bytes) -> None:
    """The answer says where JSON ends and repeats nothing of the body."""
    [error] = await refusals(door, body)
    assert error["field"] == "(the whole body)"
    assert "is not JSON" in str(error["reason"])


async def test_more_than_a_thousand_events_are_refused(door: Doors, topics: CheckedTopics) -> None:
    """A thousand are taken; one more is 413, with the advice to split."""
    [error] = await refusals(door, as_bytes([event()] * 1001), BATCH, status=413)
    assert "split the batch" in str(error["reason"])
    assert (await door.take_events(as_bytes([event()] * 1000), BATCH)).status == 202
    assert len(topics.records) == 1000


async def test_other_media_types_are_refused(door: Doors) -> None:
    """415 names those that are read; a batch must be an array, and a single event must not."""
    [error] = await refusals(door, as_bytes(event()), "text/plain", status=415)
    assert error["field"] == "Content-Type"
    assert str(error["reason"]).startswith(f"is not one that this door takes; send {SINGLE}")
    await refusals(door, as_bytes(event()), BATCH)
    await refusals(door, as_bytes([event()]), SINGLE)


async def test_a_line_user_of_an_account_that_is_not_here_is_refused(door: Doors, topics: CheckedTopics) -> None:
    """A misspelt account would be a person whom nobody can ever write to; a product may be called what it likes."""
    user = "U" + "1" * 32
    [error] = await refusals(door, as_bytes(event(subject=f"line:mian:{user}")))
    assert (error["field"], error["reason"]) == ("subject", "names an account that is not here")
    assert (await door.take_events(as_bytes(event(subject=f"line:main:{user}")), SINGLE)).status == 202
    assert (await door.take_events(as_bytes(event(subject=f"visitor:line:mian:{user}")), SINGLE)).status == 202
    product = event(type="product.updated", subject=None, data={"product": {"product_id": "line:mian:1"}})
    assert (await door.take_events(as_bytes(product), SINGLE)).status == 202
    assert len(topics.records) == 3


async def test_an_empty_batch_is_nothing_to_do(door: Doors, topics: CheckedTopics) -> None:
    """CloudEvents allows a batch of none."""
    answer = await door.take_events(b"[]", BATCH)
    assert (answer.status, topics.records) == (202, [])


async def test_no_event_is_claimed_while_kafka_is_away(door: Doors, topics: CheckedTopics) -> None:
    """503 with Retry-After, also for a batch that is partly bad; the same request is taken once Kafka is back."""
    batch = as_bytes([event(), event(specversion="2")])
    topics.away = True
    answer = await door.take_events(batch, BATCH)
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})
    assert b"accepted" not in answer.content()
    topics.away = False
    assert (await door.take_events(batch, BATCH)).status == 207


async def test_unknown_fields_and_nulls_in_data_are_carried(door: Doors, topics: CheckedTopics) -> None:
    """What we do not know goes through as it came; only a null attribute is a missing one."""
    data = {"item": {"product_id": "tea", "colour": None, "origin": {"town": "宇治"}}}
    sent = {**event(data=data, key="k", model_config=3), "subject": "visitor:1", "shop": None}
    assert (await door.take_events(as_bytes(sent))).status == 202
    [value] = topics.values()
    assert (value["data"], value["key"], value["model_config"], value["shop"]) == (data, "k", 3, "main")


async def test_a_refusal_never_repeats_what_was_sent(door: Doors) -> None:
    """An answer may end in somebody's log: values, which may be personal, stay out of it."""
    answer = await door.take_events(as_bytes(event(subject="taro@example.jp", data={"item": {"quantity": "Taro"}})))
    assert answer.status == 400
    assert "aro" not in json.dumps(from_json(answer.content()))
