"""The oracle of cart reminders keeps the rule at every edge, and agrees with a second formulation of it."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cart_oracle import (
    Reminder,
    Row,
    arrivals,
    items_named,
    read_rows,
    reminders,
    reminders_known,
)

T0 = 1_511_848_951  # 2017-11-28 06:02:31 UTC; any second would do
HOUR = 3_600
DAY = 86_400
LATE = 600  # seconds a row may be late in the schedules below: the pipeline test's ten minutes


def cart(after: int, item: str = "7", person: str = "ann") -> Row:
    """Give a cart row `after` seconds from T0."""
    return Row(person, item, "1", "cart", T0 + after)


def buy(after: int, item: str = "7", person: str = "ann") -> Row:
    """Give an order `after` seconds from T0."""
    return Row(person, item, "1", "buy", T0 + after)


def first(after: int, *items: str, person: str = "ann") -> Reminder:
    """Give the first reminder due `after` seconds from T0."""
    return Reminder(person, "first", T0 + after, frozenset(items))


def second(after: int, *items: str, person: str = "ann") -> Reminder:
    """Give the second reminder due `after` seconds from T0."""
    return Reminder(person, "second", T0 + after, frozenset(items))


def on_time(rows: list[Row]) -> list[tuple[int, Row]]:
    """Let every row arrive once, in the second it happens."""
    return [(row.unix_seconds, row) for row in rows]


def by_quantifiers(schedule: list[tuple[int, Row]]) -> set[Reminder]:
    """State the rule a second time: for each cart row and kind, does any row known when it is due forbid it?"""
    found = set()
    kinds: tuple[tuple[Literal["first", "second"], int], ...] = (("first", HOUR), ("second", HOUR + DAY))
    for kind, wait in kinds:
        for _, row in schedule:
            due = row.unix_seconds + wait
            known = [r for arrival, r in schedule if arrival <= due and r.user_id == row.user_id]
            orders = [r.unix_seconds for r in known if r.behavior == "buy"]
            carts = [r for r in known if r.behavior == "cart"]
            forbidden = any(t >= row.unix_seconds for t in orders) or any(
                r.unix_seconds > row.unix_seconds for r in carts
            )
            if row.behavior == "cart" and not forbidden:
                kept = frozenset(r.item_id for r in carts if all(t < r.unix_seconds for t in orders))
                found.add(Reminder(row.user_id, kind, due, kept))
    return found


# Sums of few days and hours, give or take a second: most pairs of rows tie, or meet at or beside a due second.
INSTANTS = st.builds(
    lambda days, hours, beside: T0 + days * DAY + hours * HOUR + beside,
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(-1, 1),
)
TIMELINES = st.lists(
    st.builds(
        Row,
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(["7", "10", "200"]),
        st.just("1"),
        st.sampled_from(["cart", "cart", "cart", "buy", "pv", "fav"]),
        INSTANTS,
    ),
    max_size=12,
)
# Rows within minutes before a due second: only there can lateness change what is sent.
CLOSE_INSTANTS = st.builds(lambda hours, before: T0 + hours * HOUR - before, st.sampled_from([0, 1, 2, 25, 26]),
                           st.sampled_from([0, 1, 60, 300, 599, 600]))  # fmt: skip
CLOSE_TIMELINES = st.lists(
    st.builds(Row, st.just("ann"), st.sampled_from(["7", "10"]), st.just("1"),
              st.sampled_from(["cart", "cart", "buy"]), CLOSE_INSTANTS),
    max_size=8,
)  # fmt: skip


def test_an_abandoned_cart_is_reminded_after_an_hour_and_a_day_later() -> None:
    """A cart nobody touches again earns the first reminder 1 h after its change and the second 24 h after that."""
    assert reminders([cart(0)]) == {first(HOUR, "7"), second(HOUR + DAY, "7")}


def test_without_a_cart_change_nobody_is_reminded() -> None:
    """Views, favourites and orders alone earn no reminder."""
    rows = [Row("ann", "7", "1", "pv", T0), Row("ann", "7", "1", "fav", T0), buy(5)]
    assert reminders(rows) == set()


def test_views_and_favourites_neither_end_nor_restart_a_cart() -> None:
    """Rows that are neither cart nor order change nothing, even in a due second."""
    rows = [cart(0), Row("ann", "9", "1", "pv", T0 + 10), Row("ann", "9", "1", "fav", T0 + HOUR)]
    assert reminders(rows) == {first(HOUR, "7"), second(HOUR + DAY, "7")}


@pytest.mark.parametrize(
    ("ordered", "expected"),
    [
        (0, set()),
        (1, set()),
        (HOUR, set()),
        (HOUR + 1, {first(HOUR, "7")}),
        (HOUR + DAY, {first(HOUR, "7")}),
        (HOUR + DAY + 1, {first(HOUR, "7"), second(HOUR + DAY, "7")}),
    ],
)
def test_an_order_ends_the_reminders_up_to_the_due_second(ordered: int, expected: set[Reminder]) -> None:
    """An order from the change's own second to a due second, both included, forbids that reminder; later, it does not.

    The order carries another item than the cart: any order of the person counts.
    """
    assert reminders([cart(0), buy(ordered, item="99")]) == expected


@pytest.mark.parametrize(
    ("changed", "of_the_old_change"),
    [
        (1, set()),
        (HOUR, set()),
        (HOUR + 1, {first(HOUR, "7")}),
        (HOUR + DAY, {first(HOUR, "7")}),
        (HOUR + DAY + 1, {first(HOUR, "7"), second(HOUR + DAY, "7")}),
    ],
)
def test_a_cart_change_restarts_the_reminders_up_to_the_due_second(
    changed: int, of_the_old_change: set[Reminder]
) -> None:
    """A change up to a due second, included, replaces that reminder by its own two, which name both items."""
    of_the_new_change = {first(changed + HOUR, "7", "8"), second(changed + HOUR + DAY, "7", "8")}
    assert reminders([cart(0), cart(changed, "8")]) == of_the_old_change | of_the_new_change


def test_adding_the_same_item_again_restarts() -> None:
    """A repeated item is a cart change, and is named once."""
    assert reminders([cart(0), cart(60)]) == {first(60 + HOUR, "7"), second(60 + HOUR + DAY, "7")}


def test_an_order_before_the_change_empties_only_what_came_before() -> None:
    """What is added after an order is a new cart: the reminder names it alone."""
    rows = [cart(0, "1"), buy(10), cart(11, "2")]
    assert reminders(rows) == {first(11 + HOUR, "2"), second(11 + HOUR + DAY, "2")}


def test_what_is_added_in_the_second_of_an_order_is_gone() -> None:
    """An order counts as placed after a change of the same second, so a later reminder does not name that item."""
    rows = [cart(10, "1"), buy(10), cart(20, "2")]
    assert reminders(rows) == {first(20 + HOUR, "2"), second(20 + HOUR + DAY, "2")}


def test_two_items_of_one_second_are_one_change() -> None:
    """Rows of one person in one second earn one reminder of each kind, naming both."""
    assert reminders([cart(0, "1"), cart(0, "2")]) == {first(HOUR, "1", "2"), second(HOUR + DAY, "1", "2")}


def test_one_persons_order_does_not_end_anothers_cart() -> None:
    """Changes and orders count for their own person only."""
    rows = [cart(0), cart(0, person="bob"), buy(5), cart(9, person="cyd")]
    assert {(found.person, found.at - T0) for found in reminders(rows)} == {
        ("bob", HOUR),
        ("bob", HOUR + DAY),
        ("cyd", 9 + HOUR),
        ("cyd", 9 + HOUR + DAY),
    }


def test_until_keeps_what_is_due_at_it_and_drops_what_is_due_after() -> None:
    """`until` is inclusive."""
    rows = [cart(0)]
    assert reminders(rows, until=T0 + HOUR - 1) == set()
    assert reminders(rows, until=T0 + HOUR) == {first(HOUR, "7")}
    assert reminders(rows, until=T0 + HOUR + DAY - 1) == {first(HOUR, "7")}
    assert reminders(rows, until=T0 + HOUR + DAY) == {first(HOUR, "7"), second(HOUR + DAY, "7")}


def test_items_are_named_in_order_of_first_being_added() -> None:
    """Order: first addition since the last order, then item id as an integer; a repetition moves nothing."""
    rows = [cart(30, "9"), cart(20, "10"), cart(20, "9"), cart(40, "3"), cart(50, "4"), buy(5), cart(0, "4")]
    assert items_named(rows, T0 + 45) == ("9", "10", "3")
    assert items_named(rows, T0 + 50) == ("9", "10", "3", "4")
    assert items_named(rows, T0 + 4) == ("4",)
    assert items_named(rows, T0 + 5) == ()


@given(TIMELINES)
@settings(deadline=None)  # the machine is shared: a slow example is no finding
def test_both_formulations_agree_on_any_timeline(rows: list[Row]) -> None:
    """The look-ahead oracle and the quantified rule give the same set, ties and due seconds included."""
    assert reminders(rows) == by_quantifiers(on_time(rows))


@given(TIMELINES, INSTANTS)
@settings(deadline=None)
def test_order_and_copies_of_rows_are_of_no_consequence(rows: list[Row], until: int) -> None:
    """Reversed and doubled rows give the same reminders, whatever `until`."""
    assert reminders([*reversed(rows), *rows], until) == {r for r in by_quantifiers(on_time(rows)) if r.at <= until}


@given(TIMELINES, st.integers(0, 99))
@settings(deadline=None)
def test_when_nothing_is_late_the_late_oracle_is_the_plain_one(rows: list[Row], seed: int) -> None:
    """With every row arriving once in its own second, both oracles give the same set."""
    assert reminders_known(arrivals(rows, seed=seed, within_seconds=0, copies=(1, 1))) == reminders(rows)


@given(CLOSE_TIMELINES, st.integers(0, 99))
@settings(deadline=None)
def test_both_formulations_agree_on_any_late_schedule(rows: list[Row], seed: int) -> None:
    """Walking the instants and quantifying over what is known at each due second give the same set."""
    schedule = arrivals(rows, seed=seed, within_seconds=LATE)
    assert reminders_known(schedule) == by_quantifiers(schedule)


@given(CLOSE_TIMELINES, st.integers(0, 99))
@settings(deadline=None)
def test_lateness_loses_no_reminder_and_adds_only_what_nobody_could_know(rows: list[Row], seed: int) -> None:
    """Late rows only add reminders, each with a cart change or order in the last minutes up to its due second."""
    plain, late = reminders(rows), reminders_known(arrivals(rows, seed=seed, within_seconds=LATE))
    assert plain <= late
    for extra in late - plain:
        assert any(extra.at - LATE < row.unix_seconds <= extra.at for row in rows)


@given(CLOSE_TIMELINES, st.integers(0, 99))
@settings(deadline=None)
def test_a_second_reminder_always_follows_its_first(rows: list[Row], seed: int) -> None:
    """However late the rows, no second reminder comes without the first 24 h before it."""
    sent = reminders_known(arrivals(rows, seed=seed, within_seconds=LATE))
    firsts = {reminder.at for reminder in sent if reminder.kind == "first"}
    assert {reminder.at - DAY for reminder in sent if reminder.kind == "second"} <= firsts


def test_a_late_order_does_not_stop_a_reminder_already_due() -> None:
    """An order known one second after the due second comes too late for the first, in time for the second."""
    order = buy(HOUR - 5)
    assert reminders_known([(T0, cart(0)), (T0 + HOUR + 1, order)]) == {first(HOUR, "7")}
    assert reminders_known([(T0, cart(0)), (T0 + HOUR, order)]) == set()


def test_a_late_cart_change_lets_the_old_reminder_go_and_still_restarts() -> None:
    """The old change's first reminder names only what was known; the new change earns its two at its own event time."""
    schedule = [(T0, cart(0)), (T0 + HOUR + 1, cart(HOUR - 5, "8"))]
    assert reminders_known(schedule) == {
        first(HOUR, "7"),
        first(2 * HOUR - 5, "7", "8"),
        second(2 * HOUR - 5 + DAY, "7", "8"),
    }


def test_an_older_change_arriving_after_a_newer_does_not_restart() -> None:
    """The last change is the last by event time, not by arrival; the older one's item is still named."""
    schedule = [(T0 + 60, cart(60, "8")), (T0 + 500, cart(0, "7"))]
    assert reminders_known(schedule) == {first(60 + HOUR, "7", "8"), second(60 + HOUR + DAY, "7", "8")}


def test_a_cart_row_may_arrive_up_to_its_own_due_second() -> None:
    """Arrivals of a due second are taken in before it is decided; one second more is refused."""
    assert reminders_known([(T0 + HOUR, cart(0))]) == {first(HOUR, "7"), second(HOUR + DAY, "7")}
    with pytest.raises(ValueError, match="after its first reminder was due"):
        reminders_known([(T0, cart(0)), (T0 + HOUR + 1, cart(0))])


def test_a_row_cannot_arrive_before_it_happened() -> None:
    """A schedule that foresees a row is refused."""
    with pytest.raises(ValueError, match="before it happened"):
        reminders_known([(T0 - 1, buy(0))])


def test_a_schedule_is_seeded_sorted_and_complete() -> None:
    """Every row arrives one to three times, no copy early or later than asked, the same for the same seed."""
    rows = [cart(after, str(after)) for after in range(200)]
    schedule = arrivals(rows, seed=1)
    counts = {row: sum(arrived == row for _, arrived in schedule) for row in rows}
    lateness = {arrival - row.unix_seconds for arrival, row in schedule}
    assert set(counts.values()) == {1, 2, 3}
    assert min(lateness) >= 0
    assert LATE / 2 < max(lateness) <= LATE
    assert [arrival for arrival, _ in schedule] == sorted(arrival for arrival, _ in schedule)
    assert schedule == arrivals(rows, seed=1)
    assert schedule != arrivals(rows, seed=2)


def test_both_ends_of_the_lateness_are_possible() -> None:
    """A row may arrive in its own second and in the last one allowed, and its copies apart from each other."""
    schedule = arrivals([cart(0)] * 50, seed=1, within_seconds=1, copies=(2, 2))
    assert {arrival - T0 for arrival, _ in schedule} == {0, 1}
    assert len(schedule) == 100


def test_a_schedule_that_would_lose_rows_is_refused() -> None:
    """Zero copies is loss, which the oracle does not judge."""
    with pytest.raises(ValueError, match="at least once"):
        arrivals([cart(0)], seed=1, copies=(0, 3))


def test_a_recording_is_read_in_its_own_order(tmp_path: Path) -> None:
    """Columns become fields, the time an integer, and the order of the file stays."""
    file = tmp_path / "recording.csv"
    file.write_text("2,7,1,cart,200\n1,8,3,pv,100\n", encoding="utf-8")
    assert read_rows(file) == [Row("2", "7", "1", "cart", 200), Row("1", "8", "3", "pv", 100)]


@pytest.mark.parametrize(
    "line", ["1,8,3,pv", "1,8,3,pv,100,x", "1,8,3,view,100", "1,8,3,pv,soon", "1,shoe,3,pv,100", ""]
)
def test_a_line_that_is_no_row_is_refused_by_number(tmp_path: Path, line: str) -> None:
    """A recording with a bad line is not judged by its other lines."""
    file = tmp_path / "recording.csv"
    file.write_text(f"2,7,1,cart,200\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        read_rows(file)
