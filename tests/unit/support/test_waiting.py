"""Waiting in tests: the answer is handed on, and what does not come is told with what came instead."""

import asyncio

import pytest

from tests.support.waiting import as_far_as_it_gets, until


async def test_the_first_answer_that_is_enough_is_given() -> None:
    """Nobody is asked again after it."""
    answers = iter([1, 2, 3, 4])

    async def ask() -> int:
        return next(answers)

    assert await until(ask, lambda number: number >= 3, "three", pause=0) == 3
    assert list(answers) == [4]


async def test_what_does_not_come_is_told_with_the_last_answer() -> None:
    """Whoever reads the failure knows how far it got."""

    async def ask() -> dict[str, int]:
        return {"accepted": 7}

    with pytest.raises(AssertionError, match=r"not within 0 s: all are accepted; the last answer was {'accepted': 7}"):
        await until(ask, lambda states: states == {"accepted": 8}, "all are accepted", seconds=0)


async def test_what_needs_its_turn_alone_gets_as_far_as_it_can() -> None:
    """However many turns a machine has left by then: it is turns that count."""
    steps: list[int] = []

    async def walk() -> None:
        for step in range(50):
            steps.append(step)
            await asyncio.sleep(0)

    walking = asyncio.create_task(walk())
    await as_far_as_it_gets()
    assert (len(steps), walking.done()) == (50, True)
