"""Who gets which share: by a hash of what stays the same, so that asking again gives the same answer.

Each question has its own salt, and so its own, independent answer: who is in a campaign's holdout says nothing about
the branches of its splits, nor about the holdout of another campaign.
"""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

_POINTS = 2**64


def in_holdout(campaign: str, percent: int, person: UUID) -> bool:
    """Whether the person is among the `percent` of a hundred who get nothing."""
    return _point("holdout", campaign, person) * 100 < percent * _POINTS


def arm(campaign: str, split: str, shares: Mapping[str, int], person: UUID) -> str:
    """The branch of a split that the person takes, in proportion to the shares (whole numbers).

    They are counted by name: a campaign that comes back from PostgreSQL has lost the order of its file.
    """
    place = _point("split", campaign, split, person) * sum(shares.values()) // _POINTS
    for name, share in sorted(shares.items()):
        if place < share:
            return name
        place -= share
    raise ValueError("a split has at least one share that is not zero")


def spread(run: UUID, over: timedelta) -> timedelta:
    """How long a run waits of a stretch over which many are spread: the same for a run, even over all runs."""
    return over * (_point("spread", run) / _POINTS)


def _point(*parts: object) -> int:
    text = "|".join(map(str, parts))  # neither a campaign's name nor a UUID has a bar in it; a split's stands between
    return int.from_bytes(sha256(text.encode()).digest()[:8])
