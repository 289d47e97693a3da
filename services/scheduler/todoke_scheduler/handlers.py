"""Triggers start and end runs; timers move them on; what they owe goes into the outbox. Each batch is one transaction.

May block: on PostgreSQL. May lose: nothing. May repeat: nothing; a run's message has one id whatever happens.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from todoke_scheduler.adapters.conversions import save_conversions, save_heard
from todoke_scheduler.adapters.decisions import Decision, save_decisions
from todoke_scheduler.adapters.enrolments import lock_enrolments
from todoke_scheduler.adapters.journeys import lock_journeys, save_marks, take_turns
from todoke_scheduler.adapters.people import resolve_subjects
from todoke_scheduler.adapters.timers import DueTimers, Timer, next_due
from todoke_scheduler.deciding import decide
from todoke_scheduler.domain import words
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.goals import Conversion
from todoke_scheduler.domain.guards import Standing
from todoke_scheduler.domain.recipient import Conditions
from todoke_scheduler.domain.shops import concerns
from todoke_scheduler.looking import Looks
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import Clock
from todoke_shared.contracts.ec_events import CAMPAIGN_REQUESTS
from todoke_shared.contracts.triggers import Trigger, TriggerRecord
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.dead_letters import BadRecord, DeadLetterLimit, dead_letters
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.stream import Connection, admit, move_positions, put_outbox
from todoke_shared.shops import Shop
from todoke_shared.telemetry import metrics

_NO_SHOPS: Mapping[str, Shop] = {}
_ANY_SHOP: Mapping[str, str] = {}
CLAIM = 1000
"""Timers a transaction: enough to share its cost, few enough to keep it short (some 50 ms)."""


class Scheduler:
    """Handles trigger batches and due timers. `wake` is called after each commit.

    `shops`: their caps, by name. `shop_of`: the shop of each account; without it every campaign is every shop's.
    """

    def __init__(  # noqa: PLR0913 - what it stands on
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        catalogue: CampaignCatalogue,
        *,
        cluster: str,
        wake: Callable[[], None],
        shops: Mapping[str, Shop] = _NO_SHOPS,
        shop_of: Mapping[str, str] = _ANY_SHOP,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._catalogue = catalogue
        self._cluster = cluster
        self._wake = wake
        self._looks = Looks(catalogue, clock, shops)
        self._shop_of = shop_of
        self._due = DueTimers()
        self._dead_letter_limit = DeadLetterLimit()

    async def take_triggers(self, records: Sequence[Record]) -> None:
        """Start and end runs, and do at once what is due at once."""
        now = self._clock.now()
        parsed = [(record, _parse(record)) for record in records]
        await self._know_campaigns(trigger for _, trigger in parsed if isinstance(trigger, TriggerRecord))
        async with self._pool.acquire() as connection, connection.transaction():
            positions = await move_positions(connection, self._cluster, records)
            triggers, bad = self._sort_out(await _with_people(connection, parsed))
            self._dead_letter_limit.check(good=len(triggers), bad=bad)
            news = await self._of_their_shop(connection, await _news(connection, triggers))
            if news:
                await self._decide(connection, news, now)
            await put_outbox(connection, dead_letters(bad, service="scheduler", unless=positions.has_passed))
        self._wake()

    async def fire_due(self) -> int:
        """Carry out one claim of due timers and give its size."""
        now = self._clock.now()
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                timers = await self._due.claim(connection, now, CLAIM)
                if timers:
                    await self._fire(connection, timers, now)
        except BaseException:
            self._due.look_everywhere()
            raise
        if timers:
            self._wake()
            metrics.TIMERS_FIRED.inc(len(timers))
        done = self._clock.now()
        for timer in timers:
            metrics.TIMER_LATENESS.observe((done - timer.due_at).total_seconds())
        return len(timers)

    async def next_due(self) -> datetime | None:
        """When the next timer of today, or of a day before, is due; None when there is none."""
        due = await next_due(self._pool, by=self._clock.now())
        if due is not None:
            self._due.look_from(due)
        return due

    async def _fire(self, connection: Connection, timers: list[Timer], now: datetime) -> None:
        runs = await lock_enrolments(connection, [timer.enrolment for timer in timers])
        # A timer is stale when its run has moved on since; two timers of one run are one call.
        due = list({timer.enrolment: runs[timer.enrolment] for timer in timers if _is_current(timer, runs)}.values())
        await self._looks.look(connection, due, now)

    async def _decide(self, connection: Connection, triggers: list[Trigger], now: datetime) -> list[Enrolment]:
        """Carry the decisions out; the runs that they have changed, as they were when nothing was done of them yet."""
        current = await take_turns(connection, (trigger.person for trigger in triggers))
        triggers = [_about(current.get(trigger.person, trigger.person), trigger) for trigger in triggers]
        journeys = await lock_journeys(connection, triggers, current)
        if any(trigger.kind == "answer" for trigger in triggers):
            await self._catalogue.fetch({(run.campaign, run.version) for run in journeys.runs.values()}, connection)
        told = [(trigger, news) for trigger in triggers for news in decide(trigger, journeys, self._catalogue, now)]
        await save_decisions(connection, [news for _, news in told if isinstance(news, Decision)])
        conversions = [(trigger.campaign, news) for trigger, news in told if isinstance(news, Conversion)]
        await save_conversions(connection, conversions)
        await save_heard(connection, journeys.newly_heard)
        await save_marks(connection, journeys)
        changed = [journeys.runs[run] for run in sorted(journeys.changed)]
        await self._looks.look(connection, changed, now, noted=journeys.noted)
        return changed

    @property
    def conditions(self) -> Conditions:
        """Conditions of campaigns, with the segments that they name."""
        return self._looks.conditions

    def standing(self, published: PublishedCampaign, shop: str = "main") -> Standing:
        """What holds now for all runs of a campaign."""
        return self._looks.standing(published, shop)

    async def begin_runs(self, connection: Connection, runs: Sequence[Enrolment], now: datetime) -> None:
        """Write new runs, do what is due of them, and set their timers."""
        await self._looks.look(connection, runs, now)

    async def enter(self, connection: Connection, triggers: Sequence[Trigger], now: datetime) -> list[Enrolment]:
        """Decide enter triggers of this instant as if they had come by their topic: the runs that they have begun."""
        return [run for run in await self._decide(connection, list(triggers), now) if run.started_at == now]

    async def refresh_segments(self) -> None:
        """Learn what segments' names in conditions ask for."""
        async with self._pool.acquire() as connection:
            await self._looks.refresh_segments(connection)

    async def _know_campaigns(self, triggers: Iterable[TriggerRecord]) -> None:
        """A trigger may be younger than our last look at what is published."""
        if not all(self._catalogue.is_published(trigger.campaign) for trigger in triggers):
            await self._catalogue.refresh()

    async def _of_their_shop(self, connection: Connection, triggers: list[Trigger]) -> list[Trigger]:
        """Those that concern their campaign's own shop. Who called it for another is told why nothing came."""
        if not self._shop_of:
            return triggers
        mine: list[Trigger] = []
        called: list[Decision] = []
        for trigger in triggers:
            latest = self._catalogue.latest(trigger.campaign)
            if concerns(trigger, None if latest is None else latest.campaign, self._shop_of):
                mine.append(trigger)
            elif trigger.kind == "enter" and trigger.cause and trigger.cause.type in CAMPAIGN_REQUESTS:
                called.append(Decision(trigger.person, trigger.campaign, words.OF_ANOTHER_SHOP, trigger.at))
        await save_decisions(connection, called)
        return mine

    def _sort_out(
        self, parsed: list[tuple[Record, Trigger | BadMessageError]]
    ) -> tuple[list[Trigger], list[BadRecord]]:
        triggers: list[Trigger] = []
        bad: list[BadRecord] = []
        for record, read in parsed:
            answer = read
            if isinstance(answer, Trigger) and not self._catalogue.is_published(answer.campaign):
                answer = BadMessageError("no campaign of this name is published", field="campaign")
            if isinstance(answer, Trigger):
                triggers.append(answer)
            else:
                bad.append((record, answer))
        return triggers, bad


def _about(person: UUID, trigger: Trigger) -> Trigger:
    return trigger if trigger.person == person else trigger.model_copy(update={"person": person})


def _is_current(timer: Timer, runs: dict[UUID, Enrolment]) -> bool:
    run = runs.get(timer.enrolment)
    return run is not None and run.status == "active" and run.position == timer.position


def _parse(record: Record) -> TriggerRecord | BadMessageError:
    try:
        return TriggerRecord.from_json(record.value)
    except BadMessageError as error:
        return error


async def _with_people(
    connection: Connection, parsed: list[tuple[Record, TriggerRecord | BadMessageError]]
) -> list[tuple[Record, Trigger | BadMessageError]]:
    """Other systems may name a person as they know them."""
    named = {(read.shop, read.subject) for _, read in parsed if isinstance(read, TriggerRecord) and read.subject}
    people = await resolve_subjects(connection, named) if named else {}
    return [(record, _known(read, people) if isinstance(read, TriggerRecord) else read) for record, read in parsed]


def _known(read: TriggerRecord, people: Mapping[tuple[str, str], UUID]) -> Trigger | BadMessageError:
    person = read.person or people.get((read.shop, read.subject or ""))
    if person is None:
        words = "nobody is known by this name; send an event about them first, or campaign.start_requested instead"
        return BadMessageError(words, field="subject")
    return Trigger.model_construct(**{**dict(read), "person": person})


async def _news(connection: Connection, triggers: list[Trigger]) -> list[Trigger]:
    """What was not known before, in the order in which it happened; in one instant, ends come first."""
    by_id = {trigger.id: trigger for trigger in triggers}
    new = await admit(connection, by_id)
    return sorted((by_id[key] for key in new), key=lambda t: (t.at, t.kind == "enter", t.id))
