"""Triggers start and end runs; timers move them on; what they owe goes into the outbox. Each batch is one transaction.

May block: on PostgreSQL. May lose: nothing. May repeat: nothing; a run's message has one id whatever happens.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from todoke_scheduler.adapters.decisions import Decision, save_decisions
from todoke_scheduler.adapters.enrolments import lock_enrolments, save_enrolments
from todoke_scheduler.adapters.journeys import Journeys, current_ids, lock_journeys, save_marks
from todoke_scheduler.adapters.people import people_now
from todoke_scheduler.adapters.timers import DueTimers, Timer, save_timers
from todoke_scheduler.domain.effects import Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.journey import enter, leave
from todoke_scheduler.domain.owing import PersonNow, request
from todoke_scheduler.domain.stepping import advance
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import Clock
from todoke_shared.contracts.requests import OwnRequest
from todoke_shared.contracts.topics import LANES
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.kafka.dead_letters import BadRecord, DeadLetterLimit, dead_letters
from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.postgres.stream import Connection, admit, move_positions, put_outbox
from todoke_shared.telemetry import metrics

CLAIM = 1000
"""Timers a transaction: enough to share its cost, few enough to keep it short (some 50 ms)."""


UNREADABLE_REST = timedelta(minutes=1)
"""A rolling deploy takes minutes."""


class Scheduler:
    """Handles trigger batches and due timers. `wake` is called after each commit."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        catalogue: CampaignCatalogue,
        *,
        cluster: str,
        wake: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._catalogue = catalogue
        self._cluster = cluster
        self._wake = wake
        self._due = DueTimers()
        self._dead_letter_limit = DeadLetterLimit()

    async def take_triggers(self, records: Sequence[Record]) -> None:
        """Start and end runs, and do at once what is due at once."""
        now = self._clock.now()
        parsed = [(record, _parse(record)) for record in records]
        await self._know_campaigns(trigger for _, trigger in parsed if isinstance(trigger, Trigger))
        async with self._pool.acquire() as connection, connection.transaction():
            positions = await move_positions(connection, self._cluster, records)
            triggers, bad = self._sort_out(parsed)
            self._dead_letter_limit.check(good=len(triggers), bad=bad)
            news = await _news(connection, triggers)
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

    async def _fire(self, connection: Connection, timers: list[Timer], now: datetime) -> None:
        runs = await lock_enrolments(connection, [timer.enrolment for timer in timers])
        # A timer is stale when its run has moved on since; two timers of one run are one call.
        due = list({timer.enrolment: runs[timer.enrolment] for timer in timers if _is_current(timer, runs)}.values())
        await self._advance(connection, due, now)

    async def _decide(self, connection: Connection, triggers: list[Trigger], now: datetime) -> None:
        current = await current_ids(connection, [trigger.person for trigger in triggers])
        triggers = [_about(current.get(trigger.person, trigger.person), trigger) for trigger in triggers]
        journeys = await lock_journeys(connection, triggers, current)
        decisions = [
            decision for trigger in triggers for decision in _start_or_end(trigger, journeys, self._catalogue, now)
        ]
        await save_decisions(connection, decisions)
        await save_marks(connection, journeys)
        await self._advance(connection, [journeys.runs[run] for run in sorted(journeys.changed)], now)

    async def _advance(self, connection: Connection, runs: list[Enrolment], now: datetime) -> None:
        await self._catalogue.fetch({(run.campaign, run.version) for run in runs}, connection)
        readable: list[Enrolment] = []
        unreadable: list[Enrolment] = []
        for run in runs:
            known = self._catalogue.known(run.campaign, run.version)
            (unreadable if known is None else readable).append(run)
        moved = [advance(run, self._campaign(run).program, PersonNow(), now) for run in readable]
        await save_enrolments(connection, [run for run, _ in moved])
        await save_timers(connection, [run for run, _ in moved])
        await self._put_off(connection, unreadable, now)
        owed = [(run, effect) for run, effects in moved for effect in effects if isinstance(effect, Owed)]
        people = await people_now(connection, [run.person for run, _ in owed])
        await self._owe(connection, owed, people, now)

    async def _put_off(self, connection: Connection, runs: list[Enrolment], now: datetime) -> None:
        """Runs on a version that this release cannot read wait for one that can, and hold up nobody."""
        await save_enrolments(connection, runs)
        await save_timers(connection, runs, not_before=now + UNREADABLE_REST)

    async def _owe(
        self,
        connection: Connection,
        owed: list[tuple[Enrolment, Owed]],
        people: dict[UUID, PersonNow],
        now: datetime,
    ) -> None:
        outgoing: list[Outgoing] = []
        refused: list[Decision] = []
        asked: Counter[tuple[str, str]] = Counter()
        for run, message in owed:
            campaign = self._campaign(run).campaign
            answer = request(run, message, campaign, people.get(run.person, PersonNow()))
            if isinstance(answer, OwnRequest):
                topic = LANES[campaign.lane].name
                outgoing.append(Outgoing(topic, str(run.person).encode(), answer.to_json()))
                asked[run.campaign, message.message] += 1
            else:
                refused.append(Decision(run.person, run.campaign, answer, now, run.id, message.message))
        for labels, number in asked.items():
            metrics.REQUESTS.labels(*labels).inc(number)
        await put_outbox(connection, outgoing)
        await save_decisions(connection, refused)

    def _campaign(self, run: Enrolment) -> PublishedCampaign:
        published = self._catalogue.known(run.campaign, run.version)
        if published is None:
            raise SlowDownError(f"version {run.version} of campaign {run.campaign} cannot be read yet")
        return published

    async def _know_campaigns(self, triggers: Iterable[Trigger]) -> None:
        """A trigger may be younger than our last look at what is published."""
        if not all(self._catalogue.is_published(trigger.campaign) for trigger in triggers):
            await self._catalogue.refresh()

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


def _parse(record: Record) -> Trigger | BadMessageError:
    try:
        return Trigger.from_json(record.value)
    except BadMessageError as error:
        return error


async def _news(connection: Connection, triggers: list[Trigger]) -> list[Trigger]:
    """What was not known before, in the order in which it happened; in one instant, ends come first."""
    by_id = {trigger.id: trigger for trigger in triggers}
    new = await admit(connection, by_id)
    return sorted((by_id[key] for key in new), key=lambda t: (t.at, t.kind == "enter", t.id))


def _start_or_end(
    trigger: Trigger, journeys: Journeys, catalogue: CampaignCatalogue, now: datetime
) -> Iterable[Decision]:
    """Change the journeys as the trigger says; a refused entry is a line of the decision log."""
    marks = journeys.marks_of(trigger)
    if trigger.kind != "enter":
        for run in leave(journeys.runs_of(trigger), trigger):
            journeys.put(run)
        journeys.mark(trigger, marks.exiting(trigger.at))
        return
    published = catalogue.latest(trigger.campaign)
    if published is None:
        yield Decision(trigger.person, trigger.campaign, "the version in force needs a newer release of Todoke", now)
        return
    entry = enter(marks, journeys.runs_of(trigger, key=trigger.key), trigger, published)
    for run in entry.ended:
        journeys.put(run)
    if entry.started is not None:
        journeys.put(entry.started)
    journeys.mark(trigger, entry.marks)
    if entry.refusal is not None:
        yield Decision(trigger.person, trigger.campaign, entry.refusal, now)
