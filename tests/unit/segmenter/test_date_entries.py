"""Campaigns that people enter by a date of theirs: to the minute, every year, by the campaign's own calendar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.segmenter.happenings import PERSON
from tests.unit.segmenter.segment_stories import Person, published
from todoke_segmenter.domain.happening import Happening, from_ec_event
from todoke_segmenter.domain.segments import Change, DateEntry, SegmentRules, is_hidden
from todoke_segmenter.domain.state import fold
from todoke_segmenter.domain.triggers import TriggerRules
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.triggers import MadeTrigger
from todoke_shared.ids import date_key, trigger_id
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import Moment
from todoke_shared.people.conditions.dates import birthday_in
from todoke_shared.people.registers import Register
from todoke_shared.segments.model import Segment

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def tokyo(text: str) -> datetime:
    """A local time of Japan."""
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO)


def campaign(of_date: str = "birthday", at: str = "10:00", *, name: str = "care", **more: Any) -> Campaign:
    """A campaign of which only the door matters; `more` stands in it, and below `enter` what belongs there."""
    enter = {key: more.pop(key) for key in ("offset", "again", "when") if key in more}
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "enter": {"date": of_date, "at": at, **enter},
            "steps": [{"send": "hello"}],
            "messages": {"hello": [{"type": "text", "text": "おめでとうございます"}]},
            **more,
        }
    )


def entry_of(found: Campaign) -> DateEntry:
    """What it asks for."""
    entry = DateEntry.of(found)
    assert entry is not None
    return entry


def told(at: datetime, history: bool = False, **profile: Any) -> Happening:
    """The shop tells what it knows of the person."""
    happening = from_ec_event(
        EcEvent(
            specversion="1.0",
            id=f"{at}{profile}",
            source="shop",
            type="customer.updated",
            time=at,
            subject="customer:1",
            data=profile,
            history=history,
        )
    )
    assert happening is not None
    return happening


class Story:
    """A person and one campaign: every trigger that anything brings about."""

    def __init__(self, found: Campaign) -> None:
        self.rules = TriggerRules([found])
        self.person = Person(SegmentRules(dates=[(entry_of(found), 1)]), PERSON)
        self.triggers: list[MadeTrigger] = []

    def tell(self, now: datetime, **profile: Any) -> None:
        """The shop tells it at once."""
        self.hear(told(now, **profile), now)

    def hear(self, happening: Happening, now: datetime) -> None:
        """It is heard at `now`."""
        self._changed(self.person.hear(happening, now))

    def wait_until(self, instant: datetime) -> None:
        """The clock looks whenever it has to."""
        while (due := self.person.membership.next_check_at) is not None and due <= instant:
            self._changed(self.person.wait_until(due))

    @property
    def entries(self) -> list[tuple[datetime, str]]:
        """When, and as which run."""
        assert all(trigger.kind == "enter" for trigger in self.triggers)
        return [(trigger.at, trigger.key) for trigger in self.triggers]

    def _changed(self, changes: list[Change]) -> None:
        for change in changes:
            self.triggers += self.rules.decide_change(change, PERSON, "main", self.person.state)


def test_a_birthday_comes_every_year_at_the_campaigns_time() -> None:
    """Seven days before, at ten; each year is a run of its own; February 29 is March 1 in common years."""
    story = Story(campaign(offset="-7d"))
    story.tell(tokyo("2026-04-01T12:00"), birthday="1992-02-29")
    story.wait_until(tokyo("2029-01-01T00:00"))
    assert story.entries == [
        (tokyo("2027-02-22T10:00"), "2027-03-01"),
        (tokyo("2028-02-22T10:00"), "2028-02-29"),
    ]


def test_any_other_date_comes_once() -> None:
    """So many days after it, in the campaign's zone."""
    story = Story(campaign("date.contract", "08:30", offset="3d", zone="Europe/Paris"))
    story.tell(tokyo("2026-04-01T12:00"), contract="2026-05-01")
    story.wait_until(tokyo("2030-01-01T00:00"))
    paris = datetime(2026, 5, 4, 8, 30, tzinfo=ZoneInfo("Europe/Paris"))
    assert story.entries == [(paris, "2026-05-01")]


def test_an_entry_says_which_date_has_come() -> None:
    """To messages and to filters; by an id that whoever sees it come gives it."""
    care = campaign("date.contract", when={"tags": {"has": "vip"}})
    story = Story(care)
    story.tell(tokyo("2026-04-01T12:00"), contract="2026-05-01", tags=["vip"])
    story.wait_until(tokyo("2026-05-02T00:00"))
    [entry] = story.triggers
    assert entry.context == {"event": {"date": "2026-05-01"}, "cart": []}
    key = date_key("care", date(2026, 5, 1))
    assert (entry.cause.type, entry.cause.key) == ("date.contract", key)
    assert entry.id == trigger_id(key, "care", "enter", PERSON)
    assert story.rules.decide_change(story.person.told[0], PERSON, "main", PersonState()) == []
    plain = fold(PersonState(), told(tokyo("2026-04-01T12:00"), contract="2026-05-01"))
    assert story.rules.decide_change(story.person.told[0], PERSON, "main", plain) == []  # no vip


@pytest.mark.parametrize(
    ("again", "keys"),
    [
        ("always", ["2027-05-01", "2028-05-01"]),
        ("never", ["", ""]),
        ("restart", ["", ""]),
        ({"after": "30d"}, ["", ""]),
    ],
)
def test_runs_of_different_years_are_kept_apart_unless_entries_are_counted(again: Any, keys: list[str]) -> None:
    """`never`, `restart` and `after` look at the entries before, which are then all of one key."""
    story = Story(campaign(again=again))
    story.tell(tokyo("2026-06-01T12:00"), birthday="1990-05-01")
    story.wait_until(tokyo("2028-12-31T00:00"))
    assert [key for _, key in story.entries] == keys


def test_a_date_told_late_on_the_day_brings_in_at_once() -> None:
    """And one told before the time of day, at that time."""
    late = Story(campaign())
    late.tell(tokyo("2026-05-01T15:00"), birthday="1990-05-01")
    assert late.entries == [(tokyo("2026-05-01T15:00"), "2026-05-01")]
    late.tell(tokyo("2026-05-01T16:00"), birthday="1990-05-01", gender="f")
    late.wait_until(tokyo("2026-12-31T00:00"))
    early = Story(campaign())
    early.tell(tokyo("2026-05-01T09:00"), birthday="1990-05-01")
    assert early.entries == []
    early.wait_until(tokyo("2026-12-31T00:00"))
    assert early.entries == [(tokyo("2026-05-01T10:00"), "2026-05-01")]
    assert len(late.entries) == 1


def test_what_was_told_earlier_and_is_heard_late_brings_in_as_of_the_campaigns_time() -> None:
    """Nobody enters before the time of day, whenever the shop has learnt of the date."""
    story = Story(campaign())
    story.hear(told(tokyo("2026-04-29T20:00"), birthday="1990-05-01"), tokyo("2026-05-01T15:00"))
    assert story.entries == [(tokyo("2026-05-01T10:00"), "2026-05-01")]


def test_a_date_that_is_changed_before_its_time_brings_in_nobody() -> None:
    """The new one does, when it comes; an hour before ten is early enough."""
    story = Story(campaign("date.contract"))
    story.tell(tokyo("2026-04-01T12:00"), contract="2026-05-01")
    story.wait_until(tokyo("2026-05-01T09:00"))
    story.tell(tokyo("2026-05-01T09:00"), contract="2026-05-20")
    story.wait_until(tokyo("2026-06-30T00:00"))
    assert story.entries == [(tokyo("2026-05-20T10:00"), "2026-05-20")]


def test_a_date_told_again_is_the_same_entry() -> None:
    """Taken back and put right within the day: two triggers of one id, and so one entry."""
    story = Story(campaign("date.contract"))
    story.tell(tokyo("2026-04-01T12:00"), contract="2026-05-01")
    story.wait_until(tokyo("2026-05-01T12:00"))
    story.tell(tokyo("2026-05-01T12:00"), contract=None)
    story.tell(tokyo("2026-05-01T12:01"), contract="2026-05-01")
    assert len(story.triggers) == 2
    assert len({trigger.id for trigger in story.triggers}) == 1


def test_an_import_starts_nothing_by_itself() -> None:
    """History; but the date that it told comes like any other."""
    story = Story(campaign())
    story.hear(told(tokyo("2026-04-30T12:00"), history=True, birthday="1990-05-01"), tokyo("2026-05-01T15:00"))
    assert story.entries == []
    story.wait_until(tokyo("2027-12-31T00:00"))
    assert story.entries == [(tokyo("2027-05-01T10:00"), "2027-05-01")]


def test_while_another_tool_speaks_no_date_starts_anything() -> None:
    """As with segments."""
    rules = TriggerRules([campaign()])
    state = fold(PersonState(), told(LONG_AGO, birthday="1990-05-01"))
    change = Change("campaign:care", entered=True, at=tokyo("2026-05-01T10:00"), cause=PERSON, by_clock=False)
    assert rules.decide_change(change, PERSON, "main", state, may_start=False) == []
    assert len(rules.decide_change(change, PERSON, "main", state)) == 1


@pytest.mark.parametrize("value", [None, "soon", "2026-02-30", 20260501, ["2026-05-01"], "9999-12-31", "0001-01-01"])
def test_what_is_no_date_or_far_away_brings_in_nobody(value: Any) -> None:
    """Shops write what they like."""
    story = Story(campaign("date.contract", offset="-3650d"))
    story.tell(tokyo("2026-04-01T12:00"), contract=value)
    assert story.person.membership.next_check_at is None or value == "9999-12-31"
    story.wait_until(tokyo("2199-12-31T00:00"))
    assert story.entries == []


def test_a_date_at_the_end_of_the_calendar_is_nobodys_day() -> None:
    """Some shops write "for ever" so: what cannot be counted from it is not."""
    for value, offset in (("9999-12-31", "3650d"), ("0001-01-01", "-3650d")):
        story = Story(campaign("date.contract", offset=offset))
        story.tell(tokyo("2026-04-01T12:00"), contract=value)
        assert story.person.membership.next_check_at is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [("02:30", "2026-03-08T03:00-07:00"), ("01:30", "2026-03-08T01:30-08:00"), ("23:59", "2026-03-08T23:59-07:00")],
)
def test_a_time_that_summer_time_leaves_out_is_the_first_after_the_gap(at: str, expected: str) -> None:
    """As everywhere in a campaign."""
    story = Story(campaign("date.contract", at, zone="America/Los_Angeles"))
    story.tell(tokyo("2026-03-01T12:00"), contract="2026-03-08")
    story.wait_until(tokyo("2026-04-01T00:00"))
    assert [instant for instant, _ in story.entries] == [datetime.fromisoformat(expected)]


def test_the_segment_is_nobodys_and_hides_no_other() -> None:
    """Its name is one that no shop can give; a segment's own rules stand beside it."""
    entry = entry_of(campaign())
    assert (entry.segment, is_hidden(entry.segment), is_hidden("campaign-care")) == ("campaign:care", True, False)
    with pytest.raises(ValueError, match="pattern"):
        Segment(segment=entry.segment, when={"friend": True})
    rules = SegmentRules(published([Segment(segment="friends", when={"friend": True})]), dates=[(entry, 7)])
    assert (rules.revision, set(rules.conditions), len(rules.all)) == (7, {"friends"}, 2)
    assert {rule.segment for rule in rules.by_clock} == {"campaign:care"}
    assert DateEntry.from_document(entry.to_document()) == entry


def test_no_other_way_in_makes_a_segment() -> None:
    """Events, schedules and calls know no date."""
    for enter in ({"on": "order.placed"}, {"on": "call"}, {"schedule": {"every": "day", "at": "10:00"}}):
        document = campaign().to_document() | {"enter": enter}
        assert DateEntry.of(Campaign.model_validate(document)) is None


ZONES = st.sampled_from(["Asia/Tokyo", "America/Los_Angeles", "Pacific/Apia", "Europe/London", "Australia/Lord_Howe"])
TIMES = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.sampled_from([0, 30, 59]))
DATES = st.dates(date(1996, 1, 1), date(2030, 12, 31)) | st.sampled_from([date(1996, 2, 29), date(2026, 3, 8)])
INSTANTS = st.integers(0, 4 * 366 * 86_400).map(lambda second: datetime(2025, 1, 1, tzinfo=UTC) + second * SECOND)
ENTRIES = st.builds(
    lambda of_date, offset, at, zone: entry_of(campaign(of_date, at, offset=offset, zone=zone)),
    st.sampled_from(["birthday", "date.contract"]),
    st.integers(-400, 400),
    TIMES,
    ZONES,
)


def by_the_calendar(entry: DateEntry, known: date, now: datetime) -> bool:
    """Whether the person is in, by looking at a wall calendar and a clock."""
    local = now.astimezone(ZoneInfo(entry.zone))
    wanted = local.date() - entry.offset_days * DAY
    is_day = birthday_in(known, wanted.year) == wanted if entry.of_date == "birthday" else known == wanted
    return is_day and local.time() >= entry.at


@given(ENTRIES, DATES, INSTANTS)
def test_the_clock_looks_when_the_answer_changes_and_not_after(entry: DateEntry, known: date, now: datetime) -> None:
    """Between an instant and the next change the answer stays; just before and at the change it is what the calendar
    on the wall says."""
    assume(not now.astimezone(ZoneInfo(entry.zone)).fold)  # a clock that shows an hour again is no oracle
    state = PersonState(profile={entry.attribute: Register(LONG_AGO, known.isoformat())})
    answer = entry.holds(state, Moment.at(now, TOKYO))
    assert answer is by_the_calendar(entry, known, now)
    change = entry.next_change(state, Moment.at(now, TOKYO))
    if change is None:
        assert entry.of_date == "date.contract"
        assert known + entry.offset_days * DAY <= now.date() + DAY
        return
    assert change > now
    assert entry.holds(state, Moment.at(change, TOKYO)) is by_the_calendar(entry, known, change) is not answer
    for share in (0.0, 0.3, 0.7):
        between = now + (change - now) * share
        assert entry.holds(state, Moment.at(between, TOKYO)) is answer
    assert entry.holds(state, Moment.at(max(now, change - MINUTE), TOKYO)) is answer


@given(st.integers(-400, 400), DATES, INSTANTS)
def test_a_birthday_is_entered_once_a_year(offset: int, known: date, start: datetime) -> None:
    """Five years of nothing but time: five entries, each a different year's."""
    story = Story(campaign(offset=offset))
    story.tell(start, birthday=known.isoformat())
    story.wait_until(start + 5 * 366 * DAY)
    years = [key[:4] for _, key in story.entries]
    assert len(years) in (5, 6)
    assert years == sorted(set(years))
