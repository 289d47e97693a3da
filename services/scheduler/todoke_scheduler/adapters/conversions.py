"""Goals reached, in PostgreSQL."""

from collections.abc import Sequence

from todoke_scheduler.domain.goals import Conversion
from todoke_shared.postgres.stream import Connection

_SAVE = """
INSERT INTO conversions (enrolment_id, trigger_id, campaign, at, amount, holdout)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::float8[], $6::bool[])
ON CONFLICT DO NOTHING
"""


async def save_conversions(connection: Connection, conversions: Sequence[tuple[str, Conversion]]) -> None:
    """Count goals, each with its campaign; one that is counted already stays so."""
    if conversions:
        await connection.execute(
            _SAVE,
            [one.enrolment for _, one in conversions],
            [one.trigger for _, one in conversions],
            [campaign for campaign, _ in conversions],
            [one.at for _, one in conversions],
            [one.amount for _, one in conversions],
            [one.is_holdout for _, one in conversions],
        )
