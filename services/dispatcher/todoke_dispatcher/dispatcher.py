"""The dispatcher: requests into the ledger, and out to LINE in rounds of claim, send, record.

Each part may be called alone, with any clock: tests and replays pump `send_some`, the service runs `pump.Pump`.
"""

import logging
import random
from asyncio import Event, gather
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import asyncpg

from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.books import Books
from todoke_dispatcher.claiming import Attempt
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.menus import alias_of, judge_menu
from todoke_dispatcher.domain.rate import is_past
from todoke_dispatcher.domain.verdict import (
    ChannelStopped,
    MonthlyLimit,
    NotSent,
    Refused,
    Unclear,
    Verdict,
    judge,
)
from todoke_dispatcher.handlers import SERVICE, read_requests
from todoke_dispatcher.multicasting import GroupAttempt
from todoke_dispatcher.ports import LinePort
from todoke_dispatcher.recording import Told, record, record_groups
from todoke_dispatcher.rounds import Claimed, Rounds
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.accounts import Config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import Clock
from todoke_shared.contracts.requests import Lane
from todoke_shared.kafka.dead_letters import DeadLetterLimit, dead_letters
from todoke_shared.kafka.records import BatchHandler, Record
from todoke_shared.postgres.stream import move_positions, put_outbox
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.seldom import Seldom

logger = logging.getLogger("todoke.dispatcher")

LARGEST_CLAIM = 500
"""As many as have slots within the horizon at LINE's rate; more would only be read and left."""
LARGEST_RELEASE = 1000
ACCOUNT_REST_SECONDS = 5.0
"""How long an account is left alone after its claim has failed."""
LANES: tuple[Lane, ...] = ("transactional", "marketing")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt."""

    attempt: Attempt | GroupAttempt
    verdict: Verdict

    @property
    def messages(self) -> int:
        """How many messages it is about."""
        return self.attempt.sent.size if isinstance(self.attempt, GroupAttempt) else 1

    @property
    def leaves_due(self) -> bool:
        """Whether it may leave messages that are due at once: the halves of a group, or its members."""
        return isinstance(self.attempt, GroupAttempt) and isinstance(
            self.verdict, Refused | MonthlyLimit | ChannelStopped
        )


class Dispatcher:
    """Sends what is in the ledger, each once, in time, within the limits. One per process and pool."""

    def __init__(  # noqa: PLR0913 - the wiring of a room: every part of it, named, in one place
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        *,
        cluster: str,
        catalogue: CampaignCatalogue,
        line: LinePort,
        config: Config,
        settings: DispatcherSettings,
        wake_relay: Callable[[], None],
    ) -> None:
        self.wake = Event()
        """Set when there may be something to send."""
        self._pool = pool
        self._clock = clock
        self._cluster = cluster
        self._seldom = Seldom()
        self._line = line
        self._accounts = frozenset(config.accounts)
        self._books = Books(config.accounts, settings.transactional_reserve)
        self._settings = settings
        self._wake_relay = wake_relay
        self._rounds = Rounds(pool, clock, catalogue, settings, self._books)
        self._dead_letter_limit = DeadLetterLimit()
        self._channels_known = False
        self._resting: dict[str, float] = {}
        self._turn = 0

    def take_requests(self, lane: Lane) -> BatchHandler:
        """The handler of a lane's topic: into the ledger or to the dead letters, all or nothing."""

        async def take(records: Sequence[Record]) -> None:
            async with self._pool.acquire() as connection, connection.transaction():
                positions = await move_positions(connection, self._cluster, records)
                received, bad = read_requests(records, self._accounts)
                self._dead_letter_limit.check(good=len(received), bad=bad)
                await deliveries.add(connection, lane, received, self._clock.wall())
                await put_outbox(connection, dead_letters(bad, service=SERVICE, unless=positions.has_passed))
            if bad:
                self._wake_relay()
            self.wake.set()

        return take

    async def send_some(self) -> int:
        """One round: release, claim, send, record. Gives how many deliveries were settled, held ones included.

        0 means that nothing more can be settled at this instant: none is due, or no time slot is free.
        """
        await self.release_held()
        while True:
            claimed = await self.claim(self._settings.max_in_flight)
            results = await gather(*(self.send(attempt) for attempt in claimed.attempts))
            settled = claimed.settled + await self.record(results)
            if settled or not any(each.leaves_due for each in results):
                return settled

    async def release_held(self) -> int:
        """Let held deliveries wait again whose channel may send, or that have expired; gives how many."""
        wall = self._clock.wall()
        async with self._pool.acquire() as connection, connection.transaction():
            await self._books.learn(connection)
            released = await deliveries.release_expired(connection, self._clock.now(), wall, LARGEST_RELEASE)
            for account in await channels.open_accounts(connection, self._accounts):
                book = await self._books.read(connection, account, wall)
                rooms = {name: one.room for name, one in book.campaigns.items() if one.room is not None}
                for lane in LANES:
                    room = book.room(lane)
                    limit = LARGEST_RELEASE if room is None else min(room, LARGEST_RELEASE)
                    if limit:
                        released += await deliveries.release_held(
                            connection, account, lane, wall=wall, limit=limit, rooms=rooms
                        )
        return released

    async def claim(self, room: int) -> Claimed:
        """Up to `room` attempts, shared fairly among the accounts with something due. An account's error is its own."""
        async with self._pool.acquire() as connection:
            if not self._channels_known:
                await channels.add(connection, self._accounts)
                await self._books.learn(connection)
                self._channels_known = True
            awake = [account for account in self._accounts if self._resting.get(account, 0.0) <= monotonic()]
            due = await channels.due(connection, awake, self._clock.wall())
        claimed = Claimed()
        self._turn += 1
        for index in range(len(due)):
            channel = due[(index + self._turn) % len(due)]
            share = (room - len(claimed.attempts)) // (len(due) - index)
            if share > 0:
                try:
                    await self._rounds.claim(channel, min(share, LARGEST_CLAIM), claimed)
                except Exception as error:  # noqa: BLE001 - one account's trouble must not strand what others claimed
                    metrics.LOOP_ERRORS.labels("claim", type(error).__name__).inc()
                    logger.warning("nothing claimed for account %s (%s)", channel.account, type(error).__name__)
                    self._resting[channel.account] = monotonic() + ACCOUNT_REST_SECONDS
        self._tell(claimed.told)
        return claimed

    async def send(self, attempt: Attempt | GroupAttempt) -> Result:
        """Ask LINE once, at the attempt's own instant. Never raises: whatever happens is a verdict."""
        await self._clock.sleep_until_wall(attempt.slot)
        if is_past(attempt.slot, self._clock.wall()):
            return Result(attempt, NotSent())
        verdict: Verdict
        started = monotonic()
        try:
            verdict = await self._ask(attempt)
        except Exception as error:  # noqa: BLE001 - any failure means "maybe sent" (RELIABILITY: dispatcher)
            verdict = Unclear(f"no answer: {type(error).__name__}")
        metrics.ATTEMPT_SECONDS.labels(attempt.account).observe(monotonic() - started)
        metrics.ATTEMPTS.labels(attempt.account, type(verdict).__name__).inc()
        return Result(attempt, verdict)

    async def _ask(self, attempt: Attempt | GroupAttempt) -> Verdict:
        sent = attempt.sent
        if isinstance(attempt, Attempt) and attempt.sent.request.rich_menu is not None:
            request, alias = attempt.sent.request, alias_of(attempt.sent.request)
            return judge_menu(await self._line.rich_menu(request.account, request.to, alias), alias)
        if sent.retry_key is None or not sent.body:
            raise AssertionError("an attempt without retry key or body: begin_attempt gives it both")
        endpoint = self._line.multicast if isinstance(attempt, GroupAttempt) else self._line.push
        return judge(await endpoint(attempt.account, sent.retry_key, sent.body))

    async def record(self, results: Sequence[Result]) -> int:
        """Store what came of attempts, with the outcomes; gives how many messages were settled.

        Pushes in one transaction, multicasts in another: each takes its locks in the same order everywhere.
        """
        now, wall = self._clock.now(), self._clock.wall()
        pushes = [(each.attempt, each.verdict) for each in results if isinstance(each.attempt, Attempt)]
        groups = [(each.attempt, each.verdict) for each in results if isinstance(each.attempt, GroupAttempt)]
        told: Told = Counter()
        if pushes:
            async with self._pool.acquire() as connection, connection.transaction():
                told += await record(connection, pushes, now=now, wall=wall, jitter=random.random)
        if groups:
            async with self._pool.acquire() as connection, connection.transaction():
                told += await record_groups(connection, groups, now=now, wall=wall, jitter=random.random)
        self._tell_of_stops(results)
        return self._tell(told)

    async def measure(self) -> None:
        """Bring the gauge of unsettled deliveries up to date."""
        async with self._pool.acquire() as connection:
            counts = await deliveries.count_unsettled(connection)
        for lane in LANES:
            metrics.WAITING.labels(lane).set(counts.get(lane, 0))

    def _tell_of_stops(self, results: Sequence[Result]) -> None:
        for result in results:
            account, verdict = result.attempt.account, result.verdict
            if isinstance(verdict, ChannelStopped) and self._seldom.is_due(account):
                logger.error(
                    "LINE refuses account %s's access token (%d); its messages are held until it is changed "
                    "and the channel resumed",
                    account,
                    verdict.status,
                )

    def _tell(self, told: Told) -> int:
        if told:
            self._wake_relay()
        for (campaign, state), messages in told.items():
            metrics.DELIVERIES.labels(campaign, state.value).inc(messages)
        unknown = sum(messages for (_, state), messages in told.items() if state is State.UNKNOWN)
        if unknown:
            logger.error("%d messages are unknown: LINE may have them; settle them as the runbook says", unknown)
        return told.total()
