"""Processes on a machine whose clock is wrong.

libfaketime shifts every clock call of the process, where it is installed (`apt-get install faketime`; elsewhere
`TODOKE_TEST_FAKETIME` names the library). Without it `injected/sitecustomize.py` shifts what Python's `time` tells.
"""

import os
from pathlib import Path

INJECTED = Path(__file__).with_name("injected")


def libfaketime() -> Path | None:
    """Where the library is; None when it is not there."""
    named = os.environ.get("TODOKE_TEST_FAKETIME")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def clock_wrong_by(seconds: int) -> dict[str, str]:
    """The environment of a process whose wall clock is ahead by so much, or behind where it is negative."""
    library = libfaketime()
    if library is None:
        return {"PYTHONPATH": str(INJECTED), "TODOKE_TEST_CLOCK_WRONG_BY": str(seconds)}
    # Durations are right on such a machine: libfaketime would else hold up what waits by the monotonic clock.
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
