"""Fault test 15: a month of 5,000 messages, four times as many wanted, three dispatchers, and LINE over HTTP.

In `make test` a tenth of it; the whole with TODOKE_TEST_LONG=1.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.support.broadcasts import campaign
from tests.support.deliveries import request
from tests.support.dispatching import Bench, open_bench
from tests.support.line_server import TOKEN, LineServer, line_server
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.pump import pumping
from todoke_dispatcher.reconciling import Reconciler
from todoke_shared.clock import SampledClock
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
QUOTA = 5_000 if LONG else 500
BUDGET = QUOTA // 5
NOTICES = QUOTA // 10
"""Transactional messages: as many as the reserve has places."""


@dataclass
class Fleet:
    """Three dispatchers, each with connections of its own, and the LINE that they send to."""

    bench: Bench
    clock: SampledClock
    dispatchers: list[Dispatcher]
    line: LineServer
    reconciler: Reconciler


@pytest.fixture
async def fleet(postgres_dsn: str) -> AsyncIterator[Fleet]:
    """LINE's month is as large as ours; a campaign `sale` may use a fifth of it."""
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(open_bench(postgres_dsn))
        await bench.publish(campaign("sale", budget={"messages": BUDGET}), campaign("care"))
        clock = SampledClock(await sample_clock(bench.pool))
        line = await stack.enter_async_context(line_server(monthly_quota=QUOTA))
        client = await stack.enter_async_context(
            open_line(line.url, {"main": TOKEN}, connections=30, timeout_seconds=10)
        )
        dispatchers = []
        for index in range(3):
            pool = await open_pool(postgres_dsn, application=f"d{index}", schema="dispatcher")
            stack.push_async_callback(pool.close)
            own = Bench(postgres_dsn, pool)
            dispatchers.append(own.dispatcher(client, clock=clock, monthly_limit=QUOTA, transactional_reserve=0.1))
        reconciler = Reconciler(bench.pool, clock, client, ["main"], lambda: 0.5)
        yield Fleet(bench, clock, dispatchers, line, reconciler)


async def test_three_dispatchers_send_exactly_the_months_messages(fleet: Fleet) -> None:
    """LINE's count is the ledger's is the quota; the campaign has its budget; the rest is held, nothing is lost."""
    bench = fleet.bench
    sale = [request(f"s{index}", text="セール", campaign="sale") for index in range(QUOTA)]
    care = [request(f"c{index}", text="お知らせ", campaign="care") for index in range(3 * QUOTA - NOTICES)]
    notices = [request(f"n{index}", text=f"発送{index}") for index in range(NOTICES)]
    await fleet.line.befriend(*(each.to for each in (*sale, *care, *notices)))
    await bench.take(fleet.dispatchers[0], *sale, *care)
    await bench.take(fleet.dispatchers[0], *notices, lane="transactional")
    async with AsyncExitStack() as running:
        for dispatcher in fleet.dispatchers:
            await running.enter_async_context(pumping(dispatcher, 60))
        async with asyncio.timeout(120):
            while (await bench.states()).keys() - {"accepted", "held"}:
                await fleet.reconciler.ask_some()  # while they send: nothing of ours is taken for somebody else's
                await bench.pool.execute("UPDATE quotas SET ask_line_at = '-infinity'")
                await asyncio.sleep(0.1)
    assert await bench.states() == {"accepted": QUOTA, "held": 3 * QUOTA}
    assert await bench.reserved() == QUOTA
    assert (await fleet.line.stats())["usage"] == QUOTA
    owed = await bench.owed()
    assert owed["sale"] <= BUDGET and sum(owed.values()) == QUOTA - NOTICES, "whoever came first: three take them up"
    accepted = await bench.pool.fetchval(
        "SELECT count(*) FROM deliveries WHERE lane='transactional' AND state='accepted'"
    )
    assert accepted == NOTICES
    row = await bench.pool.fetchrow("SELECT * FROM quotas WHERE month = $1", month_of(fleet.clock.wall()))
    assert row is not None
    assert (row["elsewhere"], row["line_limit"], row["parked"]) == (0, QUOTA, None)
