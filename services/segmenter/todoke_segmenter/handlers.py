"""A batch of events becomes state and triggers, in one transaction.

May block: on PostgreSQL. May lose: nothing. Repeats are recognised by position and by identity.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import asyncpg

from todoke_segmenter.adapters.people import People, lock_people, save_people
from todoke_segmenter.adapters.unsent import forget_unsent
from todoke_segmenter.domain.happening import Happening, from_ec_event, from_line_event
from todoke_segmenter.domain.shop_records import read_shop_event
from todoke_segmenter.domain.state import fold
from todoke_segmenter.domain.triggers import TriggerRules
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import Clock
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.dead_letters import BadRecord, DeadLetterLimit, dead_letters
from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.postgres.stream import Connection, admit, move_positions, put_outbox
from todoke_shared.telemetry import metrics

Parse = Callable[[Record], Happening | None]


class Segmenter:
    """Handles event batches. `wake` is called after each commit, so that triggers leave at once."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        catalogue: CampaignCatalogue,
        clock: Clock,
        *,
        cluster: str,
        wake: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._clock = clock
        self._cluster = cluster
        self._wake = wake
        self._dead_letter_limit = DeadLetterLimit()
        self._rules = TriggerRules(())
        self._rules_of: tuple[PublishedCampaign, ...] = ()

    async def take_ec_events(self, records: Sequence[Record]) -> None:
        """Shop events, whoever wrote them."""
        now = self._clock.now()
        await self._take(records, lambda record: from_ec_event(read_shop_event(record.value, record.headers, now)))

    async def take_line_events(self, records: Sequence[Record]) -> None:
        """LINE's webhook events."""
        await self._take(records, lambda record: from_line_event(LineEvent.from_json(record.value)))

    async def _take(self, records: Sequence[Record], parse: Parse) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            positions = await move_positions(connection, self._cluster, records)
            happenings, bad = _parse_all(records, parse)
            self._dead_letter_limit.check(good=len(records) - len(bad), bad=bad)
            news = await _news(connection, happenings)
            triggers = await self._apply(connection, news)
            dead = dead_letters(bad, service="segmenter", unless=positions.has_passed)
            await put_outbox(connection, [*dead, *map(_outgoing, triggers)])
            await forget_unsent(connection, [message for happening in news if (message := happening.unsent)])
        for trigger in triggers:
            metrics.TRIGGERS.labels(trigger.campaign, trigger.kind).inc()
        self._wake()

    async def _apply(self, connection: Connection, news: list[Happening]) -> list[Trigger]:
        if not news:
            return []
        people = await lock_people(connection, [(h.shop, name) for h in news for name in h.identifiers])
        rules = self._current_rules()
        triggers = [trigger for happening in news for trigger in _happen(happening, people, rules)]
        await save_people(connection, people)
        return triggers

    def _current_rules(self) -> TriggerRules:
        current = self._catalogue.current
        if current is not self._rules_of:
            self._rules_of = current
            self._rules = TriggerRules(published.campaign for published in current)
        return self._rules


def _parse_all(records: Sequence[Record], parse: Parse) -> tuple[list[Happening], list[BadRecord]]:
    happenings: list[Happening] = []
    bad: list[BadRecord] = []
    for record in records:
        try:
            happening = parse(record)
        except BadMessageError as error:
            bad.append((record, error))
            continue
        if happening is not None:
            happenings.append(happening)
    return happenings, bad


async def _news(connection: Connection, happenings: list[Happening]) -> list[Happening]:
    """What was not known before, in the order in which it happened."""
    by_key = {happening.key: happening for happening in happenings}
    new = await admit(connection, by_key)
    return sorted((by_key[key] for key in new), key=_when)


def _when(happening: Happening) -> tuple[datetime, str]:
    return happening.at, str(happening.key)


def _happen(happening: Happening, people: People, rules: TriggerRules) -> list[Trigger]:
    person = people.link(happening.shop, happening.identifiers)
    state = fold(people.states[person], happening)
    people.put(person, state)
    return rules.decide(happening, person, state)


def _outgoing(trigger: Trigger) -> Outgoing:
    return Outgoing(CUSTOMER_TRIGGERS.name, str(trigger.person).encode(), trigger.to_json())
