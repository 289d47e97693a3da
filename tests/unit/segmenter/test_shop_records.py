"""What a shop's own system writes to the topic is read in both modes, and held to the rules of ingest's doors."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.direct_producers import Written, attributes, binary, poison, structured, with_headers
from tests.unit.segmenter.happenings import USER
from todoke_ingest.domain.cloudevents import read_event
from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_segmenter.domain.happening import from_ec_event
from todoke_segmenter.domain.shop_records import ShopEvent, read_shop_event
from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.errors import BadMessageError

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
POISON = poison("unit", NOW)
AT_THE_DOOR = [kind for kind in POISON if not kind.startswith(("binary", "avro", "no time"))]
"""The rest is about headers, or has no like there: the door fills in a missing time."""


def read(written: Written, now: datetime = NOW) -> ShopEvent:
    """As the segmenter does: a record, then its event against the vocabulary."""
    headers = tuple((name, value or b"") for name, value in written.headers)
    event = read_shop_event(written.value, headers, now)
    from_ec_event(event)
    return event


def test_both_modes_and_no_mode_are_the_same_event() -> None:
    """In the value, in headers, or a value that says nothing of its mode."""
    data = {"url": "https://shop.example/お茶"}
    events = [
        read(structured("a", NOW, data)),
        read(binary("a", NOW, data)),
        read(Written("a", structured("a", NOW, data).value, [])),
        read(with_headers(structured("a", NOW, data), content_type=b"application/json")),
        read(with_headers(binary("a", NOW, data), content_type=b"Application/JSON; charset=utf-8")),
    ]
    assert all(event == events[0] for event in events)
    assert events[0].data == data
    assert events[0].subject == "customer:a"


def test_an_event_in_the_value_may_have_its_attributes_in_headers_too() -> None:
    """Structured mode allows copies in headers, for routers on the way; the value is what counts."""
    both = with_headers(structured("a", NOW), ce_id=b"a", ce_type=b"page.viewed")
    assert read(both).id == "a"


def test_binary_data_may_be_missing_and_extensions_are_carried() -> None:
    """A value of nothing is no data; what nobody knows is kept."""
    event = read(Written("a", None, binary("a", NOW, shop="main", traceparent="00-ab-cd-01").headers))
    assert (event.data, event.shop) == ({}, "main")
    assert isinstance(event, EcEvent)
    assert event.model_extra == {"traceparent": "00-ab-cd-01"}


def test_a_null_attribute_is_a_missing_one() -> None:
    """As the JSON format has it, and as serialisers that write every field send it."""
    event = read_shop_event(
        b'{"specversion":"1.0","id":"a","source":"b","type":"page.viewed","time":"2026-04-01T00:00:00Z",'
        b'"subject":"customer:1","shop":null,"datacontenttype":null,"data":null}',
        (),
        NOW,
    )
    assert (event.shop, event.data) == ("main", {})


@pytest.mark.parametrize("kind", POISON)
def test_every_kind_of_bad_record_is_named(kind: str) -> None:
    """Field and reason, never the value; and nothing but a bad message, whatever lies in the topic."""
    with pytest.raises(BadMessageError) as error:
        read(POISON[kind])
    assert error.value.reason
    for secret in ("somebody", "exploded", "xxx", "<xml/>"):
        assert secret not in str(error.value)


@pytest.mark.parametrize("kind", AT_THE_DOOR)
def test_the_door_refuses_what_the_topic_refuses(kind: str) -> None:
    """One set of rules, whichever way an event comes in."""
    with pytest.raises((BadMessageError, RequestRefusedError)):
        read_event(read_json(POISON[kind].value or b""), NOW)


@pytest.mark.parametrize("changes", [{}, {"time": "2026-04-01 12:00:00.123456789+09:00"}, {"shop": "other"}])
def test_the_topic_takes_what_the_door_takes(changes: dict[str, object]) -> None:
    """Spelled in any way that RFC 3339 has."""
    good = structured("a", NOW, **changes)
    assert read_event({**attributes("a", NOW, **changes), "data": {}}, NOW).id == read(good).id == "a"


@pytest.mark.parametrize(
    ("type_", "subject", "data", "also", "apart"),
    [
        ("customer.identified", "customer:1", {"identifiers": ["visitor:a"]}, ("visitor:a",), ()),
        ("customer.unidentified", "customer:1", {"identifiers": ["visitor:a"]}, (), ("visitor:a",)),
        ("friend.imported", f"line:main:{USER}", {"friend": True, "customer_id": "1"}, ("customer:1",), ()),
        ("page.viewed", "customer:1", {"identifiers": ["visitor:a"]}, (), ()),
    ],
)
def test_an_event_says_who_is_who(
    type_: str, subject: str, data: dict[str, object], also: tuple[str, ...], apart: tuple[str, ...]
) -> None:
    """Those that are about it do, and no other."""
    happening = from_ec_event(read(structured("a", NOW, data, type=type_, subject=subject)))
    assert happening is not None
    assert (happening.also, happening.apart) == (also, apart)


def test_a_producers_clock_may_be_a_quarter_of_an_hour_ahead_and_no_more() -> None:
    """To the second; but what ingest has taken is not judged again, since the shop's clock may have been set back."""
    assert read(structured("a", NOW + timedelta(minutes=15)))
    ahead = structured("a", NOW + timedelta(minutes=15, seconds=1))
    with pytest.raises(BadMessageError, match="in the future"):
        read(ahead)
    by_ingest = Written(ahead.name, ahead.value, [*ahead.headers, ("todoke-service", b"ingest")])
    assert read(by_ingest).id == "a"


def test_headers_count_towards_the_size() -> None:
    """A producer cannot hide in headers what no room could carry."""
    with pytest.raises(BadMessageError, match="larger than 256 KiB"):
        read(with_headers(binary("a", NOW), x=b"x" * 300_000))
