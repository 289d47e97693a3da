"""Whatever is thrown at the doors, they answer with care: never 5xx, and never open to the unsigned."""

import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, delivery, event, line_event, new_door, sign
from todoke_ingest.answers import Problem
from todoke_ingest.domain.cloudevents import BATCH, PLAIN, SINGLE
from todoke_shared.contracts.ec_events import EVENT_TYPES, check_event
from todoke_shared.contracts.envelope import CloudEvent

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["customer:1", "2026-01-31"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("specversion", "id", "source", "type", "time", "subject", "shop", "data", "datacontenttype", "x")
TIMES = st.datetimes().map(lambda instant: instant.isoformat() + "+09:00") | st.from_regex(
    r"\A\d{4,5}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)\Z"
)
EVENTS = st.builds(
    lambda changes, kind, time: {**event(type=kind, time=time), **changes},
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=2),
    st.sampled_from(sorted(EVENT_TYPES)) | st.just("custom.x"),
    TIMES,
)
MEDIA_TYPES = st.sampled_from([SINGLE, BATCH, PLAIN])
MUTATIONS = st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3)), min_size=1, max_size=5)


def mutate(body: bytes, mutations: list[tuple[int, bytes]]) -> bytes:
    """Put bytes over others, here and there."""
    for place, put in mutations:
        at = place % (len(body) + 1)
        body = body[:at] + put + body[at + 1 :]
    return body


async def takes_with_care(body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
    """The promise: 2xx with exactly that in the topic, or 4xx that names field and reason and leaves nothing."""
    topics = CheckedTopics()
    answer = await new_door(topics).take_events(body, content_type, headers)
    told = json.loads(answer.content())
    assert answer.status in (202, 207, 400, 413, 415)
    if answer.status in (202, 207):
        written = [CloudEvent.from_json(record.value) for record in topics.records]
        assert told["accepted"] == [event.id for event in written]
        for each in written:
            check_event(each)
            assert b"\\u0000" not in each.to_json()
    else:
        assert topics.records == []
        assert isinstance(answer.body, Problem)
        assert answer.body.errors
        assert all(error.field and error.reason for error in answer.body.errors)


@given(st.binary(max_size=300), MEDIA_TYPES | st.text(max_size=30))
async def test_any_bytes_are_answered(body: bytes, content_type: str) -> None:
    """Noise is 4xx."""
    await takes_with_care(body, content_type)


@given(st.lists(EVENTS | ANYTHING, max_size=3), MEDIA_TYPES)
@settings(max_examples=300, deadline=None)
async def test_any_json_is_answered(events: list[object], content_type: str) -> None:
    """Events with anything anywhere in them are taken or refused, singly and in batches."""
    await takes_with_care(as_bytes(events), content_type)
    for each in events:
        await takes_with_care(as_bytes(each), SINGLE)


@given(MUTATIONS, MEDIA_TYPES)
async def test_any_mutated_event_is_answered(mutations: list[tuple[int, bytes]], content_type: str) -> None:
    """A good request with bytes changed is taken or refused."""
    await takes_with_care(mutate(as_bytes([event(), event(id="2")]), mutations), content_type)
    await takes_with_care(mutate(as_bytes(event()), mutations), content_type)


@given(st.dictionaries(st.sampled_from([f"ce-{name}" for name in NAMES]) | st.text(), st.text()), st.binary())
async def test_any_binary_mode_is_answered(headers: dict[str, str], body: bytes) -> None:
    """Binary mode's headers may hold anything."""
    await takes_with_care(body, PLAIN, {"ce-specversion": "1.0", **headers})


@given(st.lists(ANYTHING | st.builds(lambda key, value: {**line_event(), key: value}, st.text(), ANYTHING), max_size=4))
@settings(deadline=None)
async def test_any_signed_delivery_is_taken_whole(events: list[object]) -> None:
    """Every event of a signed delivery ends in the topic or among the dead letters."""
    topics = CheckedTopics()
    body = delivery(*events)
    answer = await new_door(topics).take_line_webhook("main", body, sign(body))
    assert answer.status == 200
    assert len(topics.records) == len(events)


@given(MUTATIONS)
async def test_any_signed_body_is_answered(mutations: list[tuple[int, bytes]]) -> None:
    """Signed rubbish is 400 at worst."""
    body = mutate(delivery(line_event(), line_event()), mutations)
    assert (await new_door(CheckedTopics()).take_line_webhook("main", body, sign(body))).status in (200, 400)


@given(st.integers(0, 43), st.integers(1, 127))
async def test_one_changed_byte_in_a_signature_is_unauthorized(place: int, change: int) -> None:
    """Not even the bits that base64 does not use may differ."""
    body = delivery(line_event())
    signature = bytearray(sign(body).encode())
    signature[place] ^= change
    topics = CheckedTopics()
    answer = await new_door(topics).take_line_webhook("main", body, signature.decode("latin-1"))
    assert (answer.status, topics.records) == (401, [])


@given(st.text() | st.binary(min_size=32, max_size=32).map(lambda mac: base64.b64encode(mac).decode()), MUTATIONS)
async def test_the_unsigned_never_get_in(signature: str, mutations: list[tuple[int, bytes]]) -> None:
    """A made-up signature, or a true one over another body, opens nothing."""
    topics = CheckedTopics()
    signed = delivery(line_event())
    answers = [await new_door(topics).take_line_webhook("main", signed, signature)]
    if (other := mutate(signed, mutations)) != signed:
        answers.append(await new_door(topics).take_line_webhook("main", other, sign(signed)))
    assert {answer.status for answer in answers} == {401}
    assert topics.records == []
