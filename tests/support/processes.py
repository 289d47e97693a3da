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


def descendants(process_id: int) -> set[int]:
    """A process and all that it and its children have started, as they now are."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    family, fresh = {process_id}, [process_id]
    while fresh:
        children = parents.get(fresh.pop(), [])
        family.update(children)
        fresh += children
    return family
