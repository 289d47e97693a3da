"""Clicks on campaigns' messages, out of `message.outcomes.v1`, for reports: each, and the first of each message.

May block: on PostgreSQL. May lose: nothing. May repeat: anything; a click is known by its id, and the earliest click of
a message is the same.
What nobody can read is put aside by the segmenter, which reads the same topic; two dead letters would be one too many.
"""

from collections.abc import Iterable, Sequence

import asyncpg

from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.stream import Connection, move_positions

_KEEP = """
INSERT INTO clicks (message_id, campaign, at)
SELECT message_id, campaign, min(at)
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS c (message_id, campaign, at)
 GROUP BY message_id, campaign ORDER BY message_id
ON CONFLICT (message_id) DO UPDATE SET at = excluded.at WHERE excluded.at < clicks.at
"""
_COUNT = """
INSERT INTO every_click (click_id, campaign, step, message_id, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[]) ORDER BY 1
ON CONFLICT DO NOTHING
"""


class Clicks:
    """Takes outcomes, and keeps of them who clicked."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, cluster: str) -> None:
        self._pool = pool
        self._cluster = cluster

    async def take_outcomes(self, records: Sequence[Record]) -> None:
        """A batch, in one transaction."""
        clicks = list(_clicks(records))
        async with self._pool.acquire() as connection, connection.transaction():
            await move_positions(connection, self._cluster, records)
            if clicks:
                await _keep(connection, clicks)


async def _keep(connection: Connection, clicks: Sequence[Outcome]) -> None:
    of_one = [click for click in clicks if click.message is not None]
    await connection.execute(
        _KEEP,
        [click.message for click in of_one],
        [click.campaign for click in of_one],
        [click.at for click in of_one],
    )
    await connection.execute(
        _COUNT,
        [click.id for click in clicks],
        [click.campaign for click in clicks],
        [click.step for click in clicks],
        [click.message for click in clicks],
        [click.at for click in clicks],
    )


def _clicks(records: Iterable[Record]) -> Iterable[Outcome]:
    for record in records:
        if b'"clicked"' not in (record.value or b""):
            continue  # nearly all are the dispatcher's; reading them takes a hundred times as long
        try:
            outcome = Outcome.from_json(record.value)
        except BadMessageError:
            continue
        if outcome.state == "clicked" and outcome.campaign is not None:
            yield outcome
