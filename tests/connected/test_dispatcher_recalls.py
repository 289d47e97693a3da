"""A broadcast is cancelled: what of it has not gone out does not, and everything else does."""

from datetime import timedelta

import pytest

from tests.support.deliveries import NOON, crowd, request, user_named
from tests.support.dispatching import Bench
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_scheduler.adapters import broadcasts
from todoke_shared.postgres.pool import open_pool

SECOND = timedelta(seconds=1)


async def plan(bench: Bench, campaign: str, *, done: bool = False) -> None:
    """A broadcast of noon; `done`: everybody has entered."""
    async with await open_pool(bench.dsn, application="test", schema="scheduler", size=1) as pool:
        await broadcasts.plan(pool, [(campaign, NOON)])
        if done:
            await pool.execute("UPDATE broadcasts SET state = 'done', ended_at = $1", NOON)


async def cancel(bench: Bench, name: str) -> list[str]:
    """What `todoke broadcast cancel` does, now."""
    async with await open_pool(bench.dsn, application="test", schema="scheduler", size=1) as pool:
        return [one.campaign for one in await broadcasts.cancel(pool, name, bench.clock.now())]


def received(line: MemoryLine) -> set[str]:
    """Whom LINE has taken a message for."""
    return {to for taken in line.accepted for to in taken.to}


@pytest.mark.parametrize("done", [False, True], ids=["under way", "everybody has entered"])
async def test_what_waits_of_a_cancelled_broadcast_is_dropped_and_told_of(bench: Bench, done: bool) -> None:
    """Each by itself and in crowds; other campaigns, and what the campaign owes later, go out."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await plan(bench, "sale", done=done)
    await bench.take(dispatcher, crowd("a", "b", "c", campaign="sale"), request("d", campaign="sale"))
    await bench.take(dispatcher, request("other", campaign="news"), request("nobody's"))
    bench.clock.move_to(NOON + SECOND)
    assert await cancel(bench, "sale") == ["sale"]
    bench.clock.move_to(NOON + 2 * SECOND)
    await bench.take(dispatcher, request("later", campaign="sale", due_at=NOON + 2 * SECOND))
    await dispatcher.send_some()
    await dispatcher.send_some()
    assert received(line) == {user_named(name) for name in ("other", "nobody's", "later")}
    assert await bench.states() == {"accepted": 3, "dropped": 4}
    assert [each.reason for each in await bench.outcomes() if each.state == "dropped"] == ["cancelled"] * 4
    assert await bench.reserved() == 3


async def test_a_group_that_waits_for_a_time_slot_is_taken_back(bench: Bench) -> None:
    """Formed before the broadcast was cancelled, and not sent: as if it had never been formed."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await plan(bench, "sale")
    await bench.use_up("multicast")
    await bench.take(dispatcher, crowd("a", "b", "c", campaign="sale"))
    await bench.take(dispatcher, *(request(name, text="セール", campaign="sale") for name in ("d", "e")))
    await bench.take(dispatcher, *(request(name, text="新茶", campaign="news") for name in ("f", "g")))
    await dispatcher.send_some()
    assert await bench.pool.fetchval("SELECT count(*) FROM multicasts WHERE state = 'waiting'") == 3
    bench.clock.move_to(NOON + SECOND)
    await cancel(bench, "sale")
    for _ in range(3):
        await dispatcher.send_some()
    assert received(line) == {user_named("f"), user_named("g")}
    assert await bench.states() == {"accepted": 2, "dropped": 5}
    assert [each.reason for each in await bench.outcomes() if each.state == "dropped"] == ["cancelled"] * 5
    assert await bench.reserved() == 2


async def test_what_line_may_have_is_asked_for_until_line_says(bench: Bench) -> None:
    """Its answer was lost: only LINE knows, so it is asked again with the same key, and counted."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await plan(bench, "sale")
    await bench.take(dispatcher, crowd("a", "b", campaign="sale"))
    line.faults.append("reset_after_accept")
    await dispatcher.send_some()
    await cancel(bench, "sale")
    bench.clock.move_to(NOON + timedelta(minutes=1))
    await dispatcher.send_some()
    assert await bench.states() == {"accepted": 2}
    assert len(line.accepted) == 1


async def test_a_broadcast_of_long_ago_is_not_cancelled(bench: Bench) -> None:
    """It is over: there is nothing to stop, and its campaign's later messages are none of its."""
    await plan(bench, "sale", done=True)
    bench.clock.move_to(NOON + timedelta(days=2))
    assert await cancel(bench, "sale") == []
