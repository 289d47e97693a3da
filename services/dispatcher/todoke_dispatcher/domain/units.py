"""LINE's aggregation units: by their name LINE counts what was opened and tapped (LINE-API.md: statistics).

One unit a campaign step, on pushes and multicasts, never on replies, which know no such field. LINE takes 30 letters,
digits and `_`, tells capitals apart, and 1,000 names a month and account: the others it leaves out without a word.
"""

import re
from hashlib import sha256

LONGEST = 30
MOST_A_MONTH = 1000
FIELD = "customAggregationUnits"

_HASH = 8
"""Hex digits: of 1,000 names two are the same once in eight thousand installations."""
_PLAIN = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")
_OTHER = re.compile(r"[^A-Za-z0-9]+")


def unit_name(campaign: str, step: str) -> str:
    """The unit of a step, always the same.

    `campaign__step` where LINE takes that; else what is left of it, and a hash. Only the former have `__` in them.
    """
    plain = f"{campaign}__{step}"
    if _PLAIN.fullmatch(campaign) and _PLAIN.fullmatch(step) and len(plain) <= LONGEST:
        return plain
    digest = sha256(f"{campaign}|{step}".encode()).hexdigest()[:_HASH]
    readable = _OTHER.sub("_", plain)[: LONGEST - _HASH - 1].strip("_")
    return f"{readable}_{digest}" if readable else digest
