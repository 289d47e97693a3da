"""Schedules come at their local times, each once, through both changes of the clocks; what is past is not planned."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from todoke_scheduler.domain.broadcasts import CHUNK, FIRST, LAST, Broadcast, next_at, next_stretch, share_done
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.guards import MORNING
from todoke_scheduler.domain.schedules import FORGOTTEN, JUST_NOW, is_occurrence, next_occurrence, to_plan
from todoke_shared.campaigns.model import Campaign

ZONES = ("Asia/Tokyo", "America/New_York", "America/Santiago", "Australia/Lord_Howe")
"""Santiago leaves midnight out, Lord Howe half an hour."""
NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
instants = st.integers(1_500_000_000, 2_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 29, 30, 59]))
weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
repeating = st.one_of(
    st.builds(lambda at, every: {"every": every, "at": at}, times, st.sampled_from(("day", *weekdays))),
    st.builds(lambda at, on: {"every": "month", "on": on, "at": at}, times, st.integers(1, 31) | st.just("last")),
)


def scheduled(schedule: dict[str, Any], zone: str = "Asia/Tokyo", **more: Any) -> Campaign:
    """A campaign with this schedule."""
    return Campaign.model_validate(
        {
            "campaign": "news",
            "class": "marketing",
            "zone": zone,
            "enter": {"schedule": schedule},
            "steps": [{"send": "hello"}],
            "messages": {"hello": [{"type": "text", "text": "こんにちは"}]},
            **more,
        }
    )


@given(schedule=repeating, zone=st.sampled_from(ZONES), after=instants)
def test_the_next_occurrence_is_the_very_next(schedule: dict[str, Any], zone: str, after: datetime) -> None:
    """Later than asked, at its own local time, and found again from every instant before it."""
    campaign = scheduled(schedule, zone)
    found = next_occurrence(campaign, after)
    assert found is not None
    assert found > after
    local = found.astimezone(campaign.tz)
    wanted = datetime.combine(local.date(), datetime.strptime(schedule["at"], "%H:%M").time())  # noqa: DTZ007 - a time
    assert at_local(wanted, campaign.tz) == found or local.time() > wanted.time()
    assert next_occurrence(campaign, after + (found - after) / 2) == found
    assert is_occurrence(campaign, found)
    assert not is_occurrence(campaign, found + SECOND)


@given(schedule=repeating, zone=st.sampled_from(ZONES), after=instants)
def test_each_day_of_a_schedule_comes_once(schedule: dict[str, Any], zone: str, after: datetime) -> None:
    """Forty occurrences on: never two on one local day, and none left out."""
    campaign, found = scheduled(schedule, zone), [after]
    for _ in range(40):
        following = next_occurrence(campaign, found[-1])
        assert following is not None
        found.append(following)
    days = [instant.astimezone(campaign.tz).date() for instant in found[1:]]
    gaps = {(later - earlier).days for earlier, later in pairwise(days)}
    match schedule["every"]:
        case "day":
            assert gaps == {1}
        case "month":
            assert gaps <= {28, 29, 30, 31}
            assert len({(day.year, day.month) for day in days}) == 40
        case every:
            assert gaps == {7}
            assert {day.weekday() for day in days} == {weekdays.index(every)}


def test_a_campaign_that_has_not_begun_or_is_over_is_never_due() -> None:
    """`starts` and `ends` hold for schedules, too; `ends` itself is over."""
    campaign = scheduled({"every": "day", "at": "12:00"}, starts="2026-04-10 12:00", ends="2026-04-11 12:00")
    only = datetime(2026, 4, 10, 12, tzinfo=campaign.tz)
    assert next_occurrence(campaign, NOW) == only
    assert next_occurrence(campaign, only) is None
    assert next_occurrence(scheduled({"at": "2026-04-01 12:00"}), NOW) is None
    event = Campaign.model_validate({**campaign.to_document(), "enter": {"on": "order.placed"}, "starts": None})
    assert next_occurrence(event, NOW) is None


def test_what_repeats_is_planned_one_ahead_and_not_made_up_for() -> None:
    """The next one, and the one of this minute; none of those that a stop has missed."""
    daily = scheduled({"every": "day", "at": "12:00"})
    assert to_plan(daily, NOW - 100 * DAY, NOW) == [NOW, NOW + DAY]
    assert to_plan(daily, NOW - 100 * DAY, NOW + JUST_NOW) == [NOW + DAY]
    assert to_plan(daily, NOW - 100 * DAY, NOW - SECOND) == [NOW]


@pytest.mark.parametrize(
    ("published", "looked", "planned"),
    [
        (-DAY, -DAY, True),
        (timedelta(), timedelta(), True),
        (JUST_NOW - SECOND, JUST_NOW - SECOND, True),
        (JUST_NOW * 2, JUST_NOW * 2, False),
        (-SECOND, FORGOTTEN, True),
        (-DAY, FORGOTTEN + JUST_NOW, False),
        (DAY, DAY, False),
        (DAY, timedelta(), True),  # by a clock that was set back
    ],
)
def test_a_single_time_is_planned_if_it_was_published_for_it(
    published: timedelta, looked: timedelta, planned: bool
) -> None:
    """Found late it is made up for within a day; one that was past when it was published never comes."""
    assert bool(to_plan(scheduled({"at": "2026-04-01 12:00"}), NOW + published, NOW + looked)) is planned


def broadcast(**more: Any) -> Broadcast:
    """One that is under way."""
    return Broadcast(**{"id": FIRST, "campaign": "news", "due_at": NOW, "next_at": NOW, **more})


@given(rate=st.integers(1, 20_000), late=st.floats(0, 5))
def test_a_rate_holds_from_chunk_to_chunk(rate: int, late: float) -> None:
    """Full chunks, looked for a little late: over ten seconds never more than the rate and a chunk."""
    one, now, entered = broadcast(rate=rate), NOW, 0
    people = next_stretch(one, now).people
    assert people <= max(1, rate / 2)
    while now < NOW + 10 * SECOND:
        entered += people
        one = broadcast(rate=rate, next_at=next_at(one, people, now))
        now = max(one.next_at, now + late * SECOND / 100)
    assert entered <= rate * 10 + 2 * people + 1


@example(share=1.0, begun=2**127 - 2**73)  # a float would fall short of the last id
@given(share=st.floats(0, 1), begun=st.integers(0, 2**128 - 1))
def test_a_morning_is_spread_evenly_over_the_ids_that_are_left(share: float, begun: int) -> None:
    """From where it stood when quiet hours were over, to the end half an hour later."""
    one = broadcast(opened_at=NOW, opened_from=UUID(int=begun), cursor=UUID(int=begun))
    up_to = next_stretch(one, NOW + MORNING * share).up_to
    assert begun <= up_to.int <= LAST.int
    assert abs((up_to.int - begun) - (2**128 - begun) * share) <= 2**128 * 1e-6
    assert next_stretch(one, NOW + MORNING).up_to == LAST
    assert next_stretch(one, NOW).ids == CHUNK


def test_how_much_is_done_is_told_by_the_place_reached() -> None:
    """Ids are hashes."""
    assert (share_done(FIRST), share_done(LAST)) == (0, 1)
    assert share_done(UUID(int=2**127)) == pytest.approx(0.5)


def test_a_zone_is_the_campaigns_own() -> None:
    """Noon is noon there."""
    for zone in ZONES:
        found = next_occurrence(scheduled({"at": "2026-07-01 12:00"}, zone), NOW)
        assert found == datetime(2026, 7, 1, 12, tzinfo=ZoneInfo(zone))
