"""Issue 4: events that come again, late and the wrong way round leave the state and the triggers of a serial reader.

The reader (`tests/support/serial`) knows nothing of the segmenter's code and folds each event once. What is held:

- **State and segments** are what the reader knows who heard everything in its time. Arrival has no part in them.
- **Triggers without a condition** (a follow, an order) are those that this reader owes.
- **All triggers** are those of a reader who hears the events as the segmenter handled them: a condition is asked of
  what can be known by then (the segmenter's README). None is missing, none is told twice.
- **Cart reminders**: who is in the campaign from when on, for ten minutes at least, is the same for both readers, so
  that late news of a cart is obeyed. For members who shop signed in: whose a cart is that was filled before the login
  is known only from the login on. And a change that late news corrects both ways ends: in one instant exits win.
"""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.serial.alone import Outcome, tell
from tests.support.serial.arrivals import arrivals
from tests.support.serial.judging import (
    Rules,
    as_it_happened,
    cart_owners,
    corrections,
    differences,
    runs_that_last,
    unconditional,
    wrongly_fired,
)
from tests.support.serial.load import make_load
from tests.support.serial.reader import SerialReader
from tests.support.serial.readings import named
from tests.support.serial.rules import CLOCKED, CLOCKED_PLANS, FRIENDLY, FRIENDLY_PLANS, OWN, PLANS
from tests.support.serial.told import Told

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
EVENTS = 50_000 if LONG else 1_000
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
SHOPS = ["north", "south"]
RULES = Rules({**OWN, **FRIENDLY, **CLOCKED}, (*PLANS, *FRIENDLY_PLANS, *CLOCKED_PLANS))
CAMPAIGN, LASTING = "cart-abandonment", timedelta(minutes=10)

pytestmark = pytest.mark.timeout(1800 if LONG else 300)


@pytest.mark.parametrize("step", [timedelta(seconds=12), timedelta(minutes=2)], ids=["trickling", "in-large-batches"])
async def test_state_and_triggers_are_a_serial_readers(postgres_dsn: str, step: timedelta) -> None:
    """Sent one to five times, up to a minute late, unfollows before their follows, in batches small and large."""
    load = make_load(EVENTS, NOON, seed=6)
    outcome = await tell(postgres_dsn, RULES, arrivals(load, seed=6), SHOPS, step=step)
    end = outcome.handled[-1][0]
    in_time = RULES.reader().read_all([*as_it_happened(load), (end, [])])
    as_handled = RULES.reader().read_all(outcome.handled)

    assert differences(outcome.stored, in_time) == []
    assert wrongly_fired(outcome.fired, outcome.stored, as_handled) == (Counter(), Counter())
    assert unconditional(outcome.fired) == unconditional(in_time.settled())
    assert len(set(outcome.ids)) == len(outcome.ids)
    check_reminders(outcome, in_time, as_handled, load)


def check_reminders(outcome: Outcome, in_time: SerialReader, as_handled: SerialReader, load: list[Told]) -> None:
    """Who shops signed in is in the cart campaign from the same instants on, in spite of late news."""
    corrected = corrections(as_handled.settled(), CAMPAIGN)
    both_ways = {run for run, kinds in corrected.items() if len(kinds) == 2}
    signed_in = cart_owners(load, in_time)
    fired = named(outcome.fired, outcome.stored, outcome.stored.labels(in_time.who_is_who))
    actual, owed = (
        {run for run in runs_that_last(one, CAMPAIGN, LASTING) if run[0] in signed_in and run not in both_ways}
        for one in (fired, in_time.settled())
    )
    assert actual == owed
    assert len(owed) > EVENTS / 50
    assert len(both_ways) < len(corrected) / 5 + 2
