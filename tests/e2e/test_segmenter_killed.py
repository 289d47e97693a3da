"""Issue 4, "Must show": segmenter processes killed, frozen and added to under load leave what a reader owes.

Events come one to five times, up to a minute late, as in `tests/pipeline/test_serial_oracle.py`, and
are judged by the same reader. A trigger may lie in its topic twice, and says the same both times: a relay that dies
between Kafka's acknowledgement and its delete publishes its last batch again (todoke_shared/kafka/relay.py), and
whoever reads it knows it by its id. In the outbox each was once: nothing is decided twice.
"""

import asyncio
import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.support.segmenters import A_MOMENT, Segmenters, handled, open_segmenters, produce
from tests.support.serial.arrivals import arrivals
from tests.support.serial.judging import PLAIN, as_it_happened, by_key, differences, unconditional, wrongly_fired
from tests.support.serial.load import STORY, make_load
from tests.support.serial.readings import read_stored, read_triggers
from tests.support.serial.told import Told
from tests.support.topic_records import read_topic, without_repeats
from tests.support.waiting import until
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.kafka.relay import BATCH

logger = logging.getLogger("todoke.test")  # the figures; `--log-cli-level=INFO` shows them

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
EVENTS, KILLS = (50_000, 20) if LONG else (1_000, 2)
PART_SECONDS = 10.0 if LONG else 3.0
FROZEN_SECONDS = 30.0 if LONG else 2.0
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
NOW = NOON + STORY + A_MOMENT
SHOPS = ["north", "south"]
SESSIONS = """
SELECT array_agg(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'todoke-segmenter'
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'inbox'::regclass AND NOT granted AND pid = any($1)"
END_WHAT_IS_FROZEN = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
   AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '1 second'
"""
"""What PostgreSQL does itself after 15 seconds (todoke_shared/postgres/pool.py): what is frozen loses its locks."""

pytestmark = pytest.mark.timeout(1800 if LONG else 300)


@pytest.fixture
async def segmenters(own_kafka: str, postgres_dsn: str, tmp_path: Path) -> AsyncIterator[Segmenters]:
    """The shop's segments and campaigns, and nobody at work yet."""
    async with open_segmenters(postgres_dsn, own_kafka, tmp_path, PLAIN, NOW) as opened:
        yield opened


async def check(segmenters: Segmenters, load: Sequence[Told], *, deaths: int) -> None:
    """State, segments, triggers and inbox are those of a reader to whom nothing has happened."""
    await segmenters.stop()  # the reader takes its time, and the shop's must not pass meanwhile
    stored = await read_stored(segmenters.pool, SHOPS)
    triggers = await read_topic(segmenters.bootstrap_servers, CUSTOMER_TRIGGERS)
    batches = await handled(segmenters.pool, load, NOW)
    inbox = {row["key"] for row in await segmenters.pool.fetch("SELECT key FROM inbox")}

    in_time = PLAIN.reader().read_all([*as_it_happened(load), (NOW, [])])
    assert differences(stored, in_time) == []
    once, again = without_repeats(triggers)
    assert again <= deaths * BATCH
    fired = read_triggers((trigger.record for trigger in once.values()), by_key(load))
    as_handled = PLAIN.reader().read_all(batches)
    assert wrongly_fired(fired, stored, as_handled) == (Counter(), Counter())
    assert unconditional(fired) == unconditional(in_time.settled())
    assert inbox == {told.key for told in load if told.subject}  # the catalogue is a join of its own, and needs none
    logger.info("%d events, %d triggers, %d of them told again, %d deaths", len(load), len(triggers), again, deaths)


async def test_killed_again_and_again_under_load(segmenters: Segmenters) -> None:
    """kill -9 while there is work: nothing is lost, and nothing is decided twice."""
    load = make_load(EVENTS, NOON, seed=9, in_one_order=False)
    sends = [told for _, told in arrivals(load, seed=9)]
    chance = random.Random(9)
    began = time.monotonic()
    size = -(-len(sends) // (KILLS + 1))
    parts = [sends[start : start + size] for start in range(0, len(sends), size)]
    await segmenters.start("one")
    for part in parts[:-1]:
        await segmenters.until_ready("one")
        taken = await segmenters.taken()
        killed = asyncio.Event()  # however fast it works, there is more to come when it is killed
        producing = asyncio.create_task(
            produce(segmenters.bootstrap_servers, part, seconds=PART_SECONDS, last_after=killed)
        )
        await segmenters.until_taken(taken + 1)
        await asyncio.sleep(chance.uniform(0, PART_SECONDS / 2))
        await segmenters.kill("one")
        killed.set()
        if not LONG:
            await segmenters.dismiss(await segmenters.members())
        await segmenters.start("one")
        await producing
    await produce(segmenters.bootstrap_servers, parts[-1], seconds=0)
    await segmenters.until_done()
    logger.info("%d sends, %d kills, %.0f s", len(sends), KILLS, time.monotonic() - began)
    await check(segmenters, load, deaths=KILLS)


async def test_a_zombie_changes_nothing(segmenters: Segmenters) -> None:
    """One is frozen in the middle of its work and another, added meanwhile, has done it when it wakes."""
    load = make_load(EVENTS, NOON, seed=5, in_one_order=False)
    sends = [told for _, told in arrivals(load, seed=5)]
    began = time.monotonic()
    part = len(sends) // 4
    await segmenters.start("zombie")
    await produce(segmenters.bootstrap_servers, sends[:part], seconds=1)
    await segmenters.until_taken(part // 2)
    first, sessions = await segmenters.members(), await segmenters.pool.fetchval(SESSIONS)
    joining = asyncio.create_task(segmenters.start("other"))
    await produce(segmenters.bootstrap_servers, sends[part : 2 * part], seconds=10 if LONG else 2)
    await joining
    await segmenters.until_ready("other")
    async with segmenters.pool.acquire() as holder, holder.transaction():
        await holder.execute("LOCK TABLE inbox IN SHARE MODE")  # so that it has a batch in hand when it is frozen
        await produce(segmenters.bootstrap_servers, sends[2 * part :], seconds=0)
        waiting = partial(segmenters.pool.fetchval, WAITING, sessions)
        await until(waiting, bool, "the one to be frozen has a batch in hand", pause=0.01)
        segmenters.signal("zombie", signal.SIGSTOP)
    frozen_at = time.monotonic()
    if not LONG:
        await segmenters.dismiss(first)
    await asyncio.sleep(max(0.0, frozen_at + FROZEN_SECONDS - time.monotonic()))
    if not LONG:
        await segmenters.pool.execute(END_WHAT_IS_FROZEN)
    await segmenters.until_taken(len(sends))
    segmenters.signal("zombie", signal.SIGCONT)
    await segmenters.until_done()
    wanted = "what the zombie had in hand, and the other has done, it has taken once more"
    handled_twice = await until(partial(_handled, segmenters), lambda number: number > len(sends), wanted)
    logger.info(
        "%d sends, frozen %.0f s, handled %d, %.0f s",
        *(len(sends), FROZEN_SECONDS, handled_twice, time.monotonic() - began),
    )
    await check(segmenters, load, deaths=1)


async def _handled(segmenters: Segmenters) -> int:
    return sum([await segmenters.records_handled(name) for name in ("zombie", "other")])
