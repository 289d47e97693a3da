"""The whole campaign language: what each word comes to, and that a published campaign reads the same for ever."""

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.shared.campaign_files import WHOLE, campaign_of, document_of, read
from todoke_shared.campaigns.entering import AgainAfter, Enter, Every, Goal, Once, PerField
from todoke_shared.campaigns.limits import Budget, Cap, Late, QuietHours
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.campaigns.steps import (
    Ask,
    Coupon,
    Emit,
    If,
    RichMenu,
    Send,
    Set,
    Split,
    Stop,
    Tag,
    Wait,
    walk,
)
from todoke_shared.campaigns.waits import OnDate, OnDay, UntilTime, UntilWeekday
from todoke_shared.conditions import Compare

ROOT = Path(__file__).parents[3]
LIBRARIES = [ROOT / "campaigns", ROOT / "docs" / "campaign-library"]

SHOPS = QuietHours(start=time(21), end=time(9))
"""What the shop keeps quiet."""
BEFORE = {
    "campaign": "cart-abandonment",
    "name": "カートのお忘れもの",
    "class": "marketing",
    "account": "main",
    "enter": {"on": ["cart.changed"], "when": {"cart.items": {"at_least": 1}}, "per": "person", "again": "restart"},
    "exit": [{"on": ["order.placed"]}, {"on": ["cart.changed"], "when": {"cart.items": 0}}],
    "steps": [{"wait": "1h"}, {"send": "first"}, {"wait": "1d"}, {"send": "first"}],
    "expires": "1h",
    "messages": {"first": [{"type": "text", "text": "カート"}]},
}
"""As the first release published it."""


def entering(**enter: Any) -> Enter:
    """How people come into a campaign whose `enter` says this."""
    return campaign_of(enter=enter).enter


def waiting(wait: Any) -> Any:
    """What a step waits for."""
    step = campaign_of(steps=[{"wait": wait}, {"emit": "custom.a"}]).steps[0]
    assert isinstance(step, Wait)
    return step.wait


def test_the_campaign_says_who_when_and_what_for() -> None:
    """Every key beside the steps, as the value that the engine reads."""
    campaign = Campaign.model_validate(read(WHOLE))
    assert (campaign.campaign, campaign.lane, campaign.account) == ("trial-care", "marketing", "shop")
    assert (campaign.zone, campaign.tz.key) == ("America/New_York", "America/New_York")
    assert (campaign.starts, campaign.ends) == (datetime(2026, 12, 1, 10), datetime(2026, 12, 31, 23, 59))  # noqa: DTZ001
    assert campaign.goal == (
        Goal(on=("order.placed",), when={"event.amount": {"at_least": 1000}}, within=timedelta(days=14), ends=False),
        Goal(on=("review.posted",), within=timedelta(days=30), ends=True),
    )
    assert (campaign.holdout, campaign.consent, campaign.running) == (10, "required", "move")
    assert campaign.quiet_hours == QuietHours(start=time(22), end=time(8))
    assert campaign.caps == (Cap(messages=1, within=timedelta(days=1)), Cap(messages=3, within=timedelta(days=30)))
    assert campaign.budget == Budget(messages=5000, yen=10000)
    assert (campaign.late, campaign.expires) == (Late(after=timedelta(hours=2), then="skip"), timedelta(days=1))


def test_each_step_is_what_it_says() -> None:
    """In the order of the file, nested ones at their places."""
    campaign = Campaign.model_validate(read(WHOLE))
    first = Send(send="first")
    assert list(walk(campaign.steps)) == [
        (("steps", 0), Wait(wait=timedelta(hours=1))),
        (("steps", 1), Send(send="first", when={"orders.ever": False})),
        (
            ("steps", 2),
            Ask(ask="skin-type", message="question", answers=("乾燥肌", "脂性肌"), within=timedelta(days=2)),
        ),
        (
            ("steps", 3),
            If(when={"points": {"at_least": 500}}, then=(first,), otherwise=(Coupon(coupon="spring-2026"),)),
        ),
        (("steps", 3, "then", 0), first),
        (("steps", 3, "else", 0), Coupon(coupon="spring-2026")),
        (("steps", 4), Split(shares={"a": 90, "b": 10}, name="subject", branches={"a": (first,), "b": ()})),
        (("steps", 4, "a", 0), first),
        (("steps", 5), Tag(tag="vip", on=True)),
        (("steps", 6), Tag(tag="new", on=False)),
        (("steps", 7), Set(values={"favourite": "tea", "cups": 3, "loves": ["tea"], "member": True})),
        (("steps", 8), RichMenu(menu="member")),
        (("steps", 9), RichMenu(menu=None)),
        (("steps", 10), Emit(type="custom.care-finished", data={"score": 1})),
        (("steps", 11), Stop(stop=True)),
    ]
    step = campaign.steps[1]
    assert isinstance(step, Send)
    assert step.condition == Compare("orders.ever", "is", False)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ({"until": "20:00"}, UntilTime(time=time(20))),
        ({"until": "friday 12:30"}, UntilWeekday(weekday=4, time=time(12, 30))),
        ({"until": "monday 9:00"}, UntilWeekday(weekday=0, time=time(9))),
        ({"days": 3, "at": "20:00"}, OnDay(days=3, at=time(20))),
        (
            {"date": "event.reserved_at", "offset": "-2d", "at": "18:00"},
            OnDate(date="event.reserved_at", offset_days=-2, at=time(18)),
        ),
        ({"date": "birthday", "at": "00:00"}, OnDate(date="birthday", offset_days=0, at=time(0))),
        ({"date": "date.contract", "offset": "30d"}, OnDate(date="date.contract", offset_days=30, at=None)),
    ],
)
def test_a_wait_is_a_time_to_let_pass_or_to_come_to(written: Any, meant: object) -> None:
    """Each form, and back into what is published."""
    assert waiting(written) == meant
    assert waiting(document_of(waiting(written))) == meant


@pytest.mark.parametrize(
    ("enter", "kind"),
    [
        ({"on": "order.placed"}, "event"),
        ({"on": ["order.placed", "custom.x"]}, "event"),
        ({"on": "call"}, "call"),
        ({"date": "birthday", "offset": "-7d", "at": "10:00"}, "date"),
        ({"schedule": {"at": "2026-12-24 10:00"}}, "schedule"),
        ({"schedule": {"every": "friday", "at": "12:00"}, "rate": 200}, "schedule"),
    ],
)
def test_people_come_in_by_one_of_four_ways(enter: dict[str, Any], kind: str) -> None:
    """An event, a date, a schedule, a call of another system."""
    assert entering(**enter).kind == kind


def test_only_events_have_types() -> None:
    """What the segmenter listens for: a call, a date and a schedule are none of its business."""
    assert entering(on="cart.changed").event_types == {"cart.updated", "cart.item_added", "cart.item_removed"}
    assert entering(on="call").event_types == frozenset()
    assert entering(date="birthday", at="10:00").event_types == frozenset()


def test_who_says_each_year_or_each_friday_wants_them_all() -> None:
    """`again` is `never` for events and calls, and `always` for what repeats by itself, unless it is said."""
    assert entering(on="order.placed").again == entering(on="call").again == "never"
    assert entering(date="birthday", at="10:00").again == "always"
    assert entering(schedule={"every": "day", "at": "10:00"}).again == "always"
    assert entering(date="birthday", at="10:00", again="never").again == "never"
    assert entering(on="order.placed", again={"after": "30d"}).again == AgainAfter(after=timedelta(days=30))
    assert entering(on="reservation.booked", per={"field": "reservation_id"}).per == PerField(field="reservation_id")


@pytest.mark.parametrize(
    ("schedule", "meant", "weekday"),
    [
        ({"every": "day", "at": "12:00"}, Every(every="day", at=time(12)), None),
        ({"every": "sunday", "at": "9:00"}, Every(every="sunday", at=time(9)), 6),
        ({"every": "month", "on": 31, "at": "9:00"}, Every(every="month", at=time(9), on=31), None),
        ({"every": "month", "on": "last", "at": "9:00"}, Every(every="month", at=time(9), on="last"), None),
    ],
)
def test_a_schedule_repeats_by_day_weekday_or_month(
    schedule: dict[str, Any], meant: Every, weekday: int | None
) -> None:
    """Monday is 0, as Python has it."""
    told = entering(schedule=schedule).schedule
    assert isinstance(told, Every)
    assert (told, told.weekday) == (meant, weekday)


def test_a_schedule_can_be_once() -> None:
    """A broadcast, at a local time; with seconds, YAML makes an instant of it, which is the same."""
    for at in ("2026-12-24 10:00", "2026-12-24T10:00", datetime(2026, 12, 24, 10)):  # noqa: DTZ001
        assert entering(schedule={"at": at}).schedule == Once(at=datetime(2026, 12, 24, 10))  # noqa: DTZ001


def test_a_keyword_is_heard_however_it_is_typed() -> None:
    """Width, case and blanks do not count; more or fewer words do."""
    enter = entering(on="line.message", keyword=["クーポン", "Sale"])
    assert [text for text in ("ｸｰﾎﾟﾝ", " クーポン\n", "ＳＡＬＥ", "sale") if not enter.hears(text)] == []
    assert [text for text in ("クーポンください", "", "クーポ") if enter.hears(text)] == []
    assert entering(on="line.message").hears("anything")


@pytest.mark.parametrize(
    ("told", "quiet", "consent"),
    [
        ({"class": "marketing"}, SHOPS, "marketing"),
        ({"class": "transactional"}, None, "none"),
        ({"class": "marketing", "quiet_hours": "none", "consent": "none"}, None, "none"),
        (
            {"class": "transactional", "quiet_hours": {"from": "23:00", "to": "06:00"}, "consent": "required"},
            QuietHours(start=time(23), end=time(6)),
            "required",
        ),
    ],
)
def test_the_class_says_what_is_not_said(told: dict[str, Any], quiet: QuietHours | None, consent: str) -> None:
    """Marketing is quiet when its shop is and asks for consent; transactional messages do neither; both may say."""
    campaign = campaign_of(**told)
    assert (campaign.quiet_hours_in(SHOPS), campaign.consent) == (quiet, consent)
    again = Campaign.model_validate(campaign.to_document())
    assert (again.quiet_hours_in(SHOPS), again.consent) == (quiet, consent)


def test_what_was_published_before_still_loads_and_is_no_new_version() -> None:
    """Of a campaign that uses nothing new, nothing new is written: publishing its file again changes nothing."""
    campaign = Campaign.model_validate(BEFORE)
    assert campaign.to_document() == BEFORE
    assert campaign.steps[0] == Wait(wait=timedelta(hours=1))


def test_a_published_campaign_reads_the_same() -> None:
    """JSON there and back: the whole language, the shipped campaigns and those to come."""
    campaigns = [campaign for folder in LIBRARIES for campaign in load_campaigns(folder)]
    whole = Campaign.model_validate(read(WHOLE))
    assert len(campaigns) >= 13
    for campaign in (whole, *campaigns):
        document = campaign.to_document()
        again = Campaign.model_validate(document)
        assert again == campaign
        assert again.to_document() == document
