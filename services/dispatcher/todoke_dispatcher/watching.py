"""Runs what looks after the month beside the sending: LINE's count, gauges, thresholds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from todoke_dispatcher.overseeing import Overseer
from todoke_dispatcher.reconciling import Reconciler
from todoke_shared.telemetry.loops import Loops

LOOK_SECONDS = 60.0
"""How soon an account's hour, or a passed threshold, is noticed. Counting what waits may take a second."""


@asynccontextmanager
async def keeping_watch(reconciler: Reconciler, overseer: Overseer) -> AsyncIterator[None]:
    """Look in the background until the block ends."""
    loops = Loops()

    async def ask() -> None:
        await reconciler.ask_some()
        await asyncio.sleep(LOOK_SECONDS)

    async def look() -> None:
        await overseer.look()
        await asyncio.sleep(LOOK_SECONDS)

    loops.start("ask LINE", ask)
    loops.start("oversee", look)
    try:
        yield
    finally:
        await loops.stop()
