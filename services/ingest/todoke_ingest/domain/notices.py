"""What a shop's webhook tells when it carries ids only: this has changed, fetch it. The shop does not say it again."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Action = Literal["created", "updated", "deleted"]

FIRST_LOOK = timedelta(seconds=2)
"""EC-CUBE sends its webhooks before its transaction is committed (docs/eccube.md): at once there is nothing to see."""
SETTLED = timedelta(seconds=15)
"""By now it is: a look before this one is followed by another. EC-CUBE waits 5 s for a slow webhook of somebody else,
five of them at a time, and commits after that."""
TOO_OLD = timedelta(days=7)
"""What happened this long before the notice was told by nobody in time, and is history: `todoke import` brings it."""
GIVEN_UP = timedelta(days=7)
"""A shop that cannot be asked for this long is not coming back; the notice becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An entity of a shop, and what is said to have happened to it."""

    entity: str
    entity_id: str
    action: Action


@dataclass(frozen=True, slots=True)
class Asked:
    """A look at an entity: what was said of it, when that was, and when it is now (both real time)."""

    platform: str
    shop: str
    notice: Notice
    received_at: datetime
    now: datetime
    told: frozenset[str]

    @property
    def is_settled(self) -> bool:
        """Whether the shop has surely committed what it gave notice of."""
        return self.now >= self.received_at + SETTLED

    def new_of(self, course: Iterable[tuple[str, datetime]]) -> list[tuple[str, datetime]]:
        """What of a course of happenings has not been told yet, and is not history."""
        oldest = self.received_at - TOO_OLD
        return [(name, at) for name, at in course if name not in self.told and at >= oldest]

    def event(
        self, type_: str, id_: str, time: datetime, data: Mapping[str, object], subject: str | None = None
    ) -> dict[str, object]:
        """A CloudEvent of this shop, without what `data` has None for; never ahead of us, as its clock may be."""
        return {
            "specversion": "1.0",
            "id": id_,
            "source": f"{self.platform}:{self.shop}",
            "type": type_,
            "time": min(time, self.now).isoformat(),
            "shop": self.shop,
            "subject": subject,
            "data": {name: value for name, value in data.items() if value is not None},
        }


@dataclass(frozen=True, slots=True)
class Telling:
    """What there is to tell: CloudEvents, and the facts among them that are told once and for all."""

    events: Sequence[dict[str, object]] = ()
    facts: frozenset[str] = frozenset()


def merge(notices: Iterable[Notice]) -> list[Notice]:
    """One notice per entity, the last said; but what was created and then updated was created."""
    merged: dict[tuple[str, str], Notice] = {}
    for notice in notices:
        before = merged.get((notice.entity, notice.entity_id))
        if before is None or (before.action, notice.action) != ("created", "updated"):
            merged[notice.entity, notice.entity_id] = notice
    return list(merged.values())


def next_try(now: datetime, attempts: int, jitter: float) -> datetime:
    """When to ask again after the `attempts`-th failure: 5 s, 10 s, … at most an hour. `jitter` from 0 to 1."""
    longest = min(5.0 * 2.0 ** min(attempts - 1, 20), 3600.0)
    return now + timedelta(seconds=longest * (0.5 + jitter / 2))


def digest(data: object) -> str:
    """What tells two states apart, for the id of an event that is told of each."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]
