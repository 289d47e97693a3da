"""What tests need to know of processes: whether they run, and how long to wait until they do not."""

import asyncio
import os
import time
from pathlib import Path


def is_running(process_id: int) -> bool:
    """Whether a process runs. A zombie (ended, not yet collected by its parent) does not."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process_id}/stat")
    # The state is the field behind the command's name, which stands in parentheses and may hold any character.
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")


async def wait_until_gone(process_id: int, *, seconds: float = 15.0) -> None:
    """Return when the process has ended; AssertionError where it still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while is_running(process_id):
        assert time.monotonic() < deadline, f"process {process_id} still runs after {seconds} seconds"
        await asyncio.sleep(0.05)
