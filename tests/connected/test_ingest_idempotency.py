"""Idempotency-Key on real PostgreSQL: a repeat is told the same and counts once, another body is a conflict."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

from tests.support.doors import Doors
from tests.support.ingest_server import until
from tests.unit.ingest.stand_ins import NOW, CheckedTopics, as_bytes, config, event
from todoke_ingest.adapters.idempotency import claim, purge
from todoke_ingest.answers import Answer
from todoke_ingest.domain.cloudevents import BATCH, PLAIN, SINGLE
from todoke_ingest.handlers.events import take_events
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import Caller, DoorRequest
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.envelope import CloudEvent
from todoke_shared.errors import SlowDownError
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Ingest's tables."""
    async with await open_pool(postgres_dsn, application="test", schema="ingest", size=4) as pool:
        yield pool


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def doors(pool: Pool, topics: CheckedTopics) -> Doors:
    """The doors on PostgreSQL."""
    return Doors(Intake(topics, FakeClock(NOW), config(), pool))


async def take(doors: Doors, *events: object, key: str = "k") -> Answer:
    """A batch under a key."""
    return await doors.take_events(as_bytes(list(events)), BATCH, {"Idempotency-Key": key})


def accepted(answer: Answer) -> list[str]:
    """The ids of the events taken."""
    assert answer.status in (202, 207), answer
    ids: list[str] = json.loads(answer.content())["accepted"]
    return ids


async def test_a_repeat_is_answered_the_same_and_counts_once(doors: Doors, topics: CheckedTopics) -> None:
    """Two records at most for each event, both with the one identity by which every reader knows it."""
    batch = [event(id=None), event(id=None, subject="customer:2"), event(id="own"), event(type=None)]
    first, second = await take(doors, *batch), await take(doors, *batch)
    assert first == second
    assert (first.status, len(set(accepted(first)))) == (207, 3)
    identities = [CloudEvent.from_json(record.value).key for record in topics.records]
    assert len(set(identities)) == 3
    assert identities[:3] == identities[3:]


async def test_another_body_under_the_same_key_is_a_conflict(doors: Doors, topics: CheckedTopics) -> None:
    """409 that names the header, and nothing of it is published; under another key it is taken."""
    assert (await take(doors, event())).status == 202
    published = len(topics.records)
    answer = await take(doors, event(id="2"))
    assert (answer.status, b"Idempotency-Key" in answer.content()) == (409, True)
    assert len(topics.records) == published
    assert (await take(doors, event(id="2"), key="k2")).status == 202


async def test_in_binary_mode_the_headers_are_the_body(doors: Doors) -> None:
    """The same data as another event is another request."""
    binary = {"ce-specversion": "1.0", "ce-source": "s", "ce-subject": "visitor:1", "Idempotency-Key": "k"}

    async def status(kind: str) -> int:
        return (await doors.take_events(b"{}", PLAIN, {**binary, "ce-type": kind})).status

    assert [await status(kind) for kind in ("custom.a", "custom.a", "custom.b")] == [202, 202, 409]


async def test_of_two_bodies_at_once_one_is_taken(doors: Doors, topics: CheckedTopics) -> None:
    """Whatever the order; and of twenty of the same body at once all are answered the same."""
    for round_ in range(10):
        answers = await asyncio.gather(*(take(doors, event(id=str(n)), key=f"k{round_}") for n in range(2)))
        assert sorted(answer.status for answer in answers) == [202, 409]
    same = await asyncio.gather(*(take(doors, event(id=None), key="same") for _ in range(20)))
    assert {(answer.status, *accepted(answer)) for answer in same} == {(202, accepted(same[0])[0])}


async def test_what_was_answered_503_is_taken_when_it_comes_again(doors: Doors, topics: CheckedTopics) -> None:
    """The claim is no acknowledgement; but already it holds another body off."""
    topics.away = True
    assert (await take(doors, event())).status == 503
    topics.away = False
    assert (await take(doors, event(id="2"))).status == 409
    assert (await take(doors, event())).status == 202
    assert len(topics.records) == 1


async def test_a_request_of_which_nothing_was_taken_may_be_put_right(doors: Doors) -> None:
    """Its key is free: the sender mends the body and sends it again."""
    assert (await take(doors, event(type=None))).status == 400
    assert (await take(doors, event())).status == 202


async def test_shops_do_not_share_keys(doors: Doors, topics: CheckedTopics) -> None:
    """The same key of two shops, and of a stranger in a trial, are three."""
    ids = []
    for shop in ("main", "outlet", None):
        caller = Caller(shop, "events", "hint") if shop else None
        body = as_bytes(event(id=None, source=f"backend:{shop}"))
        request = DoorRequest(body, {"content-type": SINGLE, "idempotency-key": "k"}, caller=caller)
        ids += accepted(await take_events(doors.intake, request))
    assert len(set(ids)) == 3


async def test_a_key_is_forgotten_after_a_day(pool: Pool) -> None:
    """And not before: the purge takes what is older than 24 hours."""
    assert await claim(pool, "main", "old", b"1" * 32)
    assert await claim(pool, "main", "young", b"1" * 32)
    age = "UPDATE idempotency SET taken_at = now() - $2::text::interval WHERE key = $1"
    await pool.execute(age, "old", "24 hours 1 minute")
    await pool.execute(age, "young", "23 hours 59 minutes")
    purging = asyncio.create_task(purge(pool))

    async def forgotten() -> bool:
        return [row["key"] for row in await pool.fetch("SELECT key FROM idempotency")] == ["young"]

    await until(forgotten)
    purging.cancel()
    assert await claim(pool, "main", "old", b"2" * 32)
    assert not await claim(pool, "main", "young", b"2" * 32)


async def test_without_postgresql_nothing_is_claimed(pool: Pool) -> None:
    """Neither yes nor no, but the error that makes the door answer 503."""
    await pool.close()
    with pytest.raises(SlowDownError):
        await claim(pool, "main", "k", b"1" * 32)
