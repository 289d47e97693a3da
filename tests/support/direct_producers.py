"""Records as a shop's own system may write them to `ec.events.v1`: good ones in either mode, and every kind of bad."""

import json
from dataclasses import dataclass
from datetime import datetime

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Written:
    """A record as a producer writes it. `name` tells it from every other, whatever its value."""

    name: str
    value: bytes | None
    headers: Headers


def attributes(name: str, at: datetime, **changes: object) -> dict[str, object]:
    """A CloudEvent without data; a change to None takes the attribute away."""
    told: dict[str, object] = {
        "specversion": "1.0",
        "id": name,
        "source": "backend",
        "type": "page.viewed",
        "time": at.isoformat(),
        "subject": f"customer:{name}",
        **changes,
    }
    return {attribute: value for attribute, value in told.items() if value is not None}


def structured(name: str, at: datetime, data: object = None, **changes: object) -> Written:
    """An event in its record's value."""
    value = json.dumps({**attributes(name, at, **changes), "data": data or {"url": "https://shop.example/"}})
    return Written(name, value.encode(), [("content-type", b"application/cloudevents+json; charset=UTF-8")])


def binary(name: str, at: datetime, data: object = None, **changes: object) -> Written:
    """An event in its record's headers, its data the value."""
    named = [(f"ce_{key}", str(value).encode()) for key, value in attributes(name, at, **changes).items()]
    return Written(
        name,
        json.dumps(data or {"url": "https://shop.example/"}).encode(),
        [*named, ("content-type", b"application/json")],
    )


def with_headers(written: Written, **changed: bytes | None) -> Written:
    """The same with some headers changed, by their names with `_` for `-` in content_type."""
    changes = {("content-type" if name == "content_type" else name): value for name, value in changed.items()}
    kept: Headers = [(name, value) for name, value in written.headers if name not in changes]
    return Written(written.name, written.value, [*kept, *changes.items()])


def raw(name: str, text: str) -> Written:
    """A record whose value is this, in no mode that it says."""
    return Written(name, text.encode("utf-8", "surrogatepass"), [("x-name", name.encode())])


def nested(depth: int) -> object:
    """Lists in lists."""
    value: object = "deep"
    for _ in range(depth):
        value = [value]
    return value


def poison(prefix: str, at: datetime) -> dict[str, Written]:
    """One of every kind of bad record, by what is wrong with it."""
    year_9999 = at.replace(year=9999)

    def called(kind: str) -> str:
        return f"{prefix}-{kind.replace(' ', '-')}"

    def inside(kind: str, data: str) -> Written:
        whole = json.dumps({**attributes(called(kind), at), "data": {"x": "DATA"}})
        return Written(called(kind), whole.replace('"DATA"', data).encode(), [])

    return {
        "no json": raw(called("no json"), '{"id": '),
        "no utf-8": Written(called("no utf-8"), b'{"id": "\xff\xfe"}', []),
        "no value": Written(called("no value"), None, []),
        "an array": raw(called("an array"), "[]"),
        "no id": structured(called("no id"), at, id=None),
        "no time": structured(called("no time"), at, time=None),
        "time in seconds": structured(called("time in seconds"), at, time=1767225600),
        "unknown type": structured(called("unknown type"), at, type="cart.exploded"),
        "no subject": structured(called("no subject"), at, subject="somebody"),
        "bad data": structured(called("bad data"), at, {"items": "none"}, type="cart.updated"),
        "nul": inside("nul", '"a\\u0000b"'),
        "nan": inside("nan", "NaN"),
        "infinity": inside("infinity", "-Infinity"),
        "large integer": inside("large integer", "123456789012345678901234567890"),
        "too deep": structured(called("too deep"), at, {"x": nested(70)}),
        "far too deep": inside("far too deep", "[" * 10_000 + "]" * 10_000),
        "lone surrogate": inside("lone surrogate", '"\\ud800"'),
        "oversize": structured(called("oversize"), at, {"x": "x" * 300_000}),
        "year 9999": structured(called("year 9999"), year_9999),
        "year 1970": structured(called("year 1970"), at.replace(year=1970)),
        "an hour ahead": structured(called("an hour ahead"), at.replace(year=at.year + 1)),
        "avro": with_headers(structured(called("avro"), at), content_type=b"application/cloudevents+avro"),
        "base64": structured(called("base64"), at, data_base64="AA=="),
        "binary without id": binary(called("binary without id"), at, id=None),
        "binary with a bad header": with_headers(binary(called("binary bad header"), at), ce_subject=b"\xff\xfe"),
        "binary with an empty header": with_headers(binary(called("binary empty header"), at), ce_type=None),
        "binary of no json": Written(*_no_json(binary(called("binary of no json"), at))),
        "binary of an array": binary(called("binary of an array"), at, ["x"]),
        "binary of text": with_headers(binary(called("binary of text"), at), content_type=b"text/plain"),
        "binary twice": _twice(binary(called("binary twice"), at)),
    }


def _no_json(written: Written) -> tuple[str, bytes, Headers]:
    return written.name, b"<xml/>", written.headers


def _twice(written: Written) -> Written:
    return Written(written.name, written.value, [*written.headers, ("ce_id", b"another")])
