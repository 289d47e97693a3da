"""Segments in PostgreSQL: by the clock to the instant, shared by several, whole or not at all; published, counted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeAlias

import asyncpg
import pytest

import todoke_segmenter.by_clock
from tests.support.shop_events import event, ordered
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters import audiences
from todoke_segmenter.adapters.memberships import next_check
from todoke_segmenter.adapters.publishing import Publication, publish, withdraw
from todoke_segmenter.adapters.segments import SegmentCatalogue, current_segments
from todoke_segmenter.by_clock import ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.clock import FakeClock
from todoke_shared.conditions import parse_condition
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import person_id, segment_change_id, trigger_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.people import TOKYO
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection
from todoke_shared.segments.model import Segment

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ASLEEP = NOON + 60 * DAY
SLEEPERS = Segment(segment="sleepers", when={"last_order": {"before": "60d"}})
BUYERS = Segment(segment="buyers", when={"orders": {"at_least": 1}})
WIN_BACK = Campaign.model_validate(
    {
        "campaign": "win-back",
        "class": "marketing",
        "enter": {"on": "segment.entered", "segment": "sleepers", "again": "always"},
        "exit": [{"on": "segment.left", "segment": "sleepers"}],
        "steps": [{"send": "text"}],
        "messages": {"text": [{"type": "text", "text": "お久しぶりです"}]},
    }
)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Everybody's tables, one segment, one campaign for who enters it."""
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as scheduler_pool:
        await publish_campaigns(scheduler_pool, [WIN_BACK])
    async with await open_pool(postgres_dsn, application="test", schema="segmenter") as opened:
        await publish(opened, [SLEEPERS])
        yield opened


class Machine:
    """A segmenter as a start makes it: it knows what the database knows."""

    def __init__(self, pool: Pool, clock: FakeClock) -> None:
        self.campaigns, self.segments, self.clock = CampaignCatalogue(pool), SegmentCatalogue(pool), clock
        self.segmenter = Segmenter(
            pool, self.campaigns, clock, cluster="test", wake=lambda: None, segments=self.segments
        )
        self.by_clock = ByClock(pool, self.segmenter.rulebook, clock, wake=lambda: None)
        self._offset = 0

    async def start(self) -> "Machine":
        """Learn what is published."""
        await self.segments.refresh()
        await self.campaigns.refresh()
        return self

    async def hear(self, *events: dict[str, Any]) -> None:
        """A batch."""
        records = [
            Record(EC_EVENTS.name, 0, self._offset + number, None, dumps(one)) for number, one in enumerate(events)
        ]
        self._offset += len(events)
        await self.segmenter.take_ec_events(records)


@pytest.fixture
async def machine(pool: Pool) -> Machine:
    """One, at noon."""
    return await Machine(pool, FakeClock(NOON)).start()


async def triggers_of(pool: Pool) -> list[Trigger]:
    """What waits in the outbox, in order."""
    rows = await pool.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", CUSTOMER_TRIGGERS.name)
    return [Trigger.from_json(row["value"]) for row in rows]


async def in_segment(pool: Pool, segment: str) -> list[audiences.Member]:
    """Who is listed."""
    async with pool.acquire() as connection, aclosing(audiences.list_members(connection, segment)) as members:
        return sorted([member async for member in members], key=lambda member: member.customers)


def orders(number: int, at: datetime = NOON) -> list[dict[str, Any]]:
    """One each of so many customers."""
    return [ordered(f"customer:{index}", at, f"o{index}") for index in range(number)]


async def test_people_enter_at_the_instant_and_not_before(pool: Pool, machine: Machine) -> None:
    """A microsecond before nobody is due; a second late, the trigger still bears the instant, and an id of its own."""
    await machine.hear(*orders(2))
    assert await next_check(pool) == ASLEEP
    machine.clock.move_to(ASLEEP - timedelta(microseconds=1))
    assert await machine.by_clock.check_due() == 0
    machine.clock.move_to(ASLEEP + timedelta(seconds=1))
    assert await machine.by_clock.check_due() == 2
    assert await machine.by_clock.check_due() == 0
    person = person_id("main", "customer:0")
    [trigger] = [trigger for trigger in await triggers_of(pool) if trigger.person == person]
    cause = segment_change_id("sleepers", person, ASLEEP)
    assert (trigger.kind, trigger.at, trigger.id) == ("enter", ASLEEP, trigger_id(cause, "win-back", "enter", person))
    assert trigger.cause is not None
    assert (trigger.cause.type, trigger.cause.key) == ("segment.entered", cause)
    assert [(member.customers, member.since) for member in await in_segment(pool, "sleepers")] == [
        (("customer:0",), ASLEEP),
        (("customer:1",), ASLEEP),
    ]


async def test_several_segmenters_share_the_people(
    pool: Pool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side by side, in small claims: everybody once."""
    await machine.hear(*orders(60))
    machine.clock.move_to(ASLEEP)
    monkeypatch.setattr(todoke_segmenter.by_clock, "CLAIM", 7)
    machines = [machine, *[await Machine(pool, machine.clock).start() for _ in range(2)]]

    async def work(one: Machine) -> int:
        done = 0
        while claimed := await one.by_clock.check_due():
            done += claimed
        return done

    assert sum(await asyncio.gather(*map(work, machines))) == 60
    told = await triggers_of(pool)
    assert len(told) == len({trigger.person for trigger in told}) == 60


async def test_a_crash_between_leaves_nothing_and_loses_nothing(
    pool: Pool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails after the memberships were written and before the triggers were: neither is there, and both come."""
    await machine.hear(*orders(3))
    machine.clock.move_to(ASLEEP)

    async def fail(connection: Connection, outgoing: Sequence[Outgoing]) -> None:
        assert await connection.fetchval("SELECT count(*) FROM people WHERE segments ? 'sleepers'") == 3
        assert len(outgoing) == 3
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(todoke_segmenter.by_clock, "put_outbox", fail)
        with pytest.raises(ConnectionResetError):
            await machine.by_clock.check_due()
    assert (await in_segment(pool, "sleepers"), await triggers_of(pool)) == ([], [])
    assert await (await Machine(pool, machine.clock).start()).by_clock.check_due() == 3
    assert (len(await in_segment(pool, "sleepers")), len(await triggers_of(pool))) == (3, 3)


async def test_an_order_in_time_puts_off_the_sleep_without_touching_the_queue(pool: Pool, machine: Machine) -> None:
    """The instant waited for stays where it is; when it comes nothing is told, and the next one is the right one."""
    await machine.hear(*orders(1))
    machine.clock.move_to(NOON + DAY)
    await machine.hear(ordered("customer:0", NOON + DAY, "again"))
    assert await next_check(pool) == ASLEEP
    machine.clock.move_to(ASLEEP)
    assert await machine.by_clock.check_due() == 1
    assert (await triggers_of(pool), await next_check(pool)) == ([], ASLEEP + DAY)


async def test_an_event_does_first_what_the_clock_had_not_done_yet(pool: Pool, machine: Machine) -> None:
    """Nobody looked for ten days: the order's batch tells that they slept, then that they left."""
    await machine.hear(*orders(1))
    machine.clock.move_to(ASLEEP + 10 * DAY)
    await machine.hear(ordered("customer:0", ASLEEP + 10 * DAY, "again"))
    assert [(trigger.kind, trigger.at) for trigger in await triggers_of(pool)] == [
        ("enter", ASLEEP),
        ("exit", ASLEEP + 10 * DAY),
    ]


async def test_a_merge_moves_memberships_and_leaves_nobody_behind(pool: Pool, machine: Machine) -> None:
    """Two sleepers turn out to be one: one member, no trigger; the other row waits for nothing."""
    await machine.hear(*orders(2))
    machine.clock.move_to(ASLEEP)
    await machine.by_clock.check_due()
    await machine.hear(event("customer.identified", "customer:0", ASLEEP, {"identifiers": ["customer:1"]}))
    assert [member.customers for member in await in_segment(pool, "sleepers")] == [("customer:0", "customer:1")]
    assert [trigger.kind for trigger in await triggers_of(pool)] == ["enter", "enter"]


async def test_who_was_merged_is_in_nothing_and_waits_for_nothing(pool: Pool, machine: Machine) -> None:
    """Only the one who remains does."""
    await machine.hear(*orders(2))
    await machine.hear(event("customer.identified", "customer:0", NOON, {"identifiers": ["customer:1"]}))
    rows = await pool.fetch("SELECT merged_into IS NULL AS remains, next_check_at FROM people ORDER BY remains")
    assert [tuple(row) for row in rows] == [(False, None), (True, ASLEEP)]


async def test_who_is_locked_is_not_waited_for(pool: Pool, machine: Machine) -> None:
    """A batch of events has one of them in hand: the others are done, and that one is the next to be claimed."""
    await machine.hear(*orders(3))
    machine.clock.move_to(ASLEEP)
    async with pool.acquire() as busy, busy.transaction():
        await busy.execute("SELECT FROM people LIMIT 1 FOR UPDATE")
        async with asyncio.timeout(3):
            assert await machine.by_clock.check_due() == 2
    assert await machine.by_clock.check_due() == 1


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
