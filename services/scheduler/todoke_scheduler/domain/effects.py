"""What a run wants done when it moves on. `step` tells an effect from every other of the run: its position and name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Owed(msgspec.Struct, frozen=True):
    """A message that the person is owed since `due_at`. `question`: the one it asks, with its answers as buttons."""

    message: str
    step: str
    due_at: datetime
    question: str | None = None


class AssignCoupon(msgspec.Struct, frozen=True):
    """A code of this pool for the run; the same one however often it is asked for."""

    pool: str
    step: str


class Publish(msgspec.Struct, frozen=True):
    """An event about the person, to `ec.events.v1`; it happens at `due_at`."""

    type: str
    data: Mapping[str, Any]
    step: str
    due_at: datetime


class LinkRichMenu(msgspec.Struct, frozen=True):
    """Link the rich menu of this alias to the person; None unlinks."""

    menu: str | None
    step: str


class Noted(msgspec.Struct, frozen=True):
    """A line of the decision log. Here `step` is the step's place in the file: `steps[3].then[0]`."""

    sentence: str
    step: str


class LookAgain(msgspec.Struct, frozen=True):
    """Nothing was done, and nothing has changed: wake the run at `at`, and not when it is due."""

    at: datetime


Action = Owed | AssignCoupon | Publish | LinkRichMenu
"""What somebody outside notices."""
Effect = Action | Noted | LookAgain
