"""What stands behind every door: the way into Kafka, the clock, the configuration, PostgreSQL."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field

import asyncpg

from todoke_ingest.adapters.keys import KeyRing
from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.answers import Answer, try_again
from todoke_ingest.domain.cloudevents import ReadEvent, read_event
from todoke_ingest.domain.line_webhook import as_it_came
from todoke_shared.accounts import Config
from todoke_shared.clock import Clock
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.kafka.records import Outgoing, Publisher
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.seldom import Seldom

STRUCTURED = {"content-type": "application/cloudevents+json; charset=UTF-8", "todoke-service": "ingest"}
"""Names structured mode to readers of the topic (CloudEvents Kafka binding, 3.3), and who has held it to the rules."""


@dataclass(frozen=True, slots=True)
class BadEvent:
    """An event that is out of the vocabulary: its place in the request, itself, and why."""

    index: int
    raw: object
    error: BadMessageError


@dataclass(frozen=True)
class Intake:
    """Takes events once and for all: what it has published is durable, whatever happens next.

    May block: on the publisher, for its deadline. May lose: nothing that it has published. May repeat: what was
    answered 503 and is sent again; readers recognise an event by its id. `pool` is None where a door that needs
    PostgreSQL is not used (the in-process pipeline). `keys` lets nobody in unless it is told otherwise.
    `is_crowded`: whether what anybody may send has to wait outside, since the spool is filling. `seldom`: when the log
    was last told of an account's webhooks.
    """

    publisher: Publisher
    clock: Clock
    config: Config
    pool: "asyncpg.Pool[asyncpg.Record] | None" = None
    keys: KeyRing = field(default_factory=KeyRing)
    redirects: Redirects | None = None
    is_crowded: Callable[[], bool] = lambda: False
    seldom: Seldom = field(default_factory=Seldom)

    @property
    def database(self) -> "asyncpg.Pool[asyncpg.Record]":
        """PostgreSQL, for a door that cannot do without."""
        if self.pool is None:
            raise RuntimeError("this door needs PostgreSQL; open the intake with a pool")
        return self.pool

    def sort_out(
        self,
        raws: Iterable[object],
        *,
        shop: str | None = None,
        strict: bool = False,
        accounts: Container[str] | None = None,
    ) -> tuple[list[ReadEvent], list[BadEvent]]:
        """Hold CloudEvents against the vocabulary, each by itself. `shop`, `strict`, `accounts` as in `read_event`."""
        now = self.clock.now()
        good: list[ReadEvent] = []
        bad: list[BadEvent] = []
        for index, raw in enumerate(raws):
            try:
                good.append(read_event(raw, now, shop=shop, strict=strict, accounts=accounts))
            except BadMessageError as error:
                bad.append(BadEvent(index, raw, error))
        return good, bad

    async def take_translated(
        self, door: str, raws: Sequence[object], *, origin: str
    ) -> tuple[list[ReadEvent], list[BadEvent]]:
        """Publish what a platform said, translated to CloudEvents; what is out of the vocabulary as dead letters.

        For senders that would not put right what is wrong: an automatic retry of theirs would fail for ever.
        `origin` names the door and whose it is, such as `POST /webhooks/shopify/main`. SlowDownError when nothing of
        it may be relied on.
        """
        good, bad = self.sort_out(raws)
        records = [event_record(event) for event in good]
        records += [dead_letter(EC_EVENTS.dead_letters, one.raw, one.error, origin) for one in bad]
        if records:
            await self.publisher.publish(records)
        metrics.EVENTS_ACCEPTED.labels(door).inc(len(good))
        if bad:
            metrics.DEAD_LETTERS.labels(EC_EVENTS.name).inc(len(bad))
        return good, bad

    async def take_webhook(self, door: str, raws: Sequence[object], *, origin: str) -> Answer:
        """As `take_translated`, for a platform that looks for nothing in the answer but its status: 200, or 503."""
        try:
            await self.take_translated(door, raws, origin=origin)
        except SlowDownError:
            metrics.EVENTS_REFUSED.labels(door, "503").inc(len(raws))
            return try_again("Nothing of this is durable yet; deliver it again")
        return Answer(200)


def event_record(event: ReadEvent) -> Outgoing:
    """A shop event as a record of its topic."""
    return Outgoing(EC_EVENTS.name, event.key, event.value, STRUCTURED)


def dead_letter(topic: str, raw: object, error: BadMessageError, origin: str) -> Outgoing:
    """What nobody could read, as it came, and why (docs/topics.md: dead letters)."""
    return Outgoing(
        topic=topic,
        key=None,
        value=as_it_came(raw),
        headers={
            "todoke-service": "ingest",
            "todoke-reason": error.reason,
            "todoke-field": error.field or "",
            "todoke-origin": origin,
        },
    )
