"""A batch of events becomes state and triggers, in one transaction.

May block: on PostgreSQL. May lose: nothing. Repeats are recognised by position and by identity.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from todoke_segmenter.adapters.account_links import links_made
from todoke_segmenter.adapters.layout import check_layout
from todoke_segmenter.adapters.people import People, lock_people, save_people
from todoke_segmenter.adapters.products import save_products
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.adapters.unsent import forget_unsent
from todoke_segmenter.domain.happening import Happening, from_ec_event, from_line_event, from_outcome
from todoke_segmenter.domain.products import ProductTold, product_told
from todoke_segmenter.domain.segments import Change, LiveSegments
from todoke_segmenter.domain.shop_records import read_shop_event
from todoke_segmenter.domain.state import fold
from todoke_segmenter.domain.triggers import TriggerRules, latest_of_each
from todoke_segmenter.outgoing import count_changes, outgoing
from todoke_segmenter.rulebook import Rulebook
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import Clock
from todoke_shared.contracts.ec_events import CAMPAIGN_REQUESTS
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.triggers import MadeTrigger
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.dead_letters import BadRecord, DeadLetterLimit, dead_letters
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.stream import Connection, admit, move_positions, put_outbox

_CLICKED = b'"clicked"'
Parse = Callable[[Record], Happening | None]


class Segmenter:
    """Handles event batches. `wake` is called after each commit, so that triggers leave at once."""

    def __init__(  # noqa: PLR0913 - what it stands on
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        catalogue: CampaignCatalogue,
        clock: Clock,
        *,
        cluster: str,
        wake: Callable[[], None],
        segments: SegmentCatalogue | None = None,
    ) -> None:
        self._pool = pool
        self.rulebook = Rulebook(catalogue, segments or SegmentCatalogue(pool))
        self._clock = clock
        self._cluster = cluster
        self._wake = wake
        self._dead_letter_limit = DeadLetterLimit()

    async def take_ec_events(self, records: Sequence[Record]) -> None:
        """Shop events, whoever wrote them."""
        now = self._clock.now()
        products: list[ProductTold] = []

        def parse(record: Record) -> Happening | None:
            event = read_shop_event(record.value, record.headers, now)
            happening = from_ec_event(event)
            if told := product_told(event):
                products.append(told)
            return happening

        await self._take(records, parse, products)

    async def take_line_events(self, records: Sequence[Record]) -> None:
        """LINE's webhook events."""
        await self._take(records, lambda record: from_line_event(LineEvent.from_json(record.value)))

    async def take_outcomes(self, records: Sequence[Record]) -> None:
        """Clicks on messages' links. What the dispatcher tells of its messages lies in the same topic."""
        now = self._clock.now()
        await self._take(records, lambda record: _click(record, now))

    async def _take(self, records: Sequence[Record], parse: Parse, products: Sequence[ProductTold] = ()) -> None:
        """`products` is filled by `parse`."""
        async with self._pool.acquire() as connection, connection.transaction():
            await check_layout(connection)
            positions = await move_positions(connection, self._cluster, records)
            happenings, bad = _parse_all(records, parse)
            self._dead_letter_limit.check(good=len(records) - len(bad), bad=bad)
            news = await _news(connection, happenings)
            # In one instant, first who is who: the sort keeps the order of those that happened together.
            news = sorted([*await links_made(connection, news), *news], key=_instant)
            changes, triggers = await self._apply(connection, news)
            await save_products(connection, products)
            dead = dead_letters(bad, service="segmenter", unless=positions.has_passed)
            await put_outbox(connection, [*dead, *map(outgoing, triggers)])
            await forget_unsent(connection, [message for happening in news if (message := happening.unsent)])
        count_changes(changes, triggers)
        self._wake()

    async def _apply(self, connection: Connection, news: list[Happening]) -> tuple[list[Change], list[MadeTrigger]]:
        if not news:
            return [], []
        if requested := [happening.raw["campaign"] for happening in news if happening.type in CAMPAIGN_REQUESTS]:
            await self.rulebook.know(requested, connection)
        people = await lock_people(connection, news)
        newest = max(membership.revision or 0 for membership in people.memberships.values())
        now = self._clock.now()
        live = LiveSegments(await self.rulebook.at_least(newest, connection), now)
        decided = _Decided(people, live, self.rulebook.triggers)
        decided.catch_up()
        for happening in news:
            decided.happen(happening)
        for membership in people.memberships.values():
            live.look_ahead(membership)
        await save_people(connection, people, now)
        return decided.changes, latest_of_each(decided.triggers)  # an event may do by a segment what it does by itself


class _Decided:
    """What a batch comes to, happening by happening."""

    def __init__(self, people: People, live: LiveSegments, rules: TriggerRules) -> None:
        self._people = people
        self._live = live
        self._rules = rules
        self.changes: list[Change] = []
        self.triggers: list[MadeTrigger] = []

    def catch_up(self) -> None:
        """What time has changed of these people before any of the news."""
        for person, membership in self._people.memberships.items():
            self._change(person, self._live.catch_up(person, membership, self._people.states[person]), may_start=True)

    def happen(self, happening: Happening) -> None:
        """One event: who, what is known of them now, which campaigns and segments it concerns."""
        people = self._people
        if not people.knows(happening):
            return
        person = people.who(happening)
        before = people.states[person]
        state = fold(before, happening)
        people.put(person, state)
        self.triggers += self._rules.decide(happening, person, state, before)
        at = happening.at.astimezone(UTC)
        for one in dict.fromkeys((*people.touched, person)):
            membership = people.memberships.get(one)
            if membership is not None:  # a person who was merged is somebody else now
                changes = self._live.follow(membership, people.states[one], at, happening.key, silent=happening.history)
                self._change(one, changes, may_start=not happening.standby)
        people.touched.clear()

    def _change(self, person: UUID, changes: list[Change], *, may_start: bool) -> None:
        people = self._people
        for change in changes:
            self.changes.append(change)
            self.triggers += self._rules.decide_change(
                change, person, people.shops[person], people.states[person], may_start=may_start
            )


def _click(record: Record, now: datetime) -> Happening | None:
    """None without a look inside for what is no click: most outcomes are none."""
    return from_outcome(Outcome.from_json(record.value), now) if _CLICKED in (record.value or b"") else None


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
    by_key = {happening.key: happening for happening in reversed(happenings)}  # the first counts, as between batches
    new = await admit(connection, by_key) if by_key else ()
    return sorted((by_key[key] for key in new), key=_when)


def _instant(happening: Happening) -> datetime:
    return happening.at


def _when(happening: Happening) -> tuple[datetime, int]:
    return happening.at, happening.key.int
