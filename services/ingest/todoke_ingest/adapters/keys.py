"""The keys in force, held in memory: a request is let in or not without a query, and before a byte of its body is read.

May block: never, in `admit`; `refresh` on PostgreSQL. While PostgreSQL is away the keys last read stay good until they
expire, so that its absence shuts no producer out. Limits are per process of ingest: with three of them behind a load
balancer, a key may be used up to three times as often.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import asyncpg

from todoke_ingest.domain.keys import (
    Limit,
    hash_of,
    not_admitted,
    of_another_purpose,
    presented_key,
    too_often,
    use,
)
from todoke_ingest.requests import Caller, Purpose
from todoke_shared.errors import SlowDownError
from todoke_shared.postgres.queries import load_queries

IN_FORCE_SECONDS = 2.0
"""Within this time a key that was made is taken everywhere, and one that was revoked nowhere (PostgreSQL answering)."""
REFRESH_SECONDS = 1.5
"""Leaves half a second of those two for the query and a busy event loop."""

_SQL = load_queries("todoke_ingest.adapters", "keys.sql")


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A key in force. `expires`: seconds of this process's monotonic clock."""

    caller: Caller
    limit: Limit
    expires: float = inf


class KeyRing:
    """All keys in force, by hash.

    A key is hashed anew for each request: that is half a microsecond, and a cache from the header's text would keep
    keys in memory as they are. `required` is false in a trial: who has no key, or none that is known, is anonymous.
    """

    def __init__(self, keys: Mapping[bytes, LiveKey] | None = None, *, required: bool = True) -> None:
        self._keys = keys or {}
        self._required = required
        self._tats: dict[bytes, int] = {}

    def admit(self, purpose: Purpose, headers: Mapping[str, str], query: str, now: float) -> Caller | None:
        """Whose request it is, counted against its key's limit; None for an anonymous one where that is allowed.

        `headers` by lower-case name; `now` in seconds of the monotonic clock. RequestRefusedError: 401 without a key
        in force, 403 with one of another purpose, 429 with Retry-After for one that is used too often.
        """
        text = presented_key(purpose, headers, query)
        digest = hash_of(text) if text else b""
        key = self._keys.get(digest)
        if key is None or key.expires <= now:
            if self._required:
                raise not_admitted(purpose, given=text is not None)
            return None
        if key.caller.purpose != purpose:
            raise of_another_purpose(purpose, key.caller.purpose)
        self._tats[digest], wait = use(key.limit, self._tats.get(digest, 0), int(now * 1e9))
        if wait:
            raise too_often(purpose, key.limit, wait)
        return key.caller

    def replace(self, keys: Mapping[bytes, LiveKey]) -> None:
        """From now on these keys are in force. One that stays goes on where it stood, unless its limit was changed."""
        before = self._keys
        self._tats = {
            digest: tat
            for digest, tat in self._tats.items()
            if digest in keys and keys[digest].limit == before[digest].limit
        }
        self._keys = keys

    async def refresh(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Read the keys in force. SlowDownError where there is no table for them."""
        asked = time.monotonic()  # before the query: a key may end early by the way there and back, and never late
        try:
            rows = await pool.fetch(_SQL["live_keys"])
        except asyncpg.UndefinedTableError:
            raise SlowDownError("the database is not prepared; run `todoke migrate`") from None
        self.replace({row["key_hash"]: _live_key(row, asked) for row in rows})

    async def follow(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """One round of a loop that keeps the ring true."""
        await self.refresh(pool)
        await asyncio.sleep(REFRESH_SECONDS)


def _live_key(row: asyncpg.Record, asked: float) -> LiveKey:
    left = row["seconds_left"]
    caller = Caller(row["shop"], row["purpose"], row["hint"], tuple(row["origins"]))
    return LiveKey(caller, Limit(row["per_second"], row["burst"]), inf if left is None else asked + left)
