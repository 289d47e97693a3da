"""Where a month will end, what it costs, and when somebody is told; what LINE says of it."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_dispatcher.domain.forecast import Broadcast, daily_messages, forecast, passed, yen
from todoke_dispatcher.domain.line_month import LineMonth, ask_next, may_ask, read_line_month
from todoke_dispatcher.domain.quota import day_of
from todoke_dispatcher.domain.verdict import Answer

NOON = datetime(2026, 11, 21, 3, tzinfo=UTC)
"""The 21st of 30 days: nine whole days are left."""
TODAY = day_of(NOON)
WEEK = {TODAY - timedelta(days=back): 100 for back in range(1, 8)}
BROADCASTS = st.builds(
    Broadcast,
    due_at=st.integers(-150, 700).map(lambda hours: NOON + timedelta(hours=hours)),
    left=st.integers(0, 500),
    messages=st.integers(0, 500),
    every=st.sampled_from([None, "day", "friday", "month"]),
)
DAYS = st.dictionaries(st.sampled_from([TODAY - timedelta(days=back) for back in range(12)]), st.integers(-50, 500))


def test_an_even_month_goes_on_as_it_was() -> None:
    """2,000 by the morning of the 21st, a hundred a day: today and nine days more are a thousand."""
    assert forecast(2000, WEEK, 0, [], NOON) == 3000
    assert forecast(2000, {**WEEK, TODAY: 60}, 0, [], NOON) == 2940
    assert forecast(2000, {**WEEK, TODAY: 260}, 7, [], NOON) == 2907


def test_one_large_day_is_not_every_day() -> None:
    """A broadcast of last Friday does not come back by itself."""
    assert daily_messages({**WEEK, TODAY - timedelta(days=2): 12_000}, TODAY) == 100


def test_days_before_the_first_message_are_unknown() -> None:
    """An account that began three days ago has three days; one with a pause has days of none."""
    started = TODAY - timedelta(days=3)
    assert daily_messages({started + timedelta(days=number): 30 for number in range(3)}, TODAY) == 30
    assert daily_messages({TODAY - timedelta(days=7): 30, TODAY - timedelta(days=1): 30}, TODAY) == 0
    assert daily_messages({TODAY: 30}, TODAY) == 0
    assert daily_messages({TODAY - timedelta(days=1): -5}, TODAY) == 0


@pytest.mark.parametrize(
    ("every", "due", "expected"),
    [
        (None, datetime(2026, 11, 27, 3, tzinfo=UTC), 40),
        (None, datetime(2026, 11, 30, 14, 59, tzinfo=UTC), 40),
        (None, datetime(2026, 11, 30, 15, tzinfo=UTC), 0),
        ("month", datetime(2026, 11, 27, 3, tzinfo=UTC), 40),
        ("friday", datetime(2026, 11, 27, 3, tzinfo=UTC), 40),
        ("sunday", datetime(2026, 11, 22, 3, tzinfo=UTC), 40 + 100),
        ("saturday", datetime(2026, 11, 21, 2, tzinfo=UTC), 40 + 100),
        ("day", datetime(2026, 11, 22, 3, tzinfo=UTC), 0),
    ],
)
def test_broadcasts_are_counted_by_their_plan(every: str | None, due: datetime, expected: int) -> None:
    """What is left of the next one, and each further week; a daily one is in the median already."""
    assert forecast(0, {}, 0, [Broadcast(due, 40, 100, every)], NOON) == expected


@given(st.integers(0, 5000), DAYS, st.integers(0, 500), st.lists(BROADCASTS, max_size=4), st.integers(0, 20))
def test_a_forecast_is_never_below_what_is_used_and_waits(
    used: int, days: dict[date, int], waiting: int, broadcasts: list[Broadcast], later: int
) -> None:
    """More planned, or more used, never means less; on the last evening it is what it is."""
    whole = forecast(used, days, waiting, broadcasts, NOON)
    assert whole >= forecast(used, days, waiting, broadcasts[1:], NOON) >= used + waiting
    assert forecast(used + later, days, waiting, broadcasts, NOON) == whole + later
    evening = datetime(2026, 11, 30, 14, 59, tzinfo=UTC)
    assert forecast(used, {day_of(evening): 10_000}, waiting, [], evening) == used + waiting


def test_a_price_counts_from_where_the_plans_fee_ends() -> None:
    """30,000 are covered; without a price nobody says a number."""
    assert yen(30_500, included=30_000, price=Decimal("2.8")) == Decimal(1400)
    assert yen(100, included=30_000, price=Decimal(3)) == 0
    assert yen(100, included=0, price=None) is None


@pytest.mark.parametrize(
    ("used", "limit", "told", "news"),
    [
        (69, 100, 0, ()),
        (70, 100, 0, (70,)),
        (95, 100, 0, (70, 90)),
        (95, 100, 70, (90,)),
        (95, 100, 90, ()),
        (130, 100, 90, (100,)),
        (100, 100, 100, ()),
        (5, None, 0, ()),
        (0, 0, 0, ()),
        (699, 1000, 0, ()),
    ],
)
def test_each_threshold_is_told_once(used: int, limit: int | None, told: int, news: tuple[int, ...]) -> None:
    """Also those that were jumped over; where there is no limit there is nothing to pass."""
    assert passed(used, limit, told) == news


def answer(said: object, status: int = 200) -> Answer:
    """What LINE would say."""
    return Answer(status, json.dumps(said).encode())


def test_lines_answers_are_a_limit_and_a_count() -> None:
    """A plan may have no limit."""
    used = answer({"totalUsage": 1200})
    assert read_line_month(answer({"type": "limited", "value": 5000}), used) == LineMonth(5000, 1200)
    assert read_line_month(answer({"type": "none"}), used) == LineMonth(None, 1200)


@pytest.mark.parametrize(
    ("quota", "consumption"),
    [
        (answer({"type": "none"}, 500), answer({"totalUsage": 1})),
        (answer({"type": "none"}), answer({"totalUsage": 1}, 401)),
        (answer({"type": "weekly"}), answer({"totalUsage": 1})),
        (answer({"type": "limited"}), answer({"totalUsage": 1})),
        (answer({"type": "limited", "value": -1}), answer({"totalUsage": 1})),
        (answer({"type": "none"}), answer({"totalUsage": "1"})),
        (answer({"type": "none"}), answer({"totalUsage": True})),
        (answer([]), answer({"totalUsage": 1})),
        (Answer(200, b"<html>\xff"), answer({"totalUsage": 1})),
    ],
)
def test_what_is_not_lines_word_is_no_answer(quota: Answer, consumption: Answer) -> None:
    """A proxy's page, an error, a kind of plan that nobody knows: nothing is guessed from it."""
    with pytest.raises(ValueError):
        read_line_month(quota, consumption)


def test_line_is_not_asked_while_its_month_may_be_turning() -> None:
    """Its old count, taken for the new month's, would stop the account."""
    turn = datetime(2026, 11, 30, 15, tzinfo=UTC)
    assert [may_ask(turn + timedelta(minutes=minutes)) for minutes in (-1, 0, 59, 60)] == [True, False, False, True]


@given(st.floats(0, 1, exclude_max=True))
def test_line_is_asked_about_hourly(jitter: float) -> None:
    """A tenth earlier or later."""
    assert timedelta(minutes=54) <= ask_next(NOON, jitter) - NOON <= timedelta(minutes=66)
