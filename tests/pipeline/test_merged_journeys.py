"""Two people turn out to be one: their runs are the one's, under whichever id each was begun (docs/adr/0018)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import added, event, line_subject, ordered
from todoke_shared.campaigns.model import Campaign
from todoke_shared.ids import person_id
from todoke_shared.segments.model import Segment

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HANA, MEMBER = line_subject("hana"), "customer:7"
REMAINS, IS_LOST = sorted((HANA, MEMBER), key=lambda name: person_id("main", name))
"""Of two people who are merged the smaller id remains."""
each_way = pytest.mark.parametrize(("first", "second"), [(IS_LOST, REMAINS), (REMAINS, IS_LOST)], ids=["lost", "kept"])


def campaign(
    name: str, again: str, *steps: dict[str, Any], exit_on: Any = ({"on": "order.placed"},), **enter: Any
) -> Campaign:
    """Begins with a product in the cart."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",
            "enter": {"on": "cart.item_added", "again": again, **enter},
            "exit": list(exit_on),
            "steps": [*steps, {"send": "text"}],
            "messages": {"text": [{"type": "text", "text": name}]},
        }
    )


REMINDER = campaign("reminder", "restart", {"wait": "1h"})
ONCE = campaign("once", "never", {"wait": "1m"})
QUIET = campaign(
    "quiet",
    "always",
    {"wait": "1h"},
    on="segment.entered",
    segment="undecided",
    exit_on=[{"on": "segment.left", "segment": "undecided"}],
)
UNDECIDED = Segment(segment="undecided", when={"all": [{"cart.items": {"at_least": 1}}, {"orders": 0}]})


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """Hana is a friend; a member looks around."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[REMINDER, ONCE, QUIET], segments=[UNDECIDED]) as opened:
        await opened.follow("hana")
        await opened.post(event("page.viewed", MEMBER, NOON, {}))
        yield opened


async def merge(pipeline: Pipeline) -> None:
    """The shop says that both are one."""
    await pipeline.post(event("customer.identified", MEMBER, pipeline.clock.now(), {"identifiers": [HANA]}))


async def add(pipeline: Pipeline, who: str, product: str = "tea") -> None:
    """Into the cart, now."""
    await pipeline.post(*added(who, pipeline.clock.now(), product))


def sent(pipeline: Pipeline, name: str) -> list[timedelta]:
    """When a campaign's message went out, since noon."""
    return [message.at - NOON for message in pipeline.sent if message.text == name]


@each_way
async def test_an_exit_of_the_one_ends_the_run_that_the_other_began(
    pipeline: Pipeline, first: str, second: str
) -> None:
    """A cart of the first, then the two are one, then an order by the second's name: nobody is reminded."""
    await add(pipeline, first)
    await pipeline.run_until(NOON + 10 * MINUTE)
    await merge(pipeline)
    await pipeline.run_until(NOON + 20 * MINUTE)
    await pipeline.post(ordered(second, pipeline.clock.now(), "A-1", "tea"))
    await pipeline.run_until(NOON + 3 * HOUR)
    assert (sent(pipeline, "reminder"), sent(pipeline, "quiet")) == ([], [])
    active = await pipeline.pool.fetchval("SELECT count(*) FROM enrolments WHERE status = 'active'")
    assert active == 0


@each_way
async def test_without_an_exit_the_run_goes_on_and_its_message_finds_the_one(
    pipeline: Pipeline, first: str, second: str
) -> None:
    """On time and once, though the run stands under an id that is nobody's any more."""
    await add(pipeline, first)
    await pipeline.run_until(NOON + 30 * MINUTE)
    await merge(pipeline)
    await pipeline.run_until(NOON + 3 * HOUR)
    assert (sent(pipeline, "reminder"), sent(pipeline, "quiet")) == ([HOUR], [HOUR])


@each_way
async def test_never_again_counts_the_entries_of_both(pipeline: Pipeline, first: str, second: str) -> None:
    """Whoever of the two had entered: the one they turned out to be does not enter once more, by either name."""
    await add(pipeline, first)
    await pipeline.run_until(NOON + 10 * MINUTE)
    before = len(sent(pipeline, "once"))
    assert before == (first == HANA)
    await merge(pipeline)
    for minutes, who in ((20, second), (30, first)):
        await pipeline.run_until(NOON + minutes * MINUTE)
        await add(pipeline, who, f"tea-{minutes}")
    await pipeline.run_until(NOON + HOUR)
    assert len(sent(pipeline, "once")) == before
    refusals = "SELECT count(*) FROM decisions WHERE campaign = 'once' AND decision LIKE 'entered before%'"
    assert await pipeline.pool.fetchval(refusals) == 2


@each_way
async def test_a_restart_by_the_one_replaces_the_run_of_the_other(pipeline: Pipeline, first: str, second: str) -> None:
    """An hour after the last change of the cart, whoever's it was: one reminder."""
    await add(pipeline, first)
    await pipeline.run_until(NOON + 10 * MINUTE)
    await merge(pipeline)
    await pipeline.run_until(NOON + 30 * MINUTE)
    await add(pipeline, second, "cup")
    await pipeline.run_until(NOON + 3 * HOUR)
    assert sent(pipeline, "reminder") == [HOUR + 30 * MINUTE]


async def test_of_two_runs_that_meet_the_next_restart_leaves_one(pipeline: Pipeline) -> None:
    """Both had begun before they were one."""
    await add(pipeline, HANA)
    await pipeline.run_until(NOON + 5 * MINUTE)
    await add(pipeline, MEMBER)
    await merge(pipeline)
    await pipeline.run_until(NOON + 30 * MINUTE)
    await add(pipeline, MEMBER, "cup")
    await pipeline.run_until(NOON + 3 * HOUR)
    assert sent(pipeline, "reminder") == [HOUR + 30 * MINUTE]
