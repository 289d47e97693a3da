"""What a message reads goes on the wire, and nothing else; the day is the campaign's own."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.scheduler.campaigns import run
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.variables import VARIABLES, variables, variables_named


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("{{ person.name }}", {"person"}),
        ({"for": "item", "in": "cart[:3]", "most": 3, "each": "{{ item.name }}{{ today }}"}, {"cart", "today"}),
        ({"if": "coupon.code is defined", "then": "a", "else": {"b": "{{ event.x }}"}}, {"coupon", "event"}),
        ({"if": "answers", "then": [{"for": "i", "in": "event.items", "most": 1, "each": "x"}]}, {"answers", "event"}),
        ({"in": "cart", "for_": "event", "text": "person"}, set()),
    ],
)
def test_parts_name_what_they_read_as_texts_do(part: Any, named: set[str]) -> None:
    """In the expressions of `for` and `if`, and within; plain words are words."""
    assert variables_named([{"type": "flex", "contents": [part]}]) == named


def test_today_is_the_campaigns_day() -> None:
    """In one zone it is the next day already."""
    late = datetime(2026, 4, 1, 16, 0, tzinfo=UTC)
    named = frozenset({"today"})
    assert variables(run(), PersonNow(), named, late) == {"today": "2026-04-02"}
    assert variables(run(), PersonNow(), named, late, ZoneInfo("America/New_York")) == {"today": "2026-04-01"}
    assert variables(run(), PersonNow(), VARIABLES, late).keys() == VARIABLES
