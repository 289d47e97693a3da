"""What `todoke campaigns preview` reads: who is in a campaign, and what is known of them. Nothing is written."""

from uuid import UUID

from todoke_scheduler.adapters.enrolments import enrolment_of
from todoke_scheduler.adapters.people import people_now
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.recipient import PersonNow
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "previewing.sql")
LONGEST_SECONDS = 60.0
"""Among ten million runs those of a campaign take seconds: there is no index for what nobody waits for."""
_RUNS_EACH = 10
"""Runs looked at for each person wanted: some people come in again and again."""


async def latest_runs(connection: Connection, campaign: str, people: int) -> list[Enrolment]:
    """The newest run of each of those who came in last, so many people at most. Within a transaction."""
    await connection.execute("SET LOCAL statement_timeout = 0")  # an operator waits longer than a service may
    newest: dict[UUID, Enrolment] = {}
    for row in await connection.fetch(_SQL["latest_runs"], campaign, people * _RUNS_EACH, timeout=LONGEST_SECONDS):
        run = enrolment_of(row)
        newest.setdefault(run.person, run)
    return list(newest.values())[:people]


async def all_known(connection: Connection, people: list[UUID]) -> dict[UUID, PersonNow]:
    """These people under the ids asked for, with all that is known of them."""
    return await people_now(connection, people, states=set(people))
