"""kill -9 of each service in turn, under load: every message that is owed is accepted by LINE exactly once."""

import asyncio
import os
import re
from collections import Counter
from datetime import UTC, datetime

from tests.support.running import Running
from tests.support.shop_events import event

ROUNDS = 3 if os.environ.get("TODOKE_TEST_LONG") else 1
ORDERS = 2000
PEOPLE = 100
SERVICES = ("dispatcher", "scheduler", "segmenter", "ingest")
"""Against the flow: each is killed while those before it still give it work."""
PAUSE = 4.0
"""Seconds between kills: a service is killed while the one after it is still coming back, which takes it the ten
seconds that Kafka waits for the dead one."""


async def test_each_message_is_accepted_once_whoever_is_killed(running: Running) -> None:
    """2,000 orders while each service is killed and started again: 2,000 confirmations, and none twice."""
    people = [f"person-{number}" for number in range(PEOPLE)]
    user_ids = await running.befriend(*people)
    await running.until_accepted(PEOPLE, seconds=60)  # the welcomes
    await running.spend_tokens(PEOPLE)  # what a reply came to when its dispatcher died, nobody can ask

    orders = asyncio.create_task(_order(running, [user_ids[name] for name in people]))
    for service in SERVICES * ROUNDS:
        await asyncio.sleep(PAUSE)
        await running.fleet.kill(service)
        await running.fleet.start(service)
    await orders
    await running.until_accepted(PEOPLE + ORDERS, seconds=120)
    await running.until_settled(seconds=60)

    confirmed = Counter(re.findall(r"ご注文番号 (\S+)", "\n".join(await running.texts())))
    assert confirmed == Counter({f"order-{number}": 1 for number in range(ORDERS)})
    stats = await running.account_stats()
    free = await running.pool.fetchval("SELECT count(*) FROM dispatcher.published_deliveries WHERE via = 'reply'")
    assert free <= PEOPLE
    assert stats["billed"] == PEOPLE + ORDERS - free
    ledger = await running.pool.fetch("SELECT state, count(*) FROM dispatcher.deliveries GROUP BY state")
    assert [tuple(row) for row in ledger] == [("accepted", PEOPLE + ORDERS)]
    reserved = await running.pool.fetchval("SELECT sum(transactional + marketing) FROM dispatcher.quotas")
    assert reserved == stats["billed"]


async def _order(running: Running, user_ids: list[str]) -> None:
    """Orders spread over the whole time of the kills, each posted until it is taken."""
    gap = len(SERVICES) * ROUNDS * PAUSE / (ORDERS / 10)
    for start in range(0, ORDERS, 10):
        now = datetime.now(UTC)
        batch = [
            event(
                "order.placed",
                f"line:main:{user_ids[number % PEOPLE]}",
                now,
                {"order_id": f"order-{number}", "amount": 1000 + number},
                event_id=f"order-{number}",
            )
            for number in range(start, start + 10)
        ]
        await running.post_until_taken(*batch)
        await asyncio.sleep(gap)
