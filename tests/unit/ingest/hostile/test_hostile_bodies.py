"""Bodies made to confuse, to crash or to exhaust: each is answered at once, and what is written is unambiguous."""

import gzip
import json
import time
import tracemalloc
import zlib

import pytest

from tests.unit.ingest.asgi_client import ask
from tests.unit.ingest.knocking import JSON_DOORS, to_events, to_line, to_segment
from tests.unit.ingest.stand_ins import (
    CheckedTopics,
    as_bytes,
    delivery,
    event,
    line_event,
    sign,
)
from todoke_ingest.app import Doorway
from todoke_ingest.domain.cloudevents import BATCH, PLAIN, SINGLE
from todoke_ingest.http import Bodies
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS

DEEP = 10_000
MIB = 1024 * 1024


NO_JSON = {
    "nothing": b"",
    "a syntax error": b'{"id": ',
    "arrays without end": b"[" * DEEP,
    "arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "UTF-16": '{"id": "1"}'.encode("utf-16"),
    "half a surrogate": b'{"id": "\\ud800"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "U+0000 outside": b"\0{}",
    "a number without end": b"1" * 50_000,
    "a comment": b'{"id": "1" /* one */}',
    "two values": b"{} {}",
    "a comma too many": b'{"id": "1",}',
    "single quotes": b"{'id': '1'}",
}


@pytest.mark.parametrize("door", JSON_DOORS)
@pytest.mark.parametrize("name", NO_JSON)
async def test_what_is_no_json_is_refused_at_every_door(
    app: Doorway, topics: CheckedTopics, door: str, name: str
) -> None:
    """400, from the key's or the signature's owner too, with nothing written and nothing of it repeated."""
    told = await JSON_DOORS[door](app, NO_JSON[name])
    assert (told.status, topics.records) == (400, [])
    assert len(told.body) < 1000


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e400", "9223372036854775808", '"a\\u0000"', "[" * 99 + "]" * 99]
)
async def test_a_value_that_nobody_else_can_read_refuses_its_event_alone(
    app: Doorway, topics: CheckedTopics, value: str
) -> None:
    """NaN, U+0000, too large or too deep: the others of the batch are taken, and Segment's and LINE's too."""
    bad = as_bytes(event(data={"x": "HERE"})).replace(b'"HERE"', value.encode())
    good = as_bytes(event(id="good"))
    told = await to_events(app, b"[" + good + b"," + bad + b"]", BATCH)
    assert (told.status, json.loads(told.body)["accepted"]) == (207, ["good"])
    track = as_bytes({"type": "track", "event": "x", "userId": "1", "properties": {"y": "HERE"}})
    batch = b'{"batch": [' + track + b"," + track.replace(b'"HERE"', value.encode()) + b"]}"
    assert (await to_segment(app, batch)).status == 200
    bad_line = as_bytes(line_event(x="HERE")).replace(b'"HERE"', value.encode())
    assert (await to_line(app, b'{"events": [' + as_bytes(line_event()) + b"," + bad_line + b"]}")).status == 200
    written = [record.topic for record in topics.records]
    assert written == [
        *(EC_EVENTS.name, EC_EVENTS.name, EC_EVENTS.dead_letters),
        *(LINE_EVENTS.name, LINE_EVENTS.dead_letters),
    ]


TWICE = {
    "events": (event(), '"id": "1"', '"id": "2", "id": "1"'),
    "segment": (
        {"batch": [{"type": "track", "event": "x", "userId": "1", "messageId": "m"}]},
        '"messageId": "m"',
        '"messageId": "n", "messageId": "m"',
    ),
    "line": (
        {"events": [line_event()]},
        '"webhookEventId": "01KG8Q9V7ZJ3V8C1S6T4R2M0XA"',
        '"webhookEventId": "other", "webhookEventId": "01KG8Q9V7ZJ3V8C1S6T4R2M0XA"',
    ),
    "shopify": ({"token": "t1", "line_items": []}, '"token": "t1"', '"token": "t2", "token": "t1"'),
    "collect": (
        {
            "visitor": "v" * 20,
            "sent_at": 1,
            "events": [{"id": "i" * 20, "type": "page.viewed", "time": 1, "data": {"url": "https://a.example/"}}],
        },
        f'"id": "{"i" * 20}"',
        f'"id": "{"j" * 20}", "id": "{"i" * 20}"',
    ),
}


@pytest.mark.parametrize("door", TWICE)
async def test_a_name_given_twice_is_written_once(app: Doorway, topics: CheckedTopics, door: str) -> None:
    """The last counts, as every reader of ours has it, and the record is the same as if the first had never been."""
    body, once, twice = TWICE[door]
    plain = json.dumps(body)
    assert once in plain
    await JSON_DOORS[door](app, plain.replace(once, twice).encode())
    await JSON_DOORS[door](app, plain.encode())
    doubled, single = topics.records
    assert doubled.value is not None
    assert single.value is not None
    assert _pairs(doubled.value)
    if door == "shopify":  # a body without a webhook id is known by its digest
        assert json.loads(doubled.value)["data"] == json.loads(single.value)["data"]
    else:
        assert (doubled.key, doubled.value) == (single.key, single.value)


@pytest.mark.parametrize(
    ("shops", "status"), [('"shop": "main", "shop": "other"', 400), ('"shop": "other", "shop": "main"', 202)]
)
async def test_a_shop_given_twice_is_never_another_keys(
    app: Doorway, topics: CheckedTopics, shops: str, status: int
) -> None:
    """What is checked is what is written: the key's own shop, and no second one behind it."""
    body = as_bytes(event(shop="HERE")).replace(b'"shop": "HERE"', shops.encode())
    assert (await to_events(app, body)).status == status
    assert [json.loads(record.value or b"")["shop"] for record in topics.records] == ["main"] * (status == 202)
    assert all(_pairs(record.value or b"") for record in topics.records)


@pytest.mark.parametrize(("shops", "status"), [((b"main", b"other"), 400), ((b"other", b"main"), 202)])
async def test_in_binary_mode_too(app: Doorway, topics: CheckedTopics, shops: tuple[bytes, bytes], status: int) -> None:
    """ce-shop twice, and in the body's data: the shop is the key's or the event is refused."""
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "s",
        "ce-type": "custom.x",
        "ce-subject": "visitor:1",
    }
    headers = [(name.encode(), value.encode()) for name, value in attributes.items()]
    headers += [(b"ce-shop", shop) for shop in shops]
    headers += [(b"authorization", b"Bearer backend-key"), (b"content-type", PLAIN.encode())]
    assert (await ask(app, "/v1/events", b'{"shop": "other"}', headers)).status == status
    assert [json.loads(record.value or b"")["shop"] for record in topics.records] == ["main"] * (status == 202)


@pytest.mark.parametrize("name", ["shop", "source", "specversion"])
async def test_nobody_speaks_for_another_shop_by_segments_doors(app: Doorway, topics: CheckedTopics, name: str) -> None:
    """Whatever a message says of shop and source, they are the key's."""
    message = {"type": "track", "event": "x", "userId": "1", name: "other", "context": {name: "other"}}
    assert (await to_segment(app, as_bytes({"batch": [message], name: "other"}))).status == 200
    [written] = topics.values()
    assert (written["shop"], written["source"], written["specversion"]) == ("main", "segment:main", "1.0")


@pytest.mark.parametrize(
    "path", ["/v1/events", "/v1/batch", "/v1/collect", "/webhooks/line/main", "/webhooks/shopify/x"]
)
async def test_a_body_over_its_limit_is_413_however_it_comes(app: Doorway, path: str) -> None:
    """2 MiB and a byte, declared truly, too small, or not at all, in one chunk or many."""
    key = [(b"authorization", f"Bearer {name}-key".encode()) for name in ("backend",) if path == "/v1/events"]
    key += [(b"authorization", b"Bearer segment-key")] if path == "/v1/batch" else []
    size = 2 * MIB + 1
    for declared in ([b"%d" % size], [b"9" * 25], [b"10"], [b"10", b"%d" % size], [b"-1"], [b"\xb2"], []):
        headers = [*key, *((b"content-length", length) for length in declared)]
        for chunks in ([b" " * size], [b" " * 65_536] * 33):
            told = await ask(app, path, chunks, headers, query=b"key=browser-key")
            assert (told.status, told.headers["connection"]) == (413, "close")


async def test_a_body_that_trickles_costs_no_more_than_one_that_rushes() -> None:
    """2 MiB in chunks of 64 bytes are put together in less than the seconds that copying it each time would take."""
    chunk, left = b"x" * 64, [2 * MIB // 64]

    async def receive() -> dict[str, object]:
        left[0] -= 1
        return {"type": "http.request", "body": chunk, "more_body": left[0] > 0}

    began = time.process_time()
    body = await Bodies().read(receive, 2 * MIB)
    assert len(body) == 2 * MIB
    assert time.process_time() - began < 1.0


def gzipped(*members: bytes) -> bytes:
    """Members in a row, as RFC 1952 allows."""
    return b"".join(gzip.compress(member, mtime=0) for member in members)


TRACK = as_bytes({"batch": [{"type": "track", "event": "x", "userId": "1", "messageId": "m"}]})
ZIPS = {
    "plain": TRACK,
    "of gzip": gzipped(gzipped(TRACK)),
    "with garbage behind": gzipped(TRACK) + b"garbage",
    "with zeros behind": gzipped(TRACK) + b"\0" * 512,
    "with another behind": gzipped(TRACK, TRACK),
    "too short": gzipped(TRACK)[:-1],
    "without its sum": gzipped(TRACK)[:-8],
    "with a wrong sum": gzipped(TRACK)[:-8] + b"\1" * 8,
    "of nothing": gzipped(b""),
    "nothing": b"",
    "zlib": zlib.compress(TRACK),
    "raw deflate": zlib.compress(TRACK, wbits=-15),
    "a broken header": b"\x1f\x8b\x08\xff" + gzipped(TRACK)[4:],
}


@pytest.mark.parametrize("name", ZIPS)
async def test_gzip_that_is_not_exactly_one_is_refused(app: Doorway, topics: CheckedTopics, name: str) -> None:
    """400: what came behind the first member would else be lost under a 200."""
    assert (await to_segment(app, ZIPS[name], zipped=True)).status == 400
    assert topics.records == []
    assert (await to_segment(app, gzipped(TRACK), zipped=True)).status == 200


async def test_a_gzip_bomb_is_not_blown_up(app: Doorway) -> None:
    """64 MiB in 64 KB are 413, and never more than the limit is in memory."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b"\0" * MIB) for _ in range(64)) + packer.flush()
    assert len(bomb) < 100_000
    tracemalloc.start()
    told = await to_segment(app, bomb, zipped=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.status == 413
    assert peak < 4 * MIB


async def test_doors_that_take_no_gzip_do_not_unpack_it(app: Doorway, topics: CheckedTopics) -> None:
    """Its bytes are what was signed and what is read: no JSON."""
    headers = [(b"content-encoding", b"gzip"), (b"content-type", SINGLE.encode())]
    backend = (b"authorization", b"Bearer backend-key")
    assert (await ask(app, "/v1/events", gzipped(as_bytes(event())), [*headers, backend])).status == 400
    zipped = gzipped(delivery(line_event()))
    signed = (b"x-line-signature", sign(zipped).encode())
    assert (await ask(app, "/webhooks/line/main", zipped, [*headers, signed])).status == 400
    assert topics.records == []


@pytest.mark.parametrize("where", ["property", "event", "trait", "email", "phone", "prefecture"])
async def test_text_made_to_be_slow_is_not(app: Doorway, where: str) -> None:
    """Combining marks by the hundred thousand, which take Unicode's normal form the square of their number in time."""
    marks = "a" + "\u0301\u0327" * 60_000
    messages: dict[str, dict[str, object]] = {
        "property": {"type": "track", "event": "x", "properties": {marks: 1}},
        "event": {"type": "track", "event": marks},
        "trait": {"type": "identify", "traits": {marks: 1}},
        "email": {"type": "identify", "traits": {"email": f"{marks}@shop.example"}},
        "phone": {"type": "identify", "traits": {"phone": marks}},
        "prefecture": {"type": "identify", "traits": {"prefecture": marks}},
    }
    began = time.process_time()
    told = await to_segment(
        app, json.dumps({"batch": [{**messages[where], "userId": "1"}]}, ensure_ascii=False).encode()
    )
    assert told.status in (200, 400)
    assert time.process_time() - began < 2.0


def _pairs(value: bytes) -> bool:
    """Whether no object in a JSON value names anything twice."""
    doubled: list[str] = []

    def see(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        doubled.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    json.loads(value, object_pairs_hook=see)
    return not doubled
