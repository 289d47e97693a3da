"""LINE's own count beside the ledger's, and who is told of what: by one dispatcher of the fleet."""

import asyncio
import logging
from collections import deque
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from tests.support.broadcasts import campaign
from tests.support.deliveries import NOON, request, user_named
from tests.support.dispatching import Bench
from tests.support.line_server import TOKEN, line_server
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.books import Books
from todoke_dispatcher.domain.verdict import Answer
from todoke_dispatcher.overseeing import Overseer
from todoke_dispatcher.ports import MonthPort
from todoke_dispatcher.reconciling import Reconciler
from todoke_shared.accounts import Account

TURN = datetime.fromisoformat("2026-12-01T00:00:00+09:00")


def reconciler(bench: Bench, line: MonthPort, jitter: float = 0.5) -> Reconciler:
    """One dispatcher's."""
    return Reconciler(bench.pool, bench.clock, line, ["main"], lambda: jitter)


async def month(bench: Bench) -> dict[str, object]:
    """LINE's word as it is kept, and what follows from it."""
    row = await bench.pool.fetchrow(
        "SELECT line_limit, line_used, line_ours, elsewhere FROM quotas ORDER BY month DESC LIMIT 1"
    )
    return {} if row is None else dict(row)


async def send(bench: Bench, line: MemoryLine, number: int, name: str, limit: int = 100) -> None:
    """So many messages more are wanted, and go as far as they may."""
    dispatcher = bench.dispatcher(line, monthly_limit=limit, transactional_reserve=0)
    await bench.take(dispatcher, *(request(f"{name}{index}") for index in range(number)))
    while await dispatcher.send_some():
        pass


def metric(name: str, **labels: str) -> float:
    """A metric as Prometheus would read it."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_messages_sent_by_hand_take_room(bench: Bench) -> None:
    """LINE counts eight where we have five: three are somebody else's, and the month has so many less for us."""
    line = MemoryLine(quota=10)
    await send(bench, line, 5, "a", limit=10)
    line.by_hand = 3
    assert await reconciler(bench, line).ask_some() == 1
    assert await month(bench) == {"line_limit": 10, "line_used": 8, "line_ours": 5, "elsewhere": 3}
    await send(bench, line, 5, "b", limit=10)
    assert await bench.states() == {"accepted": 7, "held": 3}
    assert (len(line.requests), line.usage()) == (7, 10), "LINE was never asked for one that does not fit"


async def test_lines_lower_limit_wins(bench: Bench) -> None:
    """And its higher one does not: what the configuration says is what the shop wants to pay."""
    line = MemoryLine(quota=6)
    assert await reconciler(bench, line).ask_some() == 1
    await send(bench, line, 9, "a", limit=8)
    assert await bench.states() == {"accepted": 6, "held": 3}
    line.quota = 20
    bench.clock.move_to(NOON + timedelta(hours=1))
    assert await reconciler(bench, line).ask_some() == 1
    await send(bench, line, 0, "a", limit=8)
    assert await bench.states() == {"accepted": 8, "held": 1}


async def test_what_line_counts_less_is_told_and_never_spent(bench: Bench) -> None:
    """A member of a multicast blocks the account: LINE bills one less, and our room stays what it was."""
    async with (
        line_server(monthly_quota=4) as server,
        open_line(server.url, {"main": TOKEN}, connections=2, timeout_seconds=5) as line,
    ):
        await server.befriend(*(user_named(f"a{index}") for index in range(3)))
        await server.block(user_named("a2"))
        dispatcher = bench.dispatcher(line, monthly_limit=4, transactional_reserve=0)
        await bench.take(dispatcher, *(request(f"a{index}", text="新茶") for index in range(3)))
        while await dispatcher.send_some():
            pass
        assert await reconciler(bench, line).ask_some() == 1
        assert await month(bench) == {"line_limit": 4, "line_used": 2, "line_ours": 3, "elsewhere": 0}
        await server.befriend(*(user_named(f"b{index}") for index in range(3)))
        await bench.take(dispatcher, *(request(f"b{index}") for index in range(3)))
        while await dispatcher.send_some():
            pass
    assert await bench.states() == {"accepted": 4, "held": 2}


async def test_one_dispatcher_of_the_fleet_asks_once_an_hour(bench: Bench) -> None:
    """However many look, and however often; a little more than an hour later it is somebody's turn again."""

    class CountingLine(MemoryLine):
        asked = 0

        async def month(self, account: str) -> tuple[Answer, Answer]:
            self.asked += 1
            await asyncio.sleep(0.01)
            return await super().month(account)

    line = CountingLine()
    fleet = [reconciler(bench, line, 0.99) for _ in range(4)]
    for minutes, asked in ((0, 1), (1, 1), (60, 1), (66, 2)):
        bench.clock.move_to(NOON + timedelta(minutes=minutes))
        await asyncio.gather(*(each.ask_some() for each in fleet))
        assert line.asked == asked, f"after {minutes} minutes"


async def test_a_line_that_does_not_answer_changes_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """What was known stays known; it is told in a metric and a line of the log, and asked again in five minutes."""
    line = MemoryLine(quota=10, by_hand=3)
    assert await reconciler(bench, line).ask_some() == 1
    before, failed = await month(bench), metric("todoke_quota_asked_total", account="main", outcome="failed")
    line.by_hand = 9
    for hours, fault in ((2, "reset"), (4, "server_error"), (6, "garbage_200")):
        bench.clock.move_to(NOON + timedelta(hours=hours))
        line.faults = deque([fault])  # type: ignore[list-item]
        assert await reconciler(bench, line).ask_some() == 0
        assert await month(bench) == before
    assert metric("todoke_quota_asked_total", account="main", outcome="failed") == failed + 3
    told = [each.getMessage() for each in caplog.records if each.name == "todoke.quota"]
    assert sum("LINE does not say how much of account main's month is used" in words for words in told) == 3
    assert await reconciler(bench, line).ask_some() == 0
    bench.clock.move_to(bench.clock.now() + timedelta(minutes=5))
    assert await reconciler(bench, line).ask_some() == 1
    assert (await month(bench))["elsewhere"] == 9


async def test_an_old_months_count_is_never_taken_for_the_new_ones(bench: Bench) -> None:
    """An answer that comes after the turn is left aside, and LINE is not asked until its month has surely turned."""

    class SlowLine(MemoryLine):
        async def month(self, account: str) -> tuple[Answer, Answer]:
            bench.clock.move_to(max(bench.clock.now(), TURN))
            return await super().month(account)

    line = SlowLine(by_hand=5)
    bench.clock.move_to(TURN - timedelta(seconds=1))
    assert await reconciler(bench, line).ask_some() == 0
    bench.clock.move_to(TURN + timedelta(minutes=59))
    assert await reconciler(bench, line).ask_some() == 0
    assert await bench.pool.fetchval("SELECT count(*) FROM quotas WHERE line_at IS NOT NULL") == 0
    bench.clock.move_to(TURN + timedelta(minutes=60))
    assert await reconciler(bench, line).ask_some() == 1
    assert (await month(bench))["elsewhere"] == 5


async def test_each_threshold_is_told_once_a_month_by_one_of_the_fleet(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an account and of a campaign's budget, those that were jumped over too; and again in the new month."""
    caplog.set_level(logging.WARNING, "todoke.quota")
    await bench.publish(campaign("sale", budget={"messages": 4}))
    account = Account(channel_secrets=("s",), access_token="t", monthly_limit=10)
    fleet = [Overseer(bench.pool, bench.clock, Books({"main": account}, 0)) for _ in range(3)]
    line = MemoryLine()

    async def looked() -> list[str]:
        caplog.clear()
        for _ in range(2):
            await asyncio.gather(*(each.look() for each in fleet))
        return sorted(words.partition(":")[0] for words in (each.getMessage() for each in caplog.records))

    await send(bench, line, 6, "a", limit=10)
    assert await looked() == []
    await send(bench, line, 3, "b", limit=10)
    used = "account main has used {}% of its month"
    assert await looked() == [used.format(70), used.format(90)]
    assert await looked() == []
    bench.clock.move_to(TURN)
    dispatcher = bench.dispatcher(line, monthly_limit=10, transactional_reserve=0)
    await bench.take(dispatcher, *(request(f"s{index}", campaign="sale") for index in range(5)))
    while await dispatcher.send_some():
        pass
    budget = "campaign sale has used {}% of its month's budget"
    assert await looked() == [budget.format(percent) for percent in (100, 70, 90)]
    await send(bench, line, 7, "c", limit=10)
    assert await looked() == [used.format(percent) for percent in (100, 70, 90)]


async def test_the_gauges_say_how_the_month_stands(bench: Bench) -> None:
    """Used with what was sent elsewhere, the lower limit, LINE's count, the budget, and where the month will end."""
    await bench.publish(campaign("sale", budget={"messages": 40}), campaign("spring", at="2026-11-28 12:00"))
    await bench.pool.execute(
        "INSERT INTO scheduler.broadcasts (broadcast_id, campaign, due_at, next_at, expected) "
        "VALUES (gen_random_uuid(), 'spring', $1, $1, 70)",
        NOON + timedelta(days=7),
    )
    await bench.pool.executemany(
        "INSERT INTO quota_days (account, day, messages) VALUES ('main', $1, 10)",
        [(NOON.date() - timedelta(days=back),) for back in range(1, 8)],
    )
    line = MemoryLine(quota=90, by_hand=2)
    dispatcher = bench.dispatcher(line, monthly_limit=100)
    await bench.take(dispatcher, *(request(f"s{index}", campaign="sale") for index in range(4)))
    while await dispatcher.send_some():
        pass
    assert await reconciler(bench, line).ask_some() == 1
    account = Account(channel_secrets=("s",), access_token="t", monthly_limit=100)
    await Overseer(bench.pool, bench.clock, Books({"main": account}, 0.1)).look()
    assert metric("todoke_quota_used", account="main") == 6
    assert metric("todoke_quota_limit", account="main") == 90
    assert metric("todoke_quota_line_used", account="main") == 6
    assert metric("todoke_budget_used", campaign="sale") == 4
    assert metric("todoke_budget_limit", campaign="sale") == 40
    # 6 used; today 4 of 10, so 6 more; nine days of 10; the broadcast's 70
    assert metric("todoke_quota_forecast", account="main") == 6 + 6 + 90 + 70
