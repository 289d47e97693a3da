"""Guards stand between what is due and the person: each no has its reason, in words."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.random_campaigns import PERSON, Known, campaigns, run_of, written
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.effects import AssignCoupon, LookAgain, Noted, Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.guards import PAUSE_LOOK, Guard, Sent, Standing, quiet_until
from todoke_scheduler.domain.stepping import advance
from todoke_scheduler.domain.verdicts import GO, Hold, Rest, Skip, Verdict
from todoke_shared.campaigns.limits import Cap, QuietHours
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program

TOKYO = ZoneInfo("Asia/Tokyo")
STEPS = [{"send": "hello"}]
NOON = at_local(datetime.fromisoformat("2026-02-03 12:00"), TOKYO)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = QuietHours(start=time(21), end=time(9))
COUPON = AssignCoupon("spring", "0:spring")
RUNS = [uuid5(PERSON, str(number)) for number in range(2000)]


def local(text: str) -> datetime:
    """An instant by Tokyo's clocks."""
    return at_local(datetime.fromisoformat(text), TOKYO)


def owed(due: datetime) -> Owed:
    """A message due then."""
    return Owed("hello", "0:hello", due)


def run(id_: UUID = PERSON, **others: Any) -> Enrolment:
    """A run with other values."""
    return replace(run_of(), id=id_, **others)


def guard(now: datetime, who: Known | None = None, sent: tuple[Sent, ...] = (), **keys: Any) -> Guard:
    """The guard of a campaign with these keys; `shop_caps` and `paused` are the shop's, which is quiet at night."""
    shop_caps, paused, rate = keys.pop("shop_caps", ()), keys.pop("paused", False), keys.pop("rate", 1.0)
    standing = Standing(written(STEPS, **keys), shop_caps, paused, NIGHT, rate)
    return Guard(standing, who or Known(), now, sent)


def ask(due: datetime, now: datetime | None = None, *, of: Enrolment | None = None, **told: Any) -> Verdict:
    """What guards say of a message due then, now; without `now`, punctually."""
    return guard(now or due, **told)(owed(due), of or run())


def ask_all(ids: list[UUID], due: datetime, now: datetime | None = None, **told: Any) -> list[Verdict]:
    """What guards say of the message of each run."""
    decide = guard(now or due, **told)
    return [decide(owed(due), run(id_)) for id_ in ids]


TRANSACTIONAL: dict[str, Any] = {"class": "transactional"}


def test_what_is_due_by_day_to_a_friend_who_never_said_no_goes_out() -> None:
    """By default, marketing or not."""
    assert ask(NOON) == GO
    assert ask(local("2026-02-03 23:00"), **TRANSACTIONAL) == GO


def test_a_run_that_is_over_does_nothing() -> None:
    """Checked again when the message goes: an exit may have come since."""
    gone = run().ending(NOON, "exit")
    assert ask(NOON, of=gone) == Skip("the run is over: what ends the campaign happened")
    assert ask(NOON - HOUR, NOON - timedelta(seconds=1), of=gone) == GO
    assert ask(NOON, of=run(status="done")) == Skip("the run is over: its steps are done")


def test_the_holdout_gets_nothing_at_all() -> None:
    """No message, and no coupon or tag either, or the comparison would be of something else."""
    why = Skip("in the holdout group, which gets nothing and is compared")
    assert ask(NOON, of=run(holdout=True)) == why
    assert Guard(Standing(written(STEPS)), Known(), NOON)(COUPON, run(holdout=True)) == why


def test_a_paused_campaign_rests_and_its_steps_stay_due() -> None:
    """All of it; looked at again at times that are spread, and when it goes on, lateness tells what is to be done."""
    resting = ask(NOON, paused=True)
    assert isinstance(resting, Rest)
    assert NOON + PAUSE_LOOK <= resting.until <= NOON + 2 * PAUSE_LOOK
    assert isinstance(Guard(Standing(written(STEPS), is_paused=True), Known(), NOON)(COUPON, run()), Rest)
    program = Program.of(written([{"coupon": "spring"}, *STEPS]))
    standing = Standing(program.campaign, is_paused=True)
    start = run_of()
    for now in (start.due_at, start.due_at + DAY):
        after, effects = advance(start, program, Known(), now, Guard(standing, Known(), now))
        assert after == start
        assert [type(effect) for effect in effects] == [LookAgain]


def test_only_friends_are_written_to() -> None:
    """Others have no chat to write into; what is no message goes on."""
    assert ask(NOON, who=Known(friend=False), account="second") == Skip("not a friend of the account second")
    assert Guard(Standing(written(STEPS)), Known(friend=False, consent=False), NOON)(COUPON, run()) == GO


@pytest.mark.parametrize(
    ("keys", "said", "goes"),
    [
        ({}, None, True),
        ({}, True, True),
        ({}, False, False),
        ({"consent": "required"}, None, False),
        ({"consent": "required"}, True, True),
        ({"consent": "required"}, False, False),
        ({"consent": "none"}, False, True),
        ({"class": "transactional"}, False, True),
        ({"class": "transactional", "consent": "marketing"}, False, False),
    ],
)
def test_consent(keys: dict[str, Any], said: bool | None, goes: bool) -> None:
    """Marketing leaves out who said no; `required` writes only to who said yes; transactional asks nobody."""
    verdict = ask(NOON, who=Known(consent=said), **keys)
    assert isinstance(verdict, Skip) is not goes
    if not goes:
        no = "the person does not want marketing"
        expected = no if said is False else "the person has not agreed to marketing, and this campaign asks for it"
        assert verdict == Skip(expected)


def test_up_to_an_hour_late_is_in_time() -> None:
    """The default of `late.after`."""
    assert ask(NOON, NOON + HOUR) == GO
    assert isinstance(ask(NOON, NOON + HOUR + timedelta(seconds=1)), Hold)


@pytest.mark.parametrize(("lateness", "over"), [(2 * HOUR, HOUR), (timedelta(minutes=10), timedelta(minutes=10))])
def test_what_is_late_after_a_long_stop_is_spread(lateness: timedelta, over: timedelta) -> None:
    """Over as long as it is late, an hour at most; evenly; each run always at the same time."""
    now = NOON + lateness
    verdicts = ask_all(RUNS, NOON, now, late={"after": "5m"})
    waits = sorted(verdict.until - now for verdict in verdicts if isinstance(verdict, Hold))
    assert len(waits) == len(RUNS)
    assert timedelta(0) < waits[0] < over / 50 and over * 0.98 < waits[-1] <= over
    assert abs(waits[len(waits) // 2] / over - 0.5) < 0.05
    assert verdicts[:9] == ask_all(RUNS[:9], NOON, now, late={"after": "5m"})


def test_a_spread_step_is_not_late_again() -> None:
    """It was due when it was let go; seconds later than that are no lateness, even where `late.after` is nothing."""
    first = ask(NOON, NOON + 2 * HOUR, late={"after": "0s"})
    assert isinstance(first, Hold)
    assert ask(first.until, first.until + timedelta(seconds=59), late={"after": "0s"}) == GO


def test_a_late_step_can_be_left_out() -> None:
    """`late: {then: skip}`."""
    late = {"after": "1h", "then": "skip"}
    assert ask(NOON, NOON + 3 * HOUR, late=late) == Skip(
        "left out: 3h late, and the campaign does nothing more than 1h late"
    )
    assert ask(NOON, NOON + HOUR, late=late) == GO


@pytest.mark.parametrize(
    ("due", "quiet", "opens"),
    [
        ("2026-02-03 20:59", None, None),
        ("2026-02-03 21:00", None, "2026-02-04 09:00"),
        ("2026-02-04 03:00", None, "2026-02-04 09:00"),
        ("2026-02-04 08:59", None, "2026-02-04 09:00"),
        ("2026-02-04 09:00", None, None),
        ("2026-02-03 12:30", {"from": "12:00", "to": "13:00"}, "2026-02-03 13:00"),
        ("2026-02-03 11:59", {"from": "12:00", "to": "13:00"}, None),
        ("2026-02-03 13:00", {"from": "12:00", "to": "13:00"}, None),
        ("2026-02-03 23:00", "none", None),
    ],
)
def test_quiet_hours_hold_until_the_next_open_minute(due: str, quiet: Any, opens: str | None) -> None:
    """From their first minute until just before their last, over midnight or not."""
    verdict = ask(local(due), **({} if quiet is None else {"quiet_hours": quiet}))
    if opens is None:
        assert verdict == GO
    else:
        assert isinstance(verdict, Hold)
        assert local(opens) <= verdict.until < local(opens) + timedelta(minutes=30)
        assert verdict.why == f"quiet hours: held until {verdict.until.astimezone(TOKYO):%Y-%m-%d %H:%M:%S}"


def test_an_hour_that_clocks_show_twice_is_quiet_the_first_time() -> None:
    """In New York on November 1, 2026 clocks show 1:15 at 5:15 UTC and again an hour later."""
    quiet = QuietHours(start=time(22), end=time(1, 30))
    first = datetime(2026, 11, 1, 5, 15, tzinfo=UTC)
    assert quiet_until(quiet, first, ZoneInfo("America/New_York")) == first + timedelta(minutes=15)
    assert quiet_until(quiet, first + timedelta(hours=1), ZoneInfo("America/New_York")) is None


def test_the_morning_is_spread_and_not_all_at_9_00() -> None:
    """Evenly over half an hour; or, where it is open for less, over that."""
    night = local("2026-02-03 23:00")
    waits = sorted(v.until - local("2026-02-04 09:00") for v in ask_all(RUNS, night) if isinstance(v, Hold))
    assert len(waits) == len(RUNS)
    assert waits[0] < timedelta(minutes=1) and timedelta(minutes=29) < waits[-1] <= timedelta(minutes=30)
    short = {"from": "09:10", "to": "09:00"}
    verdicts = ask_all(RUNS, night, quiet_hours=short)
    assert all(isinstance(v, Hold) and v.until < local("2026-02-04 09:10") for v in verdicts)


def test_what_would_be_late_and_in_quiet_hours_is_held_once() -> None:
    """Due at 18:00, found at 20:59: spread, it would go out after 21:00."""
    verdicts = ask_all(RUNS[:50], local("2026-02-03 18:00"), local("2026-02-03 20:59"))
    assert all(isinstance(v, Hold) for v in verdicts)
    quiet = [v.until for v in verdicts if isinstance(v, Hold) and v.until >= local("2026-02-03 21:00")]
    assert quiet and all(until >= local("2026-02-04 09:00") for until in quiet)


def test_what_would_have_to_wait_until_it_is_of_no_use_is_left_out() -> None:
    """`expires: 1h`: not held for the night, and not spread beyond it."""
    night = local("2026-02-03 23:00")
    held = ask(night, expires="1d")
    assert isinstance(held, Hold)
    assert ask(night, expires=held.until - night) == held  # of use still at its last instant, as the dispatcher has it
    verdict = ask(night, expires="9h")
    assert isinstance(verdict, Skip) and verdict.why.startswith("left out: it could go out at 2026-02-04 09:")
    assert isinstance(ask(NOON, NOON + 5 * HOUR, expires="1h"), Skip)


def test_caps_of_the_campaign_count_its_own_messages() -> None:
    """Within their period; of other campaigns nothing."""
    caps = [{"messages": 2, "within": "1d"}, {"messages": 3, "within": "7d"}]
    own = [Sent("care", "marketing", NOON - ago) for ago in (HOUR, 2 * HOUR, 3 * DAY)]
    other = (Sent("other", "marketing", NOON), Sent("other", "transactional", NOON), Sent("other", "marketing", NOON))
    assert ask(NOON, caps=caps, sent=(own[0], *other)) == GO
    assert ask(NOON, caps=caps, sent=(own[0], own[1])) == Skip(
        "the campaign sends one person at most 2 messages within 1d"
    )
    assert ask(NOON, caps=caps, sent=(own[0], own[2])) == GO
    week = (own[0], own[2], Sent("care", "marketing", NOON - 6 * DAY))
    assert ask(NOON, caps=caps, sent=week) == Skip("the campaign sends one person at most 3 messages within 7d")
    assert ask(NOON, caps=caps[:1], sent=tuple(Sent("care", "marketing", NOON - DAY) for _ in range(5))) == GO


def test_caps_of_the_shop_count_all_marketing_and_no_transaction() -> None:
    """Over campaigns and accounts; a shipping notice neither counts nor is stopped."""
    caps = (Cap.model_validate({"messages": 1, "within": "1d"}),)
    sent = (Sent("other", "marketing", NOON - HOUR),)
    assert ask(NOON, shop_caps=caps, sent=sent) == Skip("the shop sends one person at most 1 message within 1d")
    assert ask(NOON, shop_caps=caps, sent=(Sent("other", "transactional", NOON - HOUR),)) == GO
    assert ask(NOON, shop_caps=caps, sent=sent, **TRANSACTIONAL) == GO


def test_two_messages_due_at_once_count_each_other() -> None:
    """One look at a run that was away for a day does not get around a cap."""
    campaign = written([{"send": "hello"}, {"wait": "1s"}, {"send": "again"}], caps=[{"messages": 1, "within": "1d"}])
    start = run_of()
    now = start.due_at + timedelta(minutes=5)
    over, effects = advance(start, Program.of(campaign), Known(), now, Guard(Standing(campaign), Known(), now))
    assert over.status == "done"
    assert [effect.message for effect in effects if isinstance(effect, Owed)] == ["hello"]
    assert [effect.step for effect in effects if isinstance(effect, Noted)] == ["steps[2]"]


def test_guards_are_asked_in_their_order() -> None:
    """The first no is the one that is told."""
    nobody, caps = Known(friend=False, consent=False), [{"messages": 1, "within": "1d"}]
    sent, night = (Sent("care", "marketing", NOON),), local("2026-02-03 23:00")
    late = {"after": "1h", "then": "skip"}
    told: dict[str, Any] = {"caps": caps, "sent": sent, "late": late, "paused": True, "who": nobody}
    over, held_out = run(status="done", holdout=True), run(holdout=True)
    said = [ask(NOON, night, of=over, **told), ask(NOON, night, of=held_out, **told), ask(NOON, night, **told)]
    told["paused"] = False
    said.append(ask(NOON, night, **told))
    told["who"] = Known(consent=False)
    said.append(ask(NOON, night, **told))
    told["who"] = Known()
    said += [ask(NOON, night, **told), ask(night, **told), ask(NOON, **told)]
    starts = ["the run is over", "in the holdout", "rest", "not a friend", "the person does not", "left out", "quiet"]
    whys = [getattr(verdict, "why", "rest") for verdict in said]
    assert [why[: len(start)] for why, start in zip(whys, [*starts, "the campaign sends"], strict=True)] == [
        *starts,
        "the campaign sends",
    ]


instants = st.integers(0, 10 * 24 * 60).map(lambda m: datetime(2026, 3, 6, tzinfo=UTC) + timedelta(minutes=m))


@settings(deadline=None)
@given(campaigns, st.lists(instants, max_size=6).map(sorted), st.sampled_from([None, "Asia/Tokyo", "America/New_York"]))
def test_guarded_runs_keep_quiet_hours_and_end(campaign: Campaign, looks: list[datetime], zone: str | None) -> None:
    """Nothing goes out between 21:00 and 09:00 local, nothing twice, and every run comes to its end."""
    campaign = campaign if zone is None else campaign.model_copy(update={"zone": zone})
    run, program, standing = run_of(), Program.of(campaign), Standing(campaign, shop_quiet_hours=NIGHT)
    found: list[tuple[datetime, Owed]] = []
    for look in [*looks, None, None, *([None] * 400)]:
        if run.status != "active":
            break
        now = max(run.due_at, looks[-1] if looks else run.due_at) if look is None else look
        run, effects = advance(run, program, Known(), now, Guard(standing, Known(), now))
        found += [(now, effect) for effect in effects if isinstance(effect, Owed)]
    assert run.status == "done"
    assert all(9 <= now.astimezone(campaign.tz).hour < 21 for now, _ in found)
    assert all(effect.due_at <= now for now, effect in found)
    steps = [effect.step for _, effect in found]
    assert len(steps) == len(set(steps))


def test_a_step_that_was_held_for_lateness_is_not_held_for_it_again() -> None:
    """The machine is slow, or time runs fast: found long after it was let go, it goes."""
    campaign = written([{"send": "hello"}], quiet_hours="none")
    start, standing = run_of(), Standing(campaign)
    now = start.due_at + 3 * HOUR
    held, _ = advance(start, Program.of(campaign), Known(), now, Guard(standing, Known(), now))
    assert (held.status, held.due_at > now) == ("active", True)
    much_later = held.due_at + 3 * HOUR
    over, effects = advance(held, Program.of(campaign), Known(), much_later, Guard(standing, Known(), much_later))
    assert over.status == "done"
    assert [effect.message for effect in effects if isinstance(effect, Owed)] == ["hello"]


def test_under_a_simulated_clock_lateness_is_the_machines() -> None:
    """Three hours of the shop are half a minute of a machine when time runs 360 times as fast: nothing is late."""
    assert isinstance(ask(NOON, NOON + 3 * HOUR), Hold)
    assert ask(NOON, NOON + 3 * HOUR, rate=360.0) == GO
