"""When a scheduled campaign is due: its occurrences, and which of them to plan.

| schedule | its occurrences |
|----------|-----------------|
| `{at: 2026-12-24 10:00}` | that local time, once |
| `{every: day, at: "10:00"}` | that time of every local day |
| `{every: friday, at: "10:00"}` | that time of every Friday |
| `{every: month, on: 31, at: "10:00"}` | that time of that day of every month, of its last day where it is shorter |

None before the campaign's `starts`, none from its `ends` on. Clocks that change: as `calendar` says.
"""

from datetime import datetime, timedelta

from todoke_scheduler.domain.calendar import LAST, at_local, next_day_of_month, next_time, next_weekday
from todoke_shared.campaigns.entering import Every, Once, Schedule
from todoke_shared.campaigns.model import Campaign

JUST_NOW = timedelta(minutes=1)
"""How far back an occurrence is planned that nobody had planned: a schedule is written to the minute."""
FORGOTTEN = timedelta(days=1)
"""A single occurrence that was published in time, and that nobody planned for so long, is over."""
_INSTANT = timedelta(microseconds=1)


def next_occurrence(campaign: Campaign, after: datetime) -> datetime | None:
    """The first occurrence after an instant; None when there is none, or the campaign has no schedule."""
    schedule = campaign.enter.schedule
    if schedule is None:
        return None
    if campaign.starts is not None:
        after = max(after, at_local(campaign.starts, campaign.tz) - _INSTANT)
    found = _next(schedule, campaign, after)
    if found is None or found >= LAST:
        return None
    if campaign.ends is not None and found >= at_local(campaign.ends, campaign.tz):
        return None
    return found


def is_occurrence(campaign: Campaign, instant: datetime) -> bool:
    """Whether the campaign, as it is in force now, is due then."""
    return next_occurrence(campaign, instant - _INSTANT) == instant


def to_plan(campaign: Campaign, published_at: datetime, now: datetime) -> list[datetime]:
    """The occurrences to have planned at `now`: the next one, and one that is due this minute.

    Of those that fell due while no scheduler ran only a single one (`at`) is made up for, if it was published before:
    what repeats comes again.
    """
    since = now
    if isinstance(campaign.enter.schedule, Once):
        since = max(min(published_at, now), now - FORGOTTEN)
    found = {next_occurrence(campaign, since - JUST_NOW), next_occurrence(campaign, now)}
    return sorted(instant for instant in found if instant is not None)


def _next(schedule: Schedule, campaign: Campaign, after: datetime) -> datetime | None:
    match schedule:
        case Once(at=at):
            instant = at_local(at, campaign.tz)
            return instant if instant > after else None
        case Every(every="day", at=time):
            return next_time(after, time, campaign.tz)
        case Every(every="month", at=time, on=int() | "last" as on):
            return next_day_of_month(after, on, time, campaign.tz)
        case Every(at=time, weekday=int() as weekday):
            return next_weekday(after, weekday, time, campaign.tz)
    raise TypeError(f"no occurrences are known of {schedule!r}")
