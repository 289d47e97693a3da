"""kill -9 of each service in turn, under load: every message that is owed is accepted by LINE exactly once."""

import asyncio
import os
import re
from collections import Counter
from datetime import UTC, datetime

from tests.support.running import Running
from tests.support.shop_events import event

ROUNDS = 3 if os.environ.get("TODOKE_TEST_LONG") else 1
PEOPLE = 100
SERVICES = ("dispatcher", "scheduler", "segmenter", "ingest")
"""Against the flow: each is killed while those before it still give it work."""
PAUSE = 4.0
"""Seconds between kills: a service is killed while the one after it is still coming back, which takes it the ten
seconds that Kafka waits for the dead one."""
ORDERS_A_SECOND = 125


async def test_each_message_is_accepted_once_whoever_is_killed(running: Running) -> None:
    """Some 2,000 orders while each service is killed and started again: each has its confirmation, and none two."""
    people = [f"person-{number}" for number in range(PEOPLE)]
    user_ids = await running.befriend(*people)
    await running.until_accepted(PEOPLE)  # the welcomes
    await running.spend_tokens(PEOPLE)  # what a reply came to when its dispatcher died, nobody can ask

    over = asyncio.Event()
    ordering = asyncio.create_task(_order(running, [user_ids[name] for name in people], over))
    for service in SERVICES * ROUNDS:
        await asyncio.sleep(PAUSE)
        await running.fleet.kill(service)
        await running.fleet.start(service)
    over.set()
    orders = await ordering
    await running.until_accepted(PEOPLE + orders, seconds=120)
    await running.until_settled()

    confirmed = Counter(re.findall(r"ご注文番号 (\S+)", "\n".join(await running.texts())))
    assert confirmed == Counter({f"order-{number}": 1 for number in range(orders)})
    stats = await running.account_stats()
    free = await running.pool.fetchval("SELECT count(*) FROM dispatcher.published_deliveries WHERE via = 'reply'")
    assert free <= PEOPLE
    assert stats["billed"] == PEOPLE + orders - free
    ledger = await running.pool.fetch("SELECT state, count(*) FROM dispatcher.deliveries GROUP BY state")
    assert [tuple(row) for row in ledger] == [("accepted", PEOPLE + orders)]
    reserved = await running.pool.fetchval("SELECT sum(transactional + marketing) FROM dispatcher.quotas")
    assert reserved == stats["billed"]


async def _order(running: Running, user_ids: list[str], over: asyncio.Event) -> int:
    """Orders one after the other until the kills are over, each posted until it is taken; how many there were."""
    orders = 0
    while not over.is_set():
        now = datetime.now(UTC)
        batch = [
            event(
                "order.placed",
                f"line:main:{user_ids[number % PEOPLE]}",
                now,
                {"order_id": f"order-{number}", "amount": 1000 + number},
                event_id=f"order-{number}",
            )
            for number in range(orders, orders + 10)
        ]
        await running.post_until_taken(*batch)
        orders += len(batch)
        await asyncio.sleep(len(batch) / ORDERS_A_SECOND)
    return orders
