"""Local times become instants as the zone's own clocks show them: through both changes of summer time, and Feb 29."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_scheduler.domain.calendar import (
    LAST,
    at_local,
    birthday_in,
    coming_birthday,
    last_time,
    later,
    next_day_of_month,
    next_time,
    next_weekday,
    on_day,
)

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
zones = st.sampled_from([TOKYO, NEW_YORK, LORD_HOWE, APIA, ZoneInfo("America/Santiago"), ZoneInfo("Asia/Beirut")])
"""Some leave midnight out (Santiago, Beirut), one half an hour (Lord Howe), one left out a whole day (Apia, 2011)."""
instants = st.integers(1_230_000_000, 2_120_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 29, 30, 59]))


def utc(text: str) -> datetime:
    """An instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: ZoneInfo) -> datetime:
    """The instant of a local time."""
    return at_local(datetime.fromisoformat(text), zone)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-02-03 18:00", TOKYO, "2026-02-03 09:00"),
        ("2026-03-08 01:59", NEW_YORK, "2026-03-08 06:59"),
        ("2026-03-08 02:00", NEW_YORK, "2026-03-08 07:00"),
        ("2026-03-08 02:30", NEW_YORK, "2026-03-08 07:00"),
        ("2026-03-08 03:00", NEW_YORK, "2026-03-08 07:00"),
        ("2026-03-08 03:01", NEW_YORK, "2026-03-08 07:01"),
        ("2026-11-01 01:30", NEW_YORK, "2026-11-01 05:30"),
        ("2026-11-01 02:00", NEW_YORK, "2026-11-01 07:00"),
        ("2026-10-04 02:15", LORD_HOWE, "2026-10-03 15:30"),
        ("2026-04-05 01:45", LORD_HOWE, "2026-04-04 14:45"),
        ("2011-12-30 12:00", APIA, "2011-12-30 10:00"),
    ],
)
def test_a_time_that_clocks_leave_out_is_the_end_of_the_gap_and_one_shown_twice_the_first(
    text: str, zone: ZoneInfo, instant: str
) -> None:
    """By hand, from the zones' published rules."""
    assert local(text, zone) == utc(instant)


@given(zones, instants)
def test_the_instant_of_a_local_time_is_the_first_at_which_clocks_have_reached_it(
    zone: ZoneInfo, instant: datetime
) -> None:
    """An instant's own local time leads back to it, or to the hour before that showed the same."""
    shown = instant.astimezone(zone).replace(tzinfo=None, fold=0)
    found = at_local(shown, zone)
    assert found <= instant
    assert found.astimezone(zone).replace(tzinfo=None, fold=0) == shown


@given(zones, instants, times)
def test_the_next_time_of_day_comes_within_a_day_and_the_clock_change(
    zone: ZoneInfo, after: datetime, at: time
) -> None:
    """It is later, no such time lies between, and clocks show it, or the end of the gap it fell into."""
    found = next_time(after, at, zone)
    assert after < found <= after + timedelta(hours=49)
    assert last_time(found, at, zone) == found
    assert last_time(found - timedelta(microseconds=1), at, zone) <= after


@given(zones, instants, times, st.integers(0, 6))
def test_the_next_weekday_is_that_day(zone: ZoneInfo, after: datetime, at: time, weekday: int) -> None:
    """Within eight days, at its first such time; a day that a zone left out is the first instant of the next."""
    found = next_weekday(after, weekday, at, zone)
    assert after < found <= after + timedelta(days=8)
    left_out = zone is APIA and found.astimezone(zone).date() == date(2011, 12, 31)
    assert found.astimezone(zone).weekday() == weekday or left_out


def test_the_very_minute_is_not_the_next_one() -> None:
    """A step at 20:00 and a wait until 20:00 are a day apart; friday 12:00 on a Friday at 12:00, a week."""
    eight = local("2026-02-03 20:00", TOKYO)
    assert next_time(eight, time(20), TOKYO) == eight + timedelta(days=1)
    assert next_time(eight - timedelta(seconds=1), time(20), TOKYO) == eight
    friday = local("2026-02-06 12:00", TOKYO)
    assert next_weekday(friday, 4, time(12), TOKYO) == friday + timedelta(days=7)
    assert next_weekday(friday - timedelta(seconds=1), 4, time(12), TOKYO) == friday


def test_last_time_is_now_if_it_is() -> None:
    """Quiet hours begin at their very minute."""
    nine = local("2026-02-03 21:00", TOKYO)
    assert last_time(nine, time(21), TOKYO) == nine
    assert last_time(nine - timedelta(seconds=1), time(21), TOKYO) == nine - timedelta(days=1)


@pytest.mark.parametrize(
    ("after", "on", "expected"),
    [
        ("2026-01-31 10:00", 31, "2026-02-28 10:00"),
        ("2028-01-31 10:00", 31, "2028-02-29 10:00"),
        ("2026-02-01 00:00", "last", "2026-02-28 10:00"),
        ("2026-02-28 09:59", "last", "2026-02-28 10:00"),
        ("2026-02-28 10:00", "last", "2026-03-31 10:00"),
        ("2026-12-15 10:00", 15, "2027-01-15 10:00"),
        ("2026-04-30 10:00", 30, "2026-05-30 10:00"),
        ("2027-01-30 12:00", 29, "2027-02-28 10:00"),
    ],
)
def test_a_day_that_a_month_lacks_is_its_last(after: str, on: int, expected: str) -> None:
    """Nobody's monthly message is left out in February."""
    assert next_day_of_month(local(after, TOKYO), on, time(10), TOKYO) == local(expected, TOKYO)


def test_who_was_born_on_february_29_has_a_birthday_on_march_1_in_common_years() -> None:
    """As conditions have it (docs/conditions.md)."""
    leapling = date(2000, 2, 29)
    assert [birthday_in(leapling, year) for year in (2027, 2028, 2100)] == [
        date(2027, 3, 1), date(2028, 2, 29), date(2100, 3, 1)
    ]  # fmt: skip
    assert coming_birthday(leapling, date(2027, 3, 1)) == date(2027, 3, 1)
    assert coming_birthday(leapling, date(2027, 3, 2)) == date(2028, 2, 29)


def test_what_lies_beyond_the_calendar_is_the_last_instant() -> None:
    """`9999-12-31` is some shop's "never"; a wait of 2,700 years is a mistake; neither stops a batch."""
    assert on_day(date.max, 3650, time(23, 59), TOKYO) == LAST
    assert on_day(date.min, -3650, time.min, NEW_YORK).year == 2
    assert later(LAST - timedelta(days=1), timedelta(days=999_999)) == LAST
    assert later(LAST - timedelta(days=2), timedelta(days=1)) == LAST - timedelta(days=1)
    assert later(LAST, timedelta(0)) == LAST
    for zone in (TOKYO, NEW_YORK):
        assert next_time(LAST, time(20), zone) == next_weekday(LAST, 4, time(20), zone) == LAST
        assert next_day_of_month(LAST - timedelta(days=1), 31, time(23), zone) == LAST
        assert next_time(on_day(date(9998, 12, 31), 0, time(0), zone), time(0), zone) == LAST
