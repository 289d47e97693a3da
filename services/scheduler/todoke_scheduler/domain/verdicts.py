"""What a guard says of an action that is due."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from todoke_scheduler.domain.effects import Action, Effect
from todoke_scheduler.domain.enrolment import Enrolment


class Go(msgspec.Struct, frozen=True):
    """It is done now."""


class Hold(msgspec.Struct, frozen=True):
    """It is due at `until`, which is later than now; waits after it count from then. `late`: because it was late."""

    until: datetime
    why: str
    late: bool = False


class Rest(msgspec.Struct, frozen=True):
    """It stays due when it was; look again at `until`, which is later than now. How late it is, is asked then."""

    until: datetime


class Skip(msgspec.Struct, frozen=True):
    """It is never done; the run goes on."""

    why: str


Verdict = Go | Hold | Rest | Skip
GO = Go()

Decide = Callable[[Action, Enrolment, Sequence[Effect]], Verdict]
"""The action, the run, and what it has had done since somebody came to look."""


def unguarded(_: Action, __: Enrolment, ___: Sequence[Effect]) -> Verdict:
    """Everything goes."""
    return GO
