"""Background loops that outlive what they depend on: a failed round is counted, told once, and tried again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from todoke_shared.errors import for_the_log
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.loops")
LONGEST_PAUSE_SECONDS = 5.0


async def keep_running(name: str, round_: Callable[[], Awaitable[None]]) -> None:
    """Call `round_` again and again until cancelled. It paces itself when all is well; errors are paced here."""
    pause = 0.1
    while True:
        try:
            await round_()
        except Exception as error:  # noqa: BLE001 - a loop that dies silently is the worst failure of all
            metrics.LOOP_ERRORS.labels(name, type(error).__name__).inc()
            logger.warning("%s failed (%s), again in %.1f s", name, for_the_log(error), pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        else:
            pause = 0.1


class Loops:
    """A service's background loops: started together, stopped together."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, round_: Callable[[], Awaitable[None]]) -> None:
        """Keep `round_` running until `stop`."""
        self._tasks.append(asyncio.create_task(keep_running(name, round_), name=name))

    async def stop(self) -> None:
        """Cancel every loop and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
