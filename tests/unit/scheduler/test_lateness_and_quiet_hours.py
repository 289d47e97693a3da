"""What is late is spread or left out, what is due at night waits for the morning, and neither comes in a rush."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.random_campaigns import Known, run_of, written
from tests.unit.scheduler.guarded import HOUR, NOON, RUNS, TOKYO, ask, ask_all, local
from todoke_scheduler.domain import guards
from todoke_scheduler.domain.effects import Owed
from todoke_scheduler.domain.guards import Guard, Standing, quiet_until
from todoke_scheduler.domain.stepping import advance
from todoke_scheduler.domain.verdicts import GO, Hold, Skip
from todoke_shared.campaigns.limits import QuietHours
from todoke_shared.campaigns.program import Program


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


def test_whose_share_of_a_spread_is_nothing_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held until now it would be asked for ever."""
    monkeypatch.setattr(guards, "spread", lambda *_: timedelta())
    assert ask(NOON, NOON + 2 * HOUR) == GO


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


def test_the_next_step_of_a_run_that_was_held_for_lateness_is_held_for_its_own() -> None:
    """Each stop spreads what it made late: not the first step of a run alone."""
    campaign = written([{"send": "hello"}, {"wait": "1s"}, {"send": "again"}], quiet_hours="none")
    program, standing, stands = Program.of(campaign), Standing(campaign), run_of()
    sent: list[str] = []
    for _ in range(2):
        now = stands.due_at + 3 * HOUR
        stands, effects = advance(stands, program, Known(), now, Guard(standing, Known(), now))
        sent += [effect.message for effect in effects if isinstance(effect, Owed)]
        assert stands.status == "active" and stands.due_at > now
    assert sent == ["hello"]


def test_under_a_simulated_clock_lateness_is_the_machines() -> None:
    """Three hours of the shop are half a minute of a machine when time runs 360 times as fast: nothing is late."""
    assert isinstance(ask(NOON, NOON + 3 * HOUR), Hold)
    assert ask(NOON, NOON + 3 * HOUR, rate=360.0) == GO
