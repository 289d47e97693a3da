"""What the tests of free replies ask of a LINE in memory, and the clock."""

import json
from datetime import timedelta

from tests.support.dispatching import Bench
from todoke_dispatcher.adapters.memory import MemoryLine


def said(line: MemoryLine) -> list[list[str]]:
    """The texts of each request that LINE took, in order."""
    return [[each["text"] for each in json.loads(taken.body)["messages"]] for taken in line.accepted]


def how(line: MemoryLine) -> list[str]:
    """Whether each request that LINE took was a reply."""
    return ["reply" if taken.retry_key is None else "paid" for taken in line.accepted]


async def pass_time(bench: Bench, time: timedelta) -> None:
    """The clock, moved."""
    bench.clock.move_to(bench.clock.now() + time)
