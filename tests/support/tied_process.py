"""A program that runs another one and ends it when the test run ends, by kill -9 too.

Started by `ChildProgram("tests.support.tied_process", LOG_FILE, COMMAND, ARGUMENT...)`: the command's output
is appended to the log file; the ready line gives its `process_id`. The command gets SIGTERM first, and 20 seconds
to follow it.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from todoke_local.embedded.child import keep_for_parent, serve_until_parent_ends


def main(log_file: Path, command: list[str]) -> None:
    """Run the command until it or the parent ends."""
    keep_for_parent()
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    threading.Thread(target=_end_with, args=(process,), daemon=True).start()
    try:
        serve_until_parent_ends(process_id=str(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _end_with(process: "subprocess.Popen[bytes]") -> None:
    process.wait()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
