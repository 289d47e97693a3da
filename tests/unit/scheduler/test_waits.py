"""A wait ends when its words say, in the campaign's zone, counted from when it was due."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tests.support.random_campaigns import Known, run_of, written
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.waiting import due_after
from todoke_shared.campaigns.steps import Wait

TOKYO = ZoneInfo("Asia/Tokyo")


def local(text: str, zone: ZoneInfo = TOKYO) -> datetime:
    """The instant of a local time."""
    return at_local(datetime.fromisoformat(text), zone)


def until(wait: Any, since: str, *, zone: ZoneInfo = TOKYO, **others: Any) -> tuple[str, str | None]:
    """When a wait that was due at `since` is over, as clocks show it, and what is said of it."""
    event, birthday = others.get("event", {}), others.get("birthday")
    dates = {"birthday": birthday, "date.renewal": others.get("renewal")}
    person = Known(dates={name: told for name, told in dates.items() if told})
    run = replace(run_of({"event": event}), started_at=local(others.get("started", since), zone))
    step = written([{"wait": wait}]).steps[0]
    assert isinstance(step, Wait)
    due, sentence = due_after(step.wait, run, local(since, zone), zone, person)
    return f"{due.astimezone(zone):%Y-%m-%d %H:%M}", sentence


@pytest.mark.parametrize(
    ("wait", "since", "expected"),
    [
        ("90m", "2026-02-03 18:00", "2026-02-03 19:30"),
        ({"until": "20:00"}, "2026-02-03 18:00", "2026-02-03 20:00"),
        ({"until": "20:00"}, "2026-02-03 20:00", "2026-02-04 20:00"),
        ({"until": "20:00"}, "2026-02-28 21:00", "2026-03-01 20:00"),
        ({"until": "friday 12:00"}, "2026-02-03 18:00", "2026-02-06 12:00"),
        ({"until": "friday 12:00"}, "2026-02-06 11:59", "2026-02-06 12:00"),
        ({"until": "friday 12:00"}, "2026-02-06 12:00", "2026-02-13 12:00"),
    ],
)
def test_durations_times_of_day_and_weekdays(wait: Any, since: str, expected: str) -> None:
    """The next such time, never the very same."""
    assert until(wait, since) == (expected, None)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-02-03 00:00", "2026-02-06 20:00"),
        ("2026-02-05 12:00", "2026-02-06 20:00"),
        ("2026-02-06 20:00", "2026-02-06 20:00"),
        ("2026-02-07 09:00", "2026-02-07 09:00"),
    ],
)
def test_day_3_at_20_00_counts_from_the_local_day_of_the_start(since: str, expected: str) -> None:
    """Whenever the wait begins; if that time is past, it is over at once."""
    wait = {"days": 3, "at": "20:00"}
    assert until(wait, since, started="2026-02-03 00:00") == (expected, None)
    assert until(wait, since, started="2026-02-03 23:59") == (expected, None)


@pytest.mark.parametrize(
    ("reserved_at", "expected"),
    [
        ("2026-03-01", "2026-02-27 18:00"),
        ("2026-03-01T09:30:00+09:00", "2026-02-27 18:00"),
        ("2026-02-28T23:30:00Z", "2026-02-27 18:00"),
        ("2026-03-01 23:59", "2026-02-27 18:00"),
        ("2028-03-01", "2028-02-28 18:00"),
        ("9999-12-31", "9998-12-31 09:00"),
        ("9999-12-31T23:59:59-12:00", "9998-12-31 09:00"),
    ],
)
def test_two_days_before_the_reservation_at_18_00(reserved_at: str, expected: str) -> None:
    """A date, or an instant with an offset or without: its day is the local one."""
    wait = {"date": "event.reserved_at", "offset": "-2d", "at": "18:00"}
    assert until(wait, "2026-02-03 10:00", event={"reserved_at": reserved_at}) == (expected, None)


@pytest.mark.parametrize(
    ("reserved_at", "offset", "expected"),
    [
        ("2026-03-01T09:30:00+09:00", "0d", "2026-03-01 09:30"),
        ("2026-03-01T09:30:00+09:00", "-1d", "2026-02-28 09:30"),
        ("2026-03-01", "0d", "2026-03-01 00:00"),
    ],
)
def test_without_a_time_an_instant_keeps_its_own_and_a_date_is_its_midnight(
    reserved_at: str, offset: str, expected: str
) -> None:
    """A reminder an hour before is this wait and the rest of the author's arithmetic."""
    wait = {"date": "event.reserved_at", "offset": offset}
    assert until(wait, "2026-02-03 10:00", event={"reserved_at": reserved_at}) == (expected, None)


def test_an_instant_that_clocks_show_twice_stays_itself() -> None:
    """01:30 in New York after the clocks have gone back is an hour later than the first one."""
    new_york = ZoneInfo("America/New_York")
    second = datetime.fromisoformat("2026-11-01T01:30:00-05:00")
    step = written([{"wait": {"date": "event.on"}}]).steps[0]
    assert isinstance(step, Wait)
    due, _ = due_after(step.wait, run_of({"event": {"on": second.isoformat()}}), run_of().due_at, new_york, Known())
    assert due == second != local("2026-11-01 01:30", new_york)


@pytest.mark.parametrize("told", ["soon", "2026-02-30", "2026-3-1", "20260301", 20260301, None, ["2026-03-01"], {}])
def test_what_is_no_date_is_not_waited_for_and_the_log_says_so(told: Any) -> None:
    """The run goes on: a reminder that never comes is worse than one too early, and its author can read why."""
    wait = {"date": "event.reserved_at", "at": "18:00"}
    expected = "waits for nothing: no date is known under `event.reserved_at`"
    assert until(wait, "2026-02-03 10:00", event={"reserved_at": told}) == ("2026-02-03 10:00", expected)
    assert until(wait, "2026-02-03 10:00", event={}) == ("2026-02-03 10:00", expected)
    assert until({"date": "date.renewal", "at": "18:00"}, "2026-02-03 10:00")[0] == "2026-02-03 10:00"


def test_a_date_that_is_past_is_not_waited_for_either() -> None:
    """Nor is one whose time of day is past; the very minute is in time."""
    wait = {"date": "event.reserved_at", "offset": "-2d", "at": "18:00"}
    past = "waits for nothing: the day that `event.reserved_at` names is past"
    assert until(wait, "2026-02-03 18:01", event={"reserved_at": "2026-02-05"}) == ("2026-02-03 18:01", past)
    assert until(wait, "2026-02-03 18:00", event={"reserved_at": "2026-02-05"}) == ("2026-02-03 18:00", None)


def test_a_field_within_a_field_is_found_by_its_path() -> None:
    """As conditions find it."""
    wait = {"date": "event.visit.on", "at": "09:00"}
    assert until(wait, "2026-02-03 10:00", event={"visit": {"on": "2026-02-05"}})[0] == "2026-02-05 09:00"
    assert until(wait, "2026-02-03 10:00", event={"visit": "2026-02-05"})[0] == "2026-02-03 10:00"


def test_dates_of_the_person_a_birthday_being_the_next_one() -> None:
    """Today's counts; its offset may make it past."""
    renewal = {"date": "date.renewal", "offset": "3d", "at": "10:00"}
    assert until(renewal, "2026-02-03 10:00", renewal=date(2026, 2, 27))[0] == "2026-03-02 10:00"
    birthday = {"date": "birthday", "at": "10:00"}
    assert until(birthday, "2026-02-03 09:00", birthday=date(1990, 2, 3))[0] == "2026-02-03 10:00"
    assert until(birthday, "2026-02-04 09:00", birthday=date(1990, 2, 3))[0] == "2027-02-03 10:00"
    assert until(birthday, "2026-02-04 08:59", birthday=date(1990, 2, 3))[0] == "2027-02-03 10:00"  # in UTC the 3rd
    assert until(birthday, "2026-02-04 09:00", birthday=date(2000, 2, 29))[0] == "2026-03-01 10:00"
    assert until(birthday, "2028-02-04 09:00", birthday=date(2000, 2, 29))[0] == "2028-02-29 10:00"
    before = {"date": "birthday", "offset": "-7d", "at": "10:00"}
    assert until(before, "2026-02-01 09:00", birthday=date(1990, 2, 3))[0] == "2026-02-01 09:00"


def test_days_are_calendar_days_through_a_change_of_the_clocks() -> None:
    """Day 1 at 09:00 is 23 hours after day 0 at 09:00 when New York's clocks go forward in between."""
    new_york = ZoneInfo("America/New_York")
    wait = {"days": 1, "at": "09:00"}
    assert until(wait, "2026-03-07 09:00", zone=new_york) == ("2026-03-08 09:00", None)
    hours = local("2026-03-08 09:00", new_york) - local("2026-03-07 09:00", new_york)
    assert hours == timedelta(hours=23)
