"""The rate row in PostgreSQL does what the model in domain/rate.py does, whoever asks at the same time."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.deliveries import NOON
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.channels import Endpoint
from todoke_dispatcher.domain.rate import HORIZON, Slots, spacing_us, take_slots, to_us

RATE = 2000


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A rate row that nobody has taken from."""
    async with open_bench(postgres_dsn) as bench:
        async with bench.pool.acquire() as connection:
            await channels.add(connection, ["main"])
        yield bench


async def test_sql_and_model_give_the_same_slots(bench: Bench) -> None:
    """One taker, 400 wishes at irregular instants, at four rates, the clock set back now and then: slot for slot."""
    chance = random.Random(1)
    tat, wall = 0, NOON
    async with bench.pool.acquire() as connection:
        for index in range(400):
            per_second = (1, 7, 200, RATE)[index // 100]
            wall += timedelta(microseconds=chance.choice([-900, 0, 137, 20_000, 300_000]))
            wall -= timedelta(hours=index % 40 == 39)
            wanted = chance.randrange(1, 600)
            tat, expected = take_slots(tat, to_us(wall), wanted, spacing_us(per_second))
            assert await channels.take_slots(connection, Endpoint("main", "push", per_second), wall, wanted) == expected


async def test_takers_at_the_same_time_share_one_sequence(bench: Bench) -> None:
    """Six takers side by side: their slots are disjoint, and in their order exactly what the model gives."""
    taken: list[tuple[int, int, Slots]] = []

    ticks = itertools.count()

    async def take(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            wall = NOON + timedelta(milliseconds=10 * next(ticks))  # together they ask for a little more than there is
            wanted = chance.randrange(1, 45)
            async with bench.pool.acquire() as connection, connection.transaction():
                slots = await channels.take_slots(connection, Endpoint("main", "push", RATE), wall, wanted)
            taken.append((to_us(wall), wanted, slots))

    await asyncio.gather(*(take(seed) for seed in range(6)))
    granted = sorted((each for each in taken if each[2].count), key=lambda each: each[2].first)
    assert len(granted) > 100
    instants = [to_us(instant) for _, _, slots in granted for instant in slots.instants()]
    assert all(later - earlier >= spacing_us(RATE) for earlier, later in itertools.pairwise(instants))
    assert all(slots.first - wall < HORIZON // timedelta(microseconds=1) for wall, _, slots in granted)
    tat = 0
    for wall, wanted, slots in granted:
        tat, expected = take_slots(tat, wall, wanted, spacing_us(RATE))
        assert slots == expected


async def test_a_claim_that_fails_gives_its_slots_back(bench: Bench) -> None:
    """They were never used: the next taker gets the same ones."""
    endpoint = Endpoint("main", "push", RATE)
    async with bench.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        lost = await channels.take_slots(connection, endpoint, NOON, 10)
        await transaction.rollback()
        assert await channels.take_slots(connection, endpoint, NOON, 10) == lost
        assert (await channels.take_slots(connection, endpoint, NOON, 10)).first > lost.first
