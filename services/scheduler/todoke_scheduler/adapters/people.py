"""People as the segmenter publishes them."""

from collections.abc import Iterable
from uuid import UUID

from todoke_scheduler.domain.owing import PersonNow
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "people.sql")


async def people_now(connection: Connection, people: Iterable[UUID]) -> dict[UUID, PersonNow]:
    """What messages need to know of these people, under the ids asked for."""
    ids = sorted(set(people))
    if not ids:
        return {}
    known = {row["person_id"]: PersonNow(facts=row["facts"]) for row in await connection.fetch(_SQL["people_now"], ids)}
    for row in await connection.fetch(_SQL["friends_of"], ids):
        known[row["person_id"]].line_users.setdefault(row["account"], row["user_id"])
    return known
