"""How values read in Japanese: the filters, each with what it gives and what it refuses."""

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_dispatcher.domain.formats import short
from todoke_dispatcher.domain.quota import TOKYO
from todoke_dispatcher.domain.rendering import RenderError, render

HAWAII = ZoneInfo("Pacific/Honolulu")


def told(template: str, value: object, zone: tzinfo = TOKYO) -> str:
    """A text with this value, `v`, in it."""
    [message] = render([{"type": "text", "text": template}], {"v": value}, zone)
    assert isinstance(message, dict)
    return str(message["text"])


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{{ v | yen }}", 1980, "1,980円"),
        ("{{ v | yen }}", "1980.5", "1,981円"),
        ("{{ v | number }}", 1234567, "1,234,567"),
        ("{{ v | number }}", 1234.5, "1,234.5"),
        ("{{ v | number }}", "-0.25", "-0.25"),
        ("{{ v | points }}", 1200, "1,200ポイント"),
        ("{{ v | jpdate }}", "2026-11-21", "11月21日"),
        ("{{ v | jpday }}", "2026-11-21", "11月21日(土)"),
        ("{{ v | jpday }}", date(2026, 11, 22), "11月22日(日)"),
        ("{{ v | jpyear }}", "2027-01-05", "2027年1月5日"),
        ("{{ v | jptime }}", "2026-11-21T09:05:00Z", "18:05"),
        ("{{ v | jptime }}", "2026-11-21T09:05:00", "09:05"),
        ("{{ v | jpdatetime }}", "2026-11-21T15:30:00Z", "11月22日(日) 00:30"),
        ("{{ v | jpdatetime }}", datetime(2026, 11, 20, 9, tzinfo=UTC), "11月20日(金) 18:00"),
        ("{{ v | short }}", "あ" * 21, "あ" * 19 + "…"),
        ("{{ v | short(5) }}", "あいうえお", "あいうえお"),
        ("{{ v | short(5) }}", "あいうえおか", "あいうえ…"),
        ("{{ v | short(4) }}", "🍵🍵🍵", "🍵…"),
        ("{{ v | short(4) }}", 12345, "123…"),
    ],
)
def test_values_read_as_a_japanese_shop_writes_them(template: str, value: object, text: str) -> None:
    """Money, numbers, points, days with their weekday, times."""
    assert told(template, value) == text


def test_times_are_of_the_campaigns_zone() -> None:
    """An instant is another day on Hawaii; a plain date is that date anywhere."""
    assert told("{{ v | jpdatetime }}", "2026-11-21T09:00:00+09:00", HAWAII) == "11月20日(金) 14:00"
    assert told("{{ v | jpdate }}", "2026-11-21T09:00:00+09:00", HAWAII) == "11月20日"
    assert told("{{ v | jpday }}", "2026-11-21", HAWAII) == "11月21日(土)"
    assert told("{{ v | jpday }}", "2026-11-21T09:00:00+09:00") == "11月21日(土)"


@pytest.mark.parametrize(
    ("template", "value", "says"),
    [
        ("{{ v | number }}", "千", "number needs a number"),
        ("{{ v | points }}", True, "points needs a number"),
        ("{{ v | yen }}", "1e999999", "yen needs a number"),
        ("{{ v | number }}", "NaN", "number needs a number"),
        ("{{ v | jpday }}", "明日", "jpday needs a date"),
        ("{{ v | jpyear }}", 20261121, "jpyear needs a date"),
        ("{{ v | jptime }}", "2026-11-21", "jptime needs a time"),
        ("{{ v | jpdatetime }}", date(2026, 11, 21), "jpdatetime needs a time"),
        ("{{ v | short(0) }}", "a", "short needs a whole number of at least 1"),
        ("{{ v | short('5') }}", "a", "short needs"),
    ],
)
def test_what_is_no_number_or_date_fails_without_being_told(template: str, value: object, says: str) -> None:
    """The filter says what it needs, and nothing of the customer's."""
    with pytest.raises(RenderError, match=says) as failed:
        told(template, value)
    assert not isinstance(value, str) or len(value) < 2 or value not in str(failed.value)


@given(st.text(), st.integers(1, 50))
def test_a_short_text_is_as_short_as_line_counts(text: str, most: int) -> None:
    """In UTF-16 units; what is short enough stays as it is, and what is cut begins as it did."""
    found = short(text, most)
    assert len(found.encode("utf-16-le", "surrogatepass")) // 2 <= most
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= most:
        assert found == text
    else:
        assert text.startswith(found.removesuffix("…"))
