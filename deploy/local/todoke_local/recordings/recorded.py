"""One event of a recording."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """A CloudEvent, when it happened, and the person's name in the recording (None: about nobody)."""

    at: datetime
    person: str | None
    event: dict[str, Any]
