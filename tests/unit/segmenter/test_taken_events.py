"""What ingest has taken is read in a quicker way: the same happening, or the same words about what is wrong."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import todoke_shared.contracts
from todoke_segmenter.domain.happening import Happening, from_ec_event
from todoke_segmenter.domain.products import ProductTold, product_told
from todoke_segmenter.domain.shop_records import ShopEvent, TakenEvent, read_shop_event
from todoke_shared.contracts.ec_events import EVENT_TYPES, EcEvent
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import BadMessageError
from todoke_shared.jsons import dumps

NOW = datetime(2026, 4, 1, tzinfo=UTC)
BY_INGEST = (("todoke-service", b"ingest"),)
EXAMPLES = Path(todoke_shared.contracts.__file__).parent / "examples" / EC_EVENTS.name
SHOWN: list[dict[str, Any]] = [json.loads(file.read_bytes()) for file in sorted(EXAMPLES.glob("*.json"))]
Outcome = tuple[Happening | None, ProductTold | None] | tuple[str, str | None, bool]

offsets = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))])
times = st.datetimes(timezones=offsets).map(datetime.isoformat)
odd = st.sampled_from(
    [
        *(None, True, 0, -1, 2**63, -(2**70), 1.5, float("nan"), float("inf"), 1e300),
        *(
            "",
            "a",
            "main",
            "main\n",
            "お店",
            "a\x00",
            "\ud800",
            "x" * 513,
            "1.0",
            "1.1",
            "customer:1",
            "visitor:",
            "line:a:b",
        ),
        *(
            [],
            {},
            [1],
            {"a": [None]},
            {"a\x00": 1},
            {"\ud800": 1},
            {"order_id": "x" * 256},
            {"product": {"stock": 2**70}},
        ),
        *sorted(EVENT_TYPES),
    ]
)
attributes = st.sampled_from(["specversion", "id", "type", "time", "subject", "shop", "history", "data", "trace"])
changes = st.dictionaries(attributes, odd | times, max_size=2)
mutations = st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=2)), max_size=3)


def carefully(value: bytes) -> Outcome:
    """By the contract itself."""
    return outcome(lambda: EcEvent.from_json(value))


def quickly(value: bytes) -> Outcome:
    """As the segmenter reads it."""
    return outcome(lambda: read_shop_event(value, BY_INGEST, NOW))


def outcome(read: Any) -> Outcome:
    """What becomes of a record: what happened by it, or why it is a dead letter."""
    try:
        event: ShopEvent = read()
        return from_ec_event(event), product_told(event)
    except BadMessageError as error:
        return error.reason, error.field, error.gibberish


@pytest.mark.parametrize("shown", SHOWN, ids=[f"{one['type']} {one['id']}" for one in SHOWN])
def test_every_example_is_read_in_the_quick_way(shown: dict[str, Any]) -> None:
    """Every type of the vocabulary: nothing is left to the slow way, and nothing is lost on the quick one."""
    value = dumps(shown)
    assert isinstance(read_shop_event(value, BY_INGEST, NOW), TakenEvent)
    assert quickly(value) == carefully(value)


@example(SHOWN[0], {"shop": "main\n"}, [])
@example(SHOWN[0], {"time": "2026-01-31T09:00:00"}, [])
@example(SHOWN[0], {"time": "1999-12-31T23:59:59Z"}, [])
@example(SHOWN[0], {"subject": "a\x00"}, [])
@example(SHOWN[0], {"trace": "x" * 40}, [(-10, b"\x80")])
@given(st.sampled_from(SHOWN), changes, mutations)
def test_both_ways_agree_about_everything_else(
    shown: dict[str, Any], changed: dict[str, Any], mutated: list[tuple[int, bytes]]
) -> None:
    """Attributes changed, bytes put over others: the same event, or the same field and reason for its dead letter."""
    value = json.dumps({**shown, **changed}, ensure_ascii=False).encode(errors="surrogatepass")
    for place, put in mutated:
        at = place % len(value)
        value = value[:at] + put + value[at + 1 :]
    assert quickly(value) == carefully(value)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1E+999", "9223372036854775808", "1" * 30])
def test_numbers_that_nobody_can_hold_are_refused_in_the_same_words(number: str) -> None:
    """The quick way looks for fewer of them, since its reader takes none of the others."""
    value = dumps(SHOWN[0] | {"data": {"n": 0}}).replace(b'"n":0', f'"n":{number}'.encode())
    assert quickly(value) == carefully(value)
    assert isinstance(quickly(value)[0], str)
