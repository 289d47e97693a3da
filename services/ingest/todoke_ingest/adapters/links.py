"""Where tokens lead, read from PostgreSQL and kept in memory.

One query is under way at a time, for all the tokens asked for meanwhile: guessing costs a place in it, not a query
each. While PostgreSQL is away, what is in memory still leads where it led.
May block: on PostgreSQL, for its call timeout. May lose: nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import asyncpg
from cachetools import LRUCache, TTLCache

from todoke_ingest.domain.clicks import Link, MessageOfLink
from todoke_shared.errors import SlowDownError
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_ingest.adapters", "links.sql")

KEPT = 50_000
"""Links in memory, some 50 MB: more than are clicked on in an hour after a broadcast."""
FRESH_SECONDS = 60.0
"""A person who is erased is no longer named by clicks after so long."""
UNKNOWN_SECONDS = 5.0
"""A link may be given out the moment it is stored."""
A_QUERY = 500
MOST_WAITING = 5_000
"""Beyond it somebody is guessing faster than PostgreSQL answers."""

_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


LookUp = Callable[[Sequence[str]], Awaitable[Iterable[Link]]]
"""Tokens -> those of them that are links. SlowDownError when nobody can tell now."""


def in_postgres(pool: "asyncpg.Pool[asyncpg.Record]") -> LookUp:
    """Looks links up in the dispatcher's published view."""

    async def look_up(tokens: Sequence[str]) -> list[Link]:
        try:
            return [_link(row) for row in await pool.fetch(_SQL["find_links"], tokens)]
        except _AWAY as error:
            raise SlowDownError(f"PostgreSQL does not answer: {type(error).__name__}") from error

    return look_up


class Links:
    """The links of an installation. `seconds` is a clock that never goes back."""

    def __init__(self, look_up: LookUp, seconds: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._seconds = seconds
        self._known: LRUCache[str, tuple[float, Link]] = LRUCache(KEPT)
        # Apart, so that guesses push no link out.
        self._unknown: TTLCache[str, None] = TTLCache(KEPT, UNKNOWN_SECONDS, timer=seconds)
        self._asked: dict[str, asyncio.Future[Link | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, token: str) -> Link | None:
        """The link, or None when there is none. SlowDownError when nobody can tell now."""
        kept = self._known.get(token)
        if kept is not None and self._seconds() - kept[0] < FRESH_SECONDS:
            return kept[1]
        if kept is None and token in self._unknown:
            return None
        try:
            return await self._ask(token)
        except SlowDownError:
            if kept is None:
                raise
            return kept[1]

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
        _fail(self._asked.values(), SlowDownError("ingest is stopping"))
        self._asked.clear()

    async def _ask(self, token: str) -> Link | None:
        answer = self._asked.get(token)
        if answer is None:
            if len(self._asked) >= MOST_WAITING:
                raise SlowDownError("too many links are being looked up")
            answer = self._asked[token] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answer_all(), name="links")
        return await asyncio.shield(answer)  # others wait for it too

    async def _answer_all(self) -> None:
        while self._asked:
            tokens = list(self._asked)[:A_QUERY]
            try:
                found = {link.token: link for link in await self._look_up(tokens)}
            except SlowDownError as error:
                _fail([self._asked.pop(token) for token in tokens], error)
            else:
                self._learn(tokens, found)

    def _learn(self, tokens: Iterable[str], found: Mapping[str, Link]) -> None:
        for token in tokens:
            link = found.get(token)
            if link is None:
                self._unknown[token] = None
                self._known.pop(token, None)
            else:
                self._known[token] = (self._seconds(), link)
            answer = self._asked.pop(token)
            if not answer.done():
                answer.set_result(link)


def _fail(answers: Iterable["asyncio.Future[Link | None]"], error: SlowDownError) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may have gone


def _link(row: asyncpg.Record) -> Link:
    message = None
    if row["account"] is not None:  # of one message, or of all its copies
        message = MessageOfLink(row["message_id"], row["account"], row["lane"], row["person_id"], row["enrolment_id"])
    return Link(row["token"], row["destination"], row["shop"], row["campaign"], row["step"], message, row["expires_at"])
