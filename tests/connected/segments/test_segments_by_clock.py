"""Segments in PostgreSQL: people enter and leave by the clock, to the instant, however many segmenters see to it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

import todoke_segmenter.by_clock
from tests.support.segment_machines import (
    ASLEEP,
    DAY,
    NOON,
    Machine,
    Pool,
    in_segment,
    orders,
    triggers_of,
)
from tests.support.shop_events import event, ordered
from todoke_segmenter.adapters.memberships import next_check
from todoke_shared.ids import person_id, segment_change_id, trigger_id
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.stream import Connection


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
