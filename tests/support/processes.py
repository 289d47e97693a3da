"""What tests need to know of processes: whether they run, and how long to wait until they do not."""

import asyncio
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def start_module(module: str, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
    """Start `python -m module` as a terminal would: where the project is, and in a process group of its own, so that
    Ctrl-C reaches all that it starts. All it says is on its stdout. `settings`: beside the environment.
    """
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "200"} | settings,
        start_new_session=True,
    )


async def run_module(module: str, *arguments: str, seconds: float = 60.0, **settings: str) -> tuple[int | None, str]:
    """Start one and wait for its end: its exit code, and what it said."""
    process = await start_module(module, *arguments, **settings)
    said, _ = await asyncio.wait_for(process.communicate(), seconds)
    return process.returncode, said.decode()


async def until_it_says(process: asyncio.subprocess.Process, words: str, *, seconds: float = 60.0) -> str:
    """Return what a process has said once these words are in it; AssertionError where it ends without them."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(seconds):
        while words not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    return said


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
