"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.campaigns.durations import format_duration, parse_duration

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@given(st.integers(0, 999_999), st.sampled_from("smhd"), st.sampled_from(["", " "]))
def test_a_duration_survives_being_written(number: int, unit: str, space: str) -> None:
    """What is published as text is read as the same time."""
    duration = parse_duration(f"{number}{space}{unit}")
    assert duration == timedelta(seconds=number * SECONDS[unit])
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("written", "said"), [("60m", "1h"), ("48h", "2d"), ("90s", "90s"), ("36h", "36h"), ("30 m", "30m"), ("0s", "0d")]
)
def test_a_duration_is_said_in_the_largest_unit_that_is_exact(written: str, said: str) -> None:
    """Nobody wants to read 86400s."""
    assert format_duration(parse_duration(written)) == said


@pytest.mark.parametrize("written", ["", "1", "h", "1.5h", "-1h", "1h30m", "1w", "1H", "1000000s", " 1h", 60, None])
def test_anything_else_is_refused_with_an_example(written: object) -> None:
    """The text shows how to write it."""
    with pytest.raises(ValueError, match="for example 30m, 1h or 7d"):
        parse_duration(written)
