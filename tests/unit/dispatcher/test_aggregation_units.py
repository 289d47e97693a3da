"""LINE's aggregation units: a name for each campaign step, such as LINE takes, and always the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_dispatcher.domain.units import LONGEST, unit_name

NAMES = st.text(st.sampled_from("ab-_9あ. "), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("campaign", "step", "unit"),
    [
        ("care", "hello", "care__hello"),
        ("new_year", "sale_2", "new_year__sale_2"),
        ("cart-abandonment", "first-reminder", "cart_abandonment_firs_b15001e0"),
        ("care", "お知らせ", "care_07bab14c"),
    ],
)
def test_a_unit_is_readable_where_it_can_be(campaign: str, step: str, unit: str) -> None:
    """Names that LINE takes stay; others are cut, and a hash tells them apart. Never changed: LINE counts by it."""
    assert unit_name(campaign, step) == unit


@given(NAMES, NAMES)
def test_line_takes_every_unit(campaign: str, step: str) -> None:
    """1 to 30 letters, digits and underscores."""
    assert re.fullmatch(r"[A-Za-z0-9_]{1,30}", unit_name(campaign, step))
    assert len(unit_name(campaign, step)) <= LONGEST


@given(NAMES, NAMES, NAMES, NAMES)
def test_two_steps_have_two_units(campaign: str, step: str, other: str, others_step: str) -> None:
    """Also where the same is left of both."""
    same = (campaign, step) == (other, others_step)
    assert (unit_name(campaign, step) == unit_name(other, others_step)) is same
