"""A helper program that lives exactly as long as the program that started it.

The protocol, both sides of which are in this file:

1. The parent starts `python -m MODULE ARGUMENTS` with a pipe on its stdin and its stdout.
2. The child prints one line on stdout when it can be used: a JSON object of strings.
3. The child winds down when its stdin ends. The parent closes it to stop the child; the kernel closes it
   when the parent dies, by kill -9 too. Nothing is ever written to it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import IO

READY_TIMEOUT = 60.0
"""Seconds for a child to become ready: PostgreSQL's initdb takes 1 to 2, some 20 on a loaded two-core machine."""

STOP_TIMEOUT = 30.0
"""Seconds for a child to wind down before it is killed: PostgreSQL's fast shutdown writes one checkpoint."""


class ChildProgram:
    """The parent's side. Bound to no event loop: it may be started on one and stopped on another."""

    def __init__(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        """`environment`: variables beside the parent's own. `log`: where its stderr goes on being written."""
        self._command = (sys.executable, "-m", module, *arguments)
        self._environment = {**os.environ, **(environment or {})}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    @property
    def process_id(self) -> int:
        """The child's process id. RuntimeError while it does not run."""
        if self._process is None:
            raise RuntimeError(f"{self._command[2]} is not running: start it first.")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the child was started and has not ended, by itself or by stop()."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> Mapping[str, str]:
        """Start the child and return what it printed when ready.

        Raises RuntimeError, with the end of the child's stderr, where it ends or stays silent instead.
        """
        if self._process is not None:
            raise RuntimeError(f"{self._command[2]} is already running: stop it before starting it again.")
        # A file, not a pipe: nobody reads stderr while the child runs, and a full pipe would block it.
        # Closed by stop().
        self._errors = self._log.open("a+b") if self._log else tempfile.TemporaryFile()  # noqa: SIM115
        # Not asyncio's: its processes are bound to the loop that started them. Forking takes milliseconds.
        self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=self._environment,
        )
        try:
            line = await asyncio.wait_for(asyncio.to_thread(self._read_ready_line), READY_TIMEOUT)
        except TimeoutError:
            await self._fail(f"was not ready within {READY_TIMEOUT:.0f} seconds")
        except BaseException:
            await self.stop()
            raise
        if not line:
            await self._fail("ended before it was ready")
        ready: dict[str, str] = json.loads(line)
        return ready

    async def stop(self) -> None:
        """Wind the child down and wait for its end; killed if it takes more than STOP_TIMEOUT. Harmless twice."""
        process, self._process = self._process, None
        if process is not None:
            # Shielded: a second Ctrl-C must not leave the child half stopped.
            await asyncio.shield(asyncio.to_thread(_wind_down, process))
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _read_ready_line(self) -> bytes:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101 - for the type checker
        return self._process.stdout.readline()

    async def _fail(self, what: str) -> None:
        process, errors = self._process, self._errors
        assert process is not None and errors is not None  # noqa: S101 - for the type checker
        self._process = None
        await asyncio.to_thread(_wind_down, process)
        errors.seek(0)
        tail = errors.read().decode(errors="replace")[-2000:].strip()
        await self.stop()
        raise RuntimeError(f"{self._command[2]} {what}. The end of what it said:\n{tail or '(nothing)'}")


def _wind_down(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def keep_for_parent() -> None:
    """The child's side, first thing: leave it to the parent when to end.

    Ctrl-C and a closed terminal signal the whole process group. The services need their Kafka and PostgreSQL
    for their own orderly stop, so the child waits for its stdin to end instead. SIGTERM is meant for the child alone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _exit)


def serve_until_parent_ends(**ready: str) -> None:
    """The child's side, once usable: tell the parent how to reach it, then wait for the parent's end."""
    print(json.dumps(ready), flush=True)  # noqa: T201 - stdout is the protocol
    while sys.stdin.buffer.read(1024):
        pass


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
