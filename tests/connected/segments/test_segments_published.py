"""Segments in PostgreSQL: published and withdrawn, whole or not at all; who is in them, counted."""

from datetime import timedelta
from random import Random

import pytest

import todoke_segmenter.by_clock
from tests.support.segment_machines import (
    ASLEEP,
    BUYERS,
    DAY,
    NOON,
    SLEEPERS,
    WIN_BACK,
    Machine,
    Pool,
    in_segment,
    orders,
    triggers_of,
)
from tests.support.shop_events import ordered
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters import audiences
from todoke_segmenter.adapters.publishing import Publication, publish, withdraw
from todoke_segmenter.adapters.segments import current_segments
from todoke_shared.campaigns.model import Campaign
from todoke_shared.conditions import parse_condition
from todoke_shared.ids import person_id
from todoke_shared.people import TOKYO
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection
from todoke_shared.segments.model import Segment


async def test_what_is_published_reaches_everybody_in_silence(
    pool: Pool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asleep when the segment is published: in it, and no trigger. After a crash it goes on where it was."""
    await machine.hear(*orders(20))
    machine.clock.move_to(NOON + 10 * DAY)
    bigger = Segment(segment="sleepers", when={"last_order": {"before": "5d"}})
    assert await publish(pool, [bigger, BUYERS]) == [
        Publication("sleepers", 2, new=True),
        Publication("buyers", 1, new=True),
    ]
    await machine.segments.refresh()
    monkeypatch.setattr(todoke_segmenter.by_clock, "CLAIM", 8)
    assert await machine.by_clock.sweep() == 8
    assert await audiences.share_asked(pool, [1, 3]) == [1.0, 0.4]
    another = await Machine(pool, machine.clock).start()
    assert [await another.by_clock.sweep() for _ in range(3)] == [8, 4, 0]
    assert await audiences.count_members(pool, ["sleepers", "buyers"]) == {
        "sleepers": audiences.Count(20, 0, 20),
        "buyers": audiences.Count(20, 0, 20),
    }
    assert await triggers_of(pool) == []


async def test_an_unchanged_segment_is_not_published_again(pool: Pool) -> None:
    """And one that asks for what there is not, or in a circle with what is there, not at all."""
    assert await publish(pool, [SLEEPERS]) == [Publication("sleepers", 1, new=False)]
    with pytest.raises(ValueError, match="nothing is published: unknown segment `slepers`; did you mean `sleepers`"):
        await publish(pool, [BUYERS, Segment(segment="wide", when={"segment": "slepers"})])
    assert await publish(pool, [BUYERS, Segment(segment="wide", when={"segment": "sleepers"})]) != []
    with pytest.raises(ValueError, match="in a circle: sleepers → wide → sleepers"):
        await publish(pool, [Segment(segment="sleepers", when={"segment": "wide"})])


async def test_whoever_is_in_a_withdrawn_segment_leaves_it_with_its_triggers(
    pool: Pool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shared, whole or not at all, nobody twice; the campaign is told. Published again, all enter anew, unheard."""
    await machine.hear(*orders(20))
    machine.clock.move_to(ASLEEP)
    assert await machine.by_clock.check_due() == 20
    monkeypatch.setattr("todoke_segmenter.adapters.publishing._campaigns", no_campaigns)
    await withdraw(pool, "sleepers")
    machine.clock.move_to(ASLEEP + DAY)
    await machine.segments.refresh()
    monkeypatch.setattr(todoke_segmenter.by_clock, "CLAIM", 8)
    assert await machine.by_clock.sweep() == 8
    another = await Machine(pool, machine.clock).start()
    assert [await another.by_clock.sweep() for _ in range(3)] == [8, 4, 0]
    assert await in_segment(pool, "sleepers") == []
    told = [trigger for trigger in await triggers_of(pool) if trigger.kind == "exit"]
    assert {trigger.person for trigger in told} == {person_id("main", f"customer:{number}") for number in range(20)}
    assert {trigger.at for trigger in told} == {ASLEEP + DAY}
    assert await publish(pool, [SLEEPERS]) == [Publication("sleepers", 3, new=True)]
    await machine.segments.refresh()
    while await machine.by_clock.sweep():
        pass
    assert {member.since for member in await in_segment(pool, "sleepers")} == {ASLEEP + DAY + timedelta(microseconds=1)}
    assert len(await triggers_of(pool)) == 40


async def no_campaigns(_: Connection) -> list[Campaign]:
    """As if the campaign had been published a moment later."""
    return []


async def test_a_segment_that_is_asked_for_is_not_withdrawn(pool: Pool, postgres_dsn: str) -> None:
    """By the entry or exit of a campaign, its `when`, or another segment: each is named, and nothing has changed."""
    wide = Segment(segment="wide", when={"any": [{"segment": "sleepers"}, {"segment": "buyers"}]})
    await publish(pool, [BUYERS, wide])
    asking = WIN_BACK.model_copy(update={"campaign": "asking"}).to_document()
    asking |= {"enter": {"on": ["order.placed"], "when": {"not": {"segment": "wide"}}}, "exit": []}
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as scheduler_pool:
        await publish_campaigns(scheduler_pool, [Campaign.model_validate(asking)])
    told = "sleepers is not withdrawn: it is asked for by segment wide, campaign win-back; publish them without it"
    with pytest.raises(ValueError, match=told):
        await withdraw(pool, "sleepers")
    with pytest.raises(ValueError, match="asked for by campaign asking;"):
        await withdraw(pool, "wide")
    with pytest.raises(ValueError, match="unknown segment `byers`; did you mean `buyers`"):
        await withdraw(pool, "byers")
    assert [one.segment.segment for one in await current_segments(pool)] == ["buyers", "sleepers", "wide"]


async def test_a_segmenter_that_has_not_heard_of_a_publication_learns_of_it_in_time(
    pool: Pool, machine: Machine
) -> None:
    """Another one has asked this person about a new segment: an event must not be decided by the old rules."""
    await machine.hear(*orders(1))
    await publish(pool, [BUYERS, Segment(segment="again", when={"orders": {"at_least": 2}})])
    another = await Machine(pool, machine.clock).start()
    await another.by_clock.sweep()
    machine.clock.move_to(NOON + DAY)
    await machine.hear(ordered("customer:0", NOON + DAY, "o2"))
    assert await audiences.count_members(pool, ["buyers", "again"]) == {
        "buyers": audiences.Count(1, 0, 1),
        "again": audiences.Count(1, 0, 1),
    }


async def test_a_condition_is_counted_as_it_holds(pool: Pool, machine: Machine) -> None:
    """By SQL over everybody, at an instant."""
    machine.clock.move_to(NOON + DAY)
    await machine.hear(*orders(5), ordered("customer:1", NOON + DAY, "more"))
    condition = parse_condition({"orders": {"at_least": 2, "within": "2d"}})
    assert (await audiences.count_holding(pool, condition, NOON + DAY, TOKYO)).people == 1
    assert (await audiences.count_holding(pool, condition, NOON + 3 * DAY, TOKYO)).people == 0


async def test_many_people_are_sampled_and_the_error_is_stated(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 6,000 people about 2,000 are looked at, in slices; the true number is within the error stated."""
    members = [person_id("main", f"customer:{index}") for index in range(6_000)]
    segments = ["{}" if index % 5 else '{"sleepers": "2026-04-01T03:00:00Z"}' for index in range(6_000)]
    await pool.execute(
        "INSERT INTO people (person_id, shop, state, facts, segments) "
        "SELECT p, 'main', '{}', '{}', s::jsonb FROM unnest($1::uuid[], $2::text[]) AS n (p, s)",
        members,
        segments,
    )
    await pool.execute("ANALYZE people")
    monkeypatch.setattr(audiences, "COUNTED", 1_000)
    monkeypatch.setattr(audiences, "SAMPLE", 2_000)
    monkeypatch.setattr(audiences, "random", Random(1))
    counts = [(await audiences.count_members(pool, ["sleepers"]))["sleepers"] for _ in range(40)]
    assert all(1_500 < count.sampled < 2_500 for count in counts)
    assert all(0 < count.error < 250 for count in counts)
    within = sum(abs(count.people - 1_200) <= count.error for count in counts)
    assert within >= 32, counts  # 38 of 40 are expected
    assert len({count.people for count in counts}) > 1, "always the same slices"
