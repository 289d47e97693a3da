"""People as the segmenter publishes them."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

import msgspec
from msgspec.structs import replace
from pydantic import ValidationError

from todoke_scheduler.domain.recipient import PersonNow
from todoke_shared.conditions import Condition
from todoke_shared.people import decode_state
from todoke_shared.people.registers import Register
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection
from todoke_shared.segments.model import Segment

_SQL = load_queries("todoke_scheduler.adapters", "people.sql")
MARKETING = "marketing"
"""The purpose that `consent` asks about."""


async def people_now(
    connection: Connection,
    people: Iterable[UUID],
    *,
    states: Collection[UUID] = (),
    consents: Collection[UUID] = (),
) -> dict[UUID, PersonNow]:
    """These people, under the ids asked for; of `states` all that is known, of `consents` whether they agreed."""
    ids = sorted(set(people))
    if not ids:
        return {}
    known = {
        row["person_id"]: PersonNow(current=row["current_id"], facts=row["facts"])
        for row in await connection.fetch(_SQL["people_now"], ids)
    }
    for row in await connection.fetch(_SQL["friends_of"], ids):
        if (friend := known.get(row["person_id"])) is not None:  # None: they became known between two queries
            friend.line_users.setdefault(row["account"], row["user_id"])
    await _add_states(connection, known, states)
    await _add_consents(connection, known, set(consents) - set(states))
    return known


async def _add_states(connection: Connection, known: dict[UUID, PersonNow], states: Collection[UUID]) -> None:
    if not states:
        return
    for row in await connection.fetch(_SQL["states_of"], sorted(states)):
        before = known.get(row["person_id"], PersonNow())
        try:
            state = decode_state(row["state"])
        except (msgspec.MsgspecError, ValueError):
            known[row["person_id"]] = replace(before, is_readable=False)
        else:
            known[row["person_id"]] = replace(before, state=state, consent=_agreed(state.consents))


async def _add_consents(connection: Connection, known: dict[UUID, PersonNow], people: Collection[UUID]) -> None:
    if not people:
        return
    for row in await connection.fetch(_SQL["consents_of"], sorted(people), MARKETING):
        known[row["person_id"]] = replace(known.get(row["person_id"], PersonNow()), consent=row["agreed"])


def _agreed(consents: Mapping[str, Register]) -> bool | None:
    register = consents.get(MARKETING)
    return register.value if register is not None and isinstance(register.value, bool) else None


async def resolve_subjects(connection: Connection, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Whom these names mean now, by (shop, subject); a name that nobody has is not there."""
    pairs = sorted(set(named))
    rows = await connection.fetch(_SQL["resolve_subjects"], [shop for shop, _ in pairs], [name for _, name in pairs])
    return {(row["shop"], row["identifier"]): row["person_id"] for row in rows}


async def names_of(connection: Connection, people: Collection[UUID]) -> dict[UUID, str]:
    """A name of each of these people, that of the customer before any other."""
    if not people:
        return {}
    return {
        row["person_id"]: row["identifier"] for row in await connection.fetch(_SQL["names_of"], sorted(set(people)))
    }


async def segments_now(connection: Connection) -> dict[str, Condition]:
    """What the published segments ask for, by name; one that this release cannot read is left out."""
    found: dict[str, Condition] = {}
    for row in await connection.fetch(_SQL["segments_now"]):
        try:
            found[row["segment"]] = Segment.model_validate(row["document"]).condition
        except ValidationError:
            continue  # the segmenter says so, in its log
    return found
