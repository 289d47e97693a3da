"""What is known of the person whose run it is, and its answers to what campaigns and their guards ask."""

import logging
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from todoke_shared.conditions import Any_, Condition, ConditionError, resolve
from todoke_shared.conditions.attributes import DATE_PREFIX
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import Compiled, Moment, compile_condition
from todoke_shared.people.conditions.dates import date_of

logger = logging.getLogger("todoke.conditions")

_NOBODY = Any_(())
"""Holds of nobody."""
_UNKNOWN = PersonState()


class PersonNow(msgspec.Struct, frozen=True):
    """A person as the segmenter knows them. `current`: whom their id means now; None: it is not known at all.

    `line_users` by account: friends only. `state`: all that is known, where the campaign asks for it, else nothing.
    `consent` to marketing; None: they were not asked, or it does not matter here. Not `is_readable`: something is known
    that this release cannot read.
    """

    current: UUID | None = None
    line_users: dict[str, str] = {}
    facts: dict[str, Any] = {}
    state: PersonState = _UNKNOWN
    consent: bool | None = None
    is_readable: bool = True


class Conditions:
    """Conditions, each compiled once. `segments`: what a segment's name in them asks for."""

    def __init__(self, segments: Mapping[str, Condition] | None = None) -> None:
        self._segments = segments or {}
        self._compiled: dict[tuple[Condition, str], Compiled] = {}

    def compiled(self, condition: Condition, account: str) -> Compiled:
        """The condition for a campaign of this account; one that names a segment which is gone holds of nobody."""
        found = self._compiled.get((condition, account))
        if found is None:
            found = self._compiled[condition, account] = compile_condition(self._resolved(condition), account)
        return found

    def _resolved(self, condition: Condition) -> Condition:
        try:
            return resolve(condition, self._segments)
        except ConditionError as error:
            logger.error("a condition of a campaign holds of nobody now: %s", error)
            return _NOBODY


class Asked(msgspec.Struct):
    """A person as a run of theirs asks, at `now`. `event`: what started the run."""

    person: PersonNow
    conditions: Conditions
    account: str
    now: datetime
    event: Mapping[str, Any] | None
    _moment: Moment | None = None

    def holds(self, condition: Condition) -> bool:
        """Whether a condition holds, by the very answer that the segmenter gives."""
        if self._moment is None:
            self._moment = Moment.at(self.now, TOKYO, self.event)
        return self.conditions.compiled(condition, self.account).holds(self.person.state, self._moment)

    def date(self, name: str) -> date | datetime | None:
        """A date of the profile; None when none is known."""
        register = self.person.state.profile.get(name.removeprefix(DATE_PREFIX))
        return None if register is None else date_of(register.value)

    def is_friend(self, account: str) -> bool:
        """Whether they are a friend of this account now."""
        return account in self.person.line_users

    def consents(self) -> bool | None:
        """Whether they agreed to marketing; None when they were not asked."""
        return self.person.consent
