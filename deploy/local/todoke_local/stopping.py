"""Ctrl-C and SIGTERM end a command in order: what it started is stopped before it returns."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")
INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended (128 + SIGINT)."""


def run_until_stopped(command: Coroutine[None, None, T]) -> T:
    """Run a command. SystemExit(130) when a signal ended it; a second Ctrl-C changes nothing, it is already ending."""

    async def main() -> T:
        task = asyncio.ensure_future(command)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            raise SystemExit(INTERRUPTED) from None

    return asyncio.run(main())
