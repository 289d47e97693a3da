"""The three tables that make a room exactly-once: consumed positions, the inbox and the outbox.

They live in the room's own schema, and a batch changes them in the same transaction as the room's state:
a crash before the commit leaves nothing, a crash after it leaves everything, and what comes again, from Kafka or from
its producer, is recognised by its identity. Positions make rival consumers take turns and keep a bad record
that comes again from being dead-lettered again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeAlias
from uuid import UUID

import asyncpg

from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_shared.postgres", "stream.sql")

OUTBOX_SHARDS = 8
"""How many relays may publish side by side; a person's records always leave through the same shard."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


@dataclass(frozen=True)
class Positions:
    """How far each partition of a batch had been consumed before it."""

    before: Mapping[tuple[str, int], int]

    def has_passed(self, record: Record) -> bool:
        """Whether this place in its partition was consumed before: a restart, a zombie, or a topic made again."""
        return record.offset < self.before[record.topic, record.partition]


async def move_positions(connection: Connection, cluster: str, records: Sequence[Record]) -> Positions:
    """Lock the partitions of a batch and move their positions past it.

    The lock makes rival consumers of a partition take turns, so that what one has committed the next one sees.
    A position tells a record that comes again, and never that its content is known: offsets begin anew when a topic is
    made again or a log loses its tail. What must not be done twice is recognised by identity.
    """
    ends: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        ends[place] = max(ends.get(place, 0), record.offset + 1)
    places = sorted(ends)
    rows = await connection.fetch(
        _SQL["advance_positions"],
        cluster,
        [topic for topic, _ in places],
        [partition for _, partition in places],
        [ends[place] for place in places],
    )
    return Positions({(row["topic"], row["partition"]): row["before"] for row in rows})


async def admit(connection: Connection, keys: Iterable[UUID]) -> set[UUID]:
    """Put identities into the inbox and give those that were not there."""
    rows = await connection.fetch(_SQL["admit"], sorted(set(keys), key=attrgetter("int")))
    return {row["key"] for row in rows}


async def put_outbox(connection: Connection, outgoing: Sequence[Outgoing]) -> None:
    """Store records to be published once this transaction has committed."""
    if outgoing:
        await connection.execute(
            _SQL["put_outbox"],
            [shard_of(record.key) for record in outgoing],
            [record.topic for record in outgoing],
            [record.key for record in outgoing],
            [record.value for record in outgoing],
            [record.headers_json or None for record in outgoing],
        )


def shard_of(key: bytes | None) -> int:
    """The outbox shard of a key: the same person, the same shard, so the same order."""
    return sum(key or b"") % OUTBOX_SHARDS


async def purge_inbox(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Forget what no redelivery can bring back, some at a time; then rest."""
    forgotten = await pool.execute(_SQL["purge_inbox"])
    await asyncio.sleep(1 if forgotten != "DELETE 0" else 60)
