"""How tests wait for what must come: they ask again and again, and say what they had when it does not come."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")
PATIENCE = 60.0
"""Seconds: long for what takes moments, since the machine may have much else to do. No test is the slower for it."""


async def until(
    ask: Callable[[], Awaitable[Answer]],
    enough: Callable[[Answer], bool],
    wanted: str,
    *,
    seconds: float = PATIENCE,
    pause: float = 0.05,
) -> Answer:
    """The first answer that is enough. AssertionError after `seconds`, with what was wanted and the last answer."""
    deadline = time.monotonic() + seconds
    while not enough(answer := await ask()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {wanted}; the last answer was {answer!r}"
        await asyncio.sleep(pause)
    return answer


async def as_far_as_it_gets() -> None:
    """Let everything go on that waits for nothing but its turn: by turns, and not by time, which a busy machine takes.

    For what has no clock, no thread and no socket in it.
    """
    for _ in range(100):
        await asyncio.sleep(0)
