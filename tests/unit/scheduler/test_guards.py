"""Guards stand between what is due and the person: each no has its reason, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.random_campaigns import Known, campaigns, run_of, written
from tests.unit.scheduler.guarded import DAY, HOUR, NIGHT, NOON, RUNS, STEPS, ask, ask_all, local, run
from todoke_scheduler.domain.effects import AssignCoupon, LookAgain, Noted, Owed
from todoke_scheduler.domain.guards import PAUSE_LOOK, Guard, Sent, Standing
from todoke_scheduler.domain.stepping import advance
from todoke_scheduler.domain.verdicts import GO, Rest, Skip
from todoke_shared.campaigns.limits import Cap
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program

COUPON = AssignCoupon("spring", "0:spring")
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
    looks = sorted(v.until - NOON for v in ask_all(RUNS, NOON, paused=True) if isinstance(v, Rest))
    assert len(looks) == len(RUNS)
    assert looks[0] < PAUSE_LOOK * 1.02 and abs(looks[len(looks) // 2] / PAUSE_LOOK - 1.5) < 0.05
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
    own = [{"messages": 2, "within": "1d"}]
    assert ask(NOON, shop_caps=caps, sent=sent, caps=own, **TRANSACTIONAL) == GO


def test_what_was_sent_is_read_as_far_back_as_the_longest_cap_counts() -> None:
    """Of the campaign's and the shop's."""
    week = (Cap.model_validate({"messages": 9, "within": "7d"}),)
    campaign = written(STEPS, caps=[{"messages": 1, "within": "1d"}, {"messages": 3, "within": "3d"}])
    assert Standing(campaign).longest_cap() == 3 * DAY
    assert Standing(campaign, week).longest_cap() == Standing(written(STEPS), week).longest_cap() == 7 * DAY


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
