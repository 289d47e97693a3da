"""Python imports this by itself when its folder is in PYTHONPATH: from then on the wall clock is wrong."""

import os
import time

_WRONG_BY = int(os.environ["TODOKE_TEST_CLOCK_WRONG_BY"])
_seconds, _nanoseconds = time.time, time.time_ns

time.time = lambda: _seconds() + _WRONG_BY
time.time_ns = lambda: _nanoseconds() + _WRONG_BY * 10**9
