"""POST /v1/track, /v1/batch and the others: what Segment's libraries are answered, and what then is in Kafka."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ingest.stand_ins import NOW, CheckedTopics, Json, as_bytes, config
from tests.unit.ingest.test_ingest_fuzz import ANYTHING, MUTATIONS, mutate
from todoke_ingest.answers import Answer
from todoke_ingest.domain.segment import MAX_MESSAGES, Call
from todoke_ingest.doors import doors
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.segment import MOST_NAMED, SegmentProblem, take_segment
from todoke_ingest.requests import Caller, DoorRequest
from todoke_ingest.settings import IngestSettings
from todoke_shared.accounts import Config, load_config
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.ec_events import check_event
from todoke_shared.contracts.envelope import CloudEvent
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.telemetry import metrics

TRIAL = load_config(None)
TRACK: Json = {"type": "track", "event": "Product Viewed", "userId": "7", "messageId": "m", "properties": {"sku": "s"}}
NOBODY: Json = {"type": "track", "event": "Opened", "properties": {"mail": "a@shop.example"}}
CALLS: list[Call] = ["track", "identify", "page", "screen", "alias", "group", "batch"]


async def send(
    topics: CheckedTopics, body: bytes, call: Call = "batch", *, caller: Caller | None = None, trial: Config = TRIAL
) -> Answer:
    """One request at the door, at NOW."""
    return await take_segment(Intake(topics, FakeClock(NOW), trial), DoorRequest(body, caller=caller), call)


def batch(*messages: object, **more: object) -> bytes:
    """A /v1/batch body."""
    return as_bytes({"batch": list(messages), **more})


def problem_of(answer: Answer) -> SegmentProblem:
    """A refusal's body."""
    assert isinstance(answer.body, SegmentProblem)
    return answer.body


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


async def test_a_call_is_answered_as_segment_answers(topics: CheckedTopics) -> None:
    """200 {"success": true} once the event is durable, under its subject."""
    answer = await send(topics, as_bytes(TRACK), "track")
    assert (answer.status, json.loads(answer.content())) == (200, {"success": True})
    [record] = topics.records
    event = CloudEvent.from_json(record.value)
    assert (record.topic, record.key) == (EC_EVENTS.name, b"customer:7")
    assert (event.id, event.source, event.shop, event.type) == ("m", "segment:main", "main", "product.viewed")


async def test_the_shop_is_the_keys(topics: CheckedTopics) -> None:
    """Whatever the body says."""
    caller = Caller("second", "segment", "key-1")
    await send(topics, batch({**TRACK, "shop": "main"}, shop="main"), caller=caller, trial=config())
    event = CloudEvent.from_json(topics.records[0].value)
    assert (event.shop, event.source) == ("second", "segment:second")


async def test_without_a_key_there_must_be_one_shop_that_can_be_meant(topics: CheckedTopics) -> None:
    """As in a trial; elsewhere it is 401, and nothing is in any topic."""
    answer = await send(topics, batch(TRACK), trial=config())
    assert (answer.status, topics.records) == (401, [])
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_a_batch_is_timed_by_its_sending(topics: CheckedTopics) -> None:
    """sentAt of the batch counts for each message: a clock an hour ahead is put right."""
    late = {**TRACK, "timestamp": "2026-01-31T00:50:00Z"}
    await send(topics, batch(late, sentAt="2026-01-31T01:00:00Z"))
    assert CloudEvent.from_json(topics.records[0].value).time.isoformat() == "2026-01-30T23:50:00+00:00"


async def test_the_good_of_a_batch_are_taken_and_the_bad_are_dead_letters(topics: CheckedTopics) -> None:
    """200; each bad message is kept with field, reason and origin, but without its contacts."""
    nameless = {**TRACK, "messageId": "n", "properties": {}}
    endless = {**TRACK, "messageId": "e", "timestamp": "1969-01-01T00:00:00Z"}
    answer = await send(topics, batch(TRACK, NOBODY, nameless, endless, 5))
    assert answer.status == 200
    good, *letters = topics.records
    assert good.topic == EC_EVENTS.name
    assert {letter.topic for letter in letters} == {EC_EVENTS.dead_letters}
    assert [letter.headers["todoke-field"] for letter in letters] == ["userId", "properties.product_id", "time", ""]
    assert {letter.headers["todoke-origin"] for letter in letters} == {"POST /v1/batch of main"}
    assert b"@" not in b"".join(letter.value or b"" for letter in letters)
    assert json.loads(letters[0].value or b"")["properties"].keys() == {"mail_sha256"}


async def test_a_message_too_deep_for_anybody_holds_up_no_other(topics: CheckedTopics) -> None:
    """It is a dead letter down to where it is too deep."""
    deep = b'{"type": "track", "a":' + b'{"a":' * 400 + b"1" + b"}" * 401
    answer = await send(topics, b'{"batch": [' + deep + b"," + as_bytes(TRACK) + b"]}")
    assert answer.status == 200
    good, letter = topics.records
    assert (good.topic, letter.topic) == (EC_EVENTS.name, EC_EVENTS.dead_letters)
    assert "64 levels" in letter.headers["todoke-reason"]
    assert (letter.value or b"").count(b'"a"') < 100


async def test_the_library_hears_when_nothing_is_good(topics: CheckedTopics) -> None:
    """400 with what the libraries read of it; nothing is written, since the sender has it all."""
    answer = await send(topics, batch(*[NOBODY] * 50))
    told = problem_of(answer)
    assert (answer.status, answer.media_type, topics.records) == (400, "application/problem+json", [])
    assert (told.code, told.message) == ("invalid_request", told.detail)
    assert [(error.index, error.field) for error in told.errors] == [(i, "userId") for i in range(MOST_NAMED)]
    assert problem_of(await send(topics, as_bytes(NOBODY), "track")).errors[0].index is None


@pytest.mark.parametrize(
    ("body", "call", "status"),
    [
        (b"", "track", 400),
        (b"{", "batch", 400),
        (b"[]", "batch", 400),
        (b"[" * 10_000, "batch", 400),
        (b'{"batch": {}}', "batch", 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "track", 400),
        (batch(*[{}] * (MAX_MESSAGES + 1)), "batch", 413),
    ],
)
async def test_what_is_no_call_is_refused(topics: CheckedTopics, body: bytes, call: Call, status: int) -> None:
    """With a code and a message, which a library that finds none would take for a fault of the network."""
    answer = await send(topics, body, call)
    told = problem_of(answer)
    assert (answer.status, topics.records) == (status, [])
    assert told.code
    assert told.message


async def test_an_empty_batch_is_fine(topics: CheckedTopics) -> None:
    """Nothing was asked, and nothing is written."""
    assert ((await send(topics, batch())).status, topics.records) == (200, [])


async def test_nothing_is_confirmed_while_kafka_is_away(topics: CheckedTopics) -> None:
    """503 with Retry-After makes the libraries send the same again."""
    topics.away = True
    answer = await send(topics, batch(TRACK))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})
    assert problem_of(answer).code == "unavailable"


async def test_the_door_counts(topics: CheckedTopics) -> None:
    """Taken and refused messages, by the door's name."""
    taken, refused = metrics.EVENTS_ACCEPTED.labels("segment"), metrics.EVENTS_REFUSED.labels("segment", "400")
    before = (taken._value.get(), refused._value.get())
    await send(topics, batch(TRACK, {**TRACK, "messageId": "2"}, NOBODY))
    await send(topics, batch(NOBODY))
    assert (taken._value.get() - before[0], refused._value.get() - before[1]) == (2, 1)


def test_every_path_of_the_libraries_is_a_door_with_a_key_and_gzip() -> None:
    """The calls in full and by their first letter, and the batch's first name."""
    paths = {
        door.path
        for door in doors(IngestSettings(kafka_bootstrap_servers="none", postgres_dsn="none"))
        if door.purpose == "segment" and door.gzip and door.method == "POST" and door.limit
    }
    assert paths == {f"/v1/{name}" for call in CALLS for name in (call, call[0])} | {"/v1/import", "/v1/import/"}


MESSAGES = st.builds(
    lambda good, changes: {**good, **changes},
    st.sampled_from(
        [
            TRACK,
            {**TRACK, "event": "Order Completed", "properties": {"order_id": "o", "products": [{"sku": "s"}]}},
            {"type": "identify", "userId": "7", "anonymousId": "a", "traits": {"email": "a@shop.example"}},
            {"type": "alias", "userId": "7", "previousId": "a"},
            {"type": "page", "anonymousId": "a"},
        ]
    ),
    st.dictionaries(
        st.sampled_from(
            ["event", "userId", "anonymousId", "previousId", "properties", "traits", "context", "timestamp", "sentAt"]
        )
        | st.just("messageId"),
        ANYTHING,
        max_size=2,
    ),
)
NAMES = ["order_id", "products", "price", "quantity", "total", "currency", "coupon", "name", "url", "rating", "sku"]
PROPERTIES = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4)
TRAITS = ["birthday", "address", "phone", "points", "tags", "createdAt", "gender", "cart_id", "firstName"]


async def answered_with_care(body: bytes, call: Call) -> None:
    """The promise: 200 with every event of the topic in the vocabulary, or a 4xx that leaves nothing."""
    topics = CheckedTopics()
    answer = await send(topics, body, call)
    json.loads(answer.content())
    if answer.status == 200:
        for record in topics.records:
            if record.topic == EC_EVENTS.name:
                check_event(CloudEvent.from_json(record.value))
    else:
        assert answer.status in (400, 413)
        assert topics.records == []
        assert all(error.field and error.reason for error in problem_of(answer).errors)


@given(st.binary(max_size=200) | ANYTHING.map(as_bytes), st.sampled_from(CALLS))
async def test_any_bytes_are_answered(body: bytes, call: Call) -> None:
    """Noise, or any JSON at all."""
    await answered_with_care(body, call)


@given(st.lists(MESSAGES | ANYTHING, max_size=3), ANYTHING)
@settings(max_examples=300, deadline=None)
async def test_any_batch_is_answered(messages: list[object], sent_at: object) -> None:
    """Messages with anything anywhere in them."""
    await answered_with_care(batch(*messages, sentAt=sent_at), "batch")


@given(st.sampled_from(["Order Completed", "Cart Viewed", "Product Added", "Product Reviewed"]), PROPERTIES, PROPERTIES)
@settings(deadline=None)
async def test_any_properties_are_answered(event: str, properties: Json, product: Json) -> None:
    """Of the events whose properties are read closely, and of the products in them."""
    whole = {"order_id": "o", "sku": "s", **properties, "products": [{"sku": "t", **product}]}
    await answered_with_care(as_bytes({**TRACK, "event": event, "properties": whole}), "track")


@given(st.dictionaries(st.sampled_from(TRAITS), ANYTHING, max_size=4))
@settings(deadline=None)
async def test_any_traits_are_answered(traits: Json) -> None:
    """Whatever is said of a person."""
    await answered_with_care(as_bytes({"userId": "7", "traits": traits}), "identify")


@given(MUTATIONS)
async def test_any_mutated_batch_is_answered(mutations: list[tuple[int, bytes]]) -> None:
    """A good request with bytes changed is taken or refused."""
    await answered_with_care(mutate(batch(TRACK, {**TRACK, "messageId": "2"}), mutations), "batch")
