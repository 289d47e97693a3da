"""The program behind a fleet's service: `python -m todoke_local.service_process NAME`, alive as long as its parent."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module

RUNNERS = {
    "ingest": "todoke_ingest.main",
    "segmenter": "todoke_segmenter.main",
    "scheduler": "todoke_scheduler.main",
    "dispatcher": "todoke_dispatcher.main",
    "simulator": "todoke_line_simulator.main",
}
"""The modules whose `run` serves until told to stop, in the order of the flow."""


def runner(name: str) -> Callable[[], None]:
    """The function that runs a service. Imported late: a process needs its own service alone."""
    module = import_module(RUNNERS[name])
    run: Callable[[], None] = module.run
    return run


def _stop_with_parent() -> None:
    # Not through sys.stdin: its lock, held here at the process's end, is a fatal error of Python's.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(name: str) -> None:
    """Run the service in a session of its own, so that Ctrl-C in the terminal reaches the parent alone."""
    os.setsid()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    print(json.dumps({"service": name}), flush=True)  # noqa: T201 - the protocol of embedded.child
    runner(name)()


if __name__ == "__main__":
    main(sys.argv[1])
