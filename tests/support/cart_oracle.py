"""The oracle of cart-abandonment reminders: which reminder is due to whom, when, naming which items.

It judges the pipeline, so it is written from the rule alone and imports only the standard library. The rule
(issue 2, item 6): first reminder 1 h after the person's last cart change when no order came since, naming the items
in the cart; second reminder 24 h after the first if there was neither an order nor a cart change; every cart change
restarts it; an order ends it.

Edges, where the rule alone leaves a choice (all times are UTC, in whole unix seconds):

- An order or a cart change at exactly the due second of a reminder has come: no reminder, or a restart.
- A cart change and an order of one person in the same second: the order was placed after the change. The cart is
  empty afterwards and that change earns no reminder.
- An order by the person empties the whole cart, whatever item it carries: cart rows at or before an order's second
  are gone.
- Several cart rows of a person in one second are one cart change.
- Items named: the distinct items added since the person's last order, in the order of first being added since then,
  items first added in the same second by item id ascending as integers. `items_named` gives that order;
  `Reminder.items` is a set, since two reminders that differ only in the order of their items are the same reminder.

A row is an addition (`cart`), an order (`buy`) or irrelevant (`pv`, `fav`); the recordings know no removal.
"""

import csv
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

Behavior = Literal["pv", "fav", "cart", "buy"]

FIRST_AFTER = 3_600  # seconds from the last cart change to the first reminder: 1 h
SECOND_AFTER = 86_400  # seconds from the first reminder to the second: 24 h


class Row(NamedTuple):
    """One line of a recording; `unix_seconds` is when it happened, not when it arrived."""

    user_id: str
    item_id: str
    category_id: str
    behavior: Behavior
    unix_seconds: int


@dataclass(frozen=True, order=True)
class Reminder:
    """One reminder that must be sent to `person` at the unix second `at`, naming `items` (item ids)."""

    person: str
    kind: Literal["first", "second"]
    at: int
    items: frozenset[str]


def read_rows(path: str | Path) -> list[Row]:
    """Read a recording without header, `user_id,item_id,category_id,behavior,unix_seconds`, in the file's order.

    Raises ValueError naming the line when one has not five columns, an unknown behaviour, or a time or an item id
    that is no integer.
    """
    rows = []
    with Path(path).open(newline="", encoding="utf-8") as file:
        for number, columns in enumerate(csv.reader(file), start=1):
            try:
                user, item, category, behavior, seconds = columns
                int(item)  # ties between items are broken by integer value
                if behavior not in get_args(Behavior):
                    raise ValueError(f"behaviour {behavior!r} is none of {', '.join(get_args(Behavior))}")
                rows.append(Row(user, item, category, cast(Behavior, behavior), int(seconds)))
            except ValueError as error:
                raise ValueError(f"line {number}: correct or remove it: {error}") from error
    return rows


def items_named(rows: Iterable[Row], at: int) -> tuple[str, ...]:
    """Give the item ids in one person's cart at the unix second `at`, in the order a reminder names them.

    `rows` are rows of that person alone; those later than `at` are left out.
    """
    past = [row for row in rows if row.unix_seconds <= at]
    orders = [row.unix_seconds for row in past if row.behavior == "buy"]
    in_cart = [row for row in past if row.behavior == "cart" and (not orders or row.unix_seconds > max(orders))]
    in_cart.sort(key=lambda row: (row.unix_seconds, int(row.item_id)))
    return tuple(dict.fromkeys(row.item_id for row in in_cart))


def reminders(rows: Iterable[Row], until: int | None = None) -> set[Reminder]:
    """Give the reminders of a recording by an observer who learns of every row in the second it happens.

    `until` (unix seconds) keeps only reminders due at or before it; with None the clock runs on after the last row.
    The order of `rows` and exact duplicates among them are of no consequence.
    """
    found = set()
    for person, own in _by_person(rows).items():
        own.sort(key=lambda row: row.unix_seconds)
        changes = sorted({row.unix_seconds for row in own if row.behavior == "cart"})
        for change in changes:
            later_changes = [second for second in changes if second > change]
            orders = [row.unix_seconds for row in own if row.behavior == "buy" and row.unix_seconds >= change]
            ending = min(later_changes + orders, default=None)
            first = change + FIRST_AFTER
            second = first + SECOND_AFTER
            items = frozenset(items_named(own, change))
            if ending is None or ending > first:
                found.add(Reminder(person, "first", first, items))
            if ending is None or ending > second:
                found.add(Reminder(person, "second", second, items))
    return {reminder for reminder in found if until is None or reminder.at <= until}


def arrivals(
    rows: Iterable[Row], *, seed: int, within_seconds: int = 600, copies: tuple[int, int] = (1, 3)
) -> list[tuple[int, Row]]:
    """Give a late and repeated arrival of every row, as (arrival in unix seconds, row), sorted by arrival.

    Each row arrives `copies[0]` to `copies[1]` times, both possible, and each copy independently at a uniformly
    random second from the row's own up to `within_seconds` after it, both possible. The same rows in the same order
    with the same seed give the same schedule. Raises ValueError when `copies` would lose a row or a range is empty.
    """
    fewest, most = copies
    if fewest < 1:
        raise ValueError(f"copies={copies} would lose rows: let each arrive at least once")
    chance = random.Random(seed)
    schedule = [
        (chance.randint(row.unix_seconds, row.unix_seconds + within_seconds), row)
        for row in rows
        for _ in range(chance.randint(fewest, most))
    ]
    return sorted(schedule, key=lambda arrival: arrival[0])


def reminders_known(arrivals: Iterable[tuple[int, Row]]) -> set[Reminder]:
    """Give the reminders that an ideal system sends which at each due second knows only what has arrived by then.

    Arrivals in a due second are taken in before it is decided. With C the last cart change known by event time, the
    first reminder is decided at C + 1 h and sent if no order at or after C is known; the second 24 h later under the
    same condition, so only if the first for C was sent. The items are those known at the decision. The clock
    runs on after the last arrival. The order of `arrivals` is of no consequence.

    Raises ValueError when a row arrives before it happened, or a cart row (any copy) later than its own first
    reminder's due second: what to send then, the rule does not say.
    """
    schedules = defaultdict(list)
    for arrival, row in arrivals:
        _check_arrival(arrival, row)
        schedules[row.user_id].append((arrival, row))
    return {reminder for person, schedule in schedules.items() for reminder in _walk(person, schedule)}


def _walk(person: str, schedule: list[tuple[int, Row]]) -> set[Reminder]:
    """Walk one person's instants at which a row arrives or a reminder may be due, deciding each by what is known."""
    changes = {row.unix_seconds for _, row in schedule if row.behavior == "cart"}
    dues = {change + wait for change in changes for wait in (FIRST_AFTER, FIRST_AFTER + SECOND_AFTER)}
    sent: set[Reminder] = set()
    for now in sorted(dues | {arrival for arrival, _ in schedule}):
        known = [row for arrival, row in schedule if arrival <= now]
        change = max((row.unix_seconds for row in known if row.behavior == "cart"), default=None)
        if change is None or any(row.behavior == "buy" and row.unix_seconds >= change for row in known):
            continue
        first = change + FIRST_AFTER
        items = frozenset(items_named(known, now))
        if now == first:
            sent.add(Reminder(person, "first", now, items))
        if now == first + SECOND_AFTER:  # the first was sent: what had forbidden it would still be known
            sent.add(Reminder(person, "second", now, items))
    return sent


def _check_arrival(arrival: int, row: Row) -> None:
    """Raise ValueError for an arrival that the rule has no answer to."""
    if arrival < row.unix_seconds:
        raise ValueError(
            f"a row of second {row.unix_seconds} arrives before it happened, at {arrival}: mend the schedule"
        )
    if row.behavior == "cart" and arrival > row.unix_seconds + FIRST_AFTER:
        raise ValueError(
            f"a cart row of second {row.unix_seconds} arrives at {arrival}, after its first reminder was due: "
            f"schedule it within {FIRST_AFTER} s"
        )


def _by_person(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Part the rows by person, each person's in the order given."""
    parted = defaultdict(list)
    for row in rows:
        parted[row.user_id].append(row)
    return dict(parted)
