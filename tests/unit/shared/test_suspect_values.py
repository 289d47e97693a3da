"""The quick look at a record may call for a closer one in vain, but never lets through what that would refuse."""

import re
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.contracts.envelope import is_suspect
from todoke_shared.contracts.json_values import MAX_DEPTH, check_json
from todoke_shared.errors import BadMessageError

TEXTS = st.text(alphabet="a0\x00茶\\u", max_size=6)
NUMBERS = st.integers(-(2**64) + 1, 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | TEXTS | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def refused(value: object) -> bool:
    """Whether the closer look refuses it."""
    try:
        check_json(value)
    except BadMessageError:
        return True
    return False


@given(VALUES)
def test_what_the_closer_look_refuses_is_suspect(value: object) -> None:
    """NUL and integers beyond 64 bits, wherever they stand."""
    try:
        encoded = msgspec.json.encode([value])
    except (OverflowError, ValueError):
        return  # below -2**63: no bytes to look at, and the door refuses that too
    assert is_suspect(encoded) or not refused([value])


HUGE = [b"1e999", b"-1E+999", b"1e+0999", b"12.5E308", b"-10.0e+400", b"NaN", b"-Infinity", b"9223372036854775808"]


@pytest.mark.parametrize("number", HUGE)
def test_numbers_that_nobody_can_hold_are_suspect(number: bytes) -> None:
    """However they are spelled, and wherever they stand."""
    for around in (b'{"n":%b}', b'{"n" :\n%b}', b"[%b]", b"[0, %b]", b"[0,%b]", b"%b"):
        assert is_suspect(around % number)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1000])
def test_what_is_too_deep_is_suspect(levels: int) -> None:
    """Counted by its brackets."""
    assert is_suspect(b"[" * levels + b"]" * levels)


def test_an_ordinary_event_is_not() -> None:
    """Prices, ids, times and Japanese text need no closer look, or the quick one would save nothing."""
    value = {
        "time": "2026-01-31T09:00:00.123456+09:00",
        "data": {"price": 1280.5, "name": "煎茶", "id": 123456789012345678},
    }
    assert not is_suspect(msgspec.json.encode(value))
    assert not is_suspect(msgspec.json.encode({"n": 1.5e-10}))


def test_ids_are_not() -> None:
    """Every tenth UUID reads like a number with an exponent somewhere: `4e104`."""
    ids = [str(uuid5(NAMESPACE_URL, str(number))) for number in range(1000)]
    assert any(re.search(r"\de\d\d\d", one) for one in ids)
    assert not any(is_suspect(msgspec.json.encode({"id": one})) for one in ids)
