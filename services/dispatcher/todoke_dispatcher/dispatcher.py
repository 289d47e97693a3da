"""The dispatcher: requests into the ledger, and out to LINE in rounds of claim, send, record.

Each part may be called alone, with any clock: tests and replays pump `send_some`, the service runs `pump.Pump`.
"""

import logging
import random
from asyncio import Event, gather
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.claiming import Attempt, Claimer, ClaimTime, Templates, Version, sort_due
from todoke_dispatcher.domain.decide import Channel
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_dispatcher.domain.menus import alias_of, judge_menu
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.rate import is_past
from todoke_dispatcher.domain.verdict import ChannelStopped, NotSent, Unclear, Verdict, judge
from todoke_dispatcher.handlers import SERVICE, read_requests
from todoke_dispatcher.ports import LinePort
from todoke_dispatcher.recording import record, settle
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.accounts import Config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import Clock
from todoke_shared.contracts.requests import Lane
from todoke_shared.kafka.dead_letters import DeadLetterLimit, dead_letters
from todoke_shared.kafka.records import BatchHandler, Record
from todoke_shared.postgres.stream import Connection, move_positions, put_outbox
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.seldom import Seldom

logger = logging.getLogger("todoke.dispatcher")

LARGEST_CLAIM = 500
"""As many as have slots within the horizon at LINE's rate; more would only be read and left."""
LARGEST_RELEASE = 1000
ACCOUNT_REST_SECONDS = 5.0
"""How long an account is left alone after its claim has failed."""
UNREADABLE_REST = timedelta(minutes=1)
"""A rolling deploy takes minutes."""
LANES: tuple[Lane, ...] = ("transactional", "marketing")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt."""

    attempt: Attempt
    verdict: Verdict


@dataclass(slots=True)
class Claimed:
    """A claim's attempts, and how many deliveries it settled without one."""

    attempts: list[Attempt] = field(default_factory=list)
    settled: int = 0


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
        self._catalogue = catalogue
        self._line = line
        self._limits = {name: account.monthly_limit for name, account in config.accounts.items()}
        self._settings = settings
        self._wake_relay = wake_relay
        self._claimer = Claimer(settings, self._limits)
        self._dead_letter_limit = DeadLetterLimit()
        self._channels_known = False
        self._resting: dict[str, float] = {}
        self._turn = 0

    def take_requests(self, lane: Lane) -> BatchHandler:
        """The handler of a lane's topic: into the ledger or to the dead letters, all or nothing."""

        async def take(records: Sequence[Record]) -> None:
            async with self._pool.acquire() as connection, connection.transaction():
                positions = await move_positions(connection, self._cluster, records)
                received, bad = read_requests(records, self._limits.keys())
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
        claimed = await self.claim(self._settings.max_in_flight)
        results = await gather(*(self.send(attempt) for attempt in claimed.attempts))
        return claimed.settled + await self.record(results)

    async def release_held(self) -> int:
        """Let held deliveries wait again whose channel may send, or that have expired; gives how many."""
        wall = self._clock.wall()
        async with self._pool.acquire() as connection, connection.transaction():
            released = await deliveries.release_expired(connection, self._clock.now(), wall, LARGEST_RELEASE)
            for account in await channels.open_accounts(connection, self._limits):
                book = await channels.read_quota(
                    connection, account, month_of(wall), self._limits[account], self._settings.transactional_reserve
                )
                for lane in LANES:
                    room = book.room(lane)
                    limit = LARGEST_RELEASE if room is None else min(room, LARGEST_RELEASE)
                    released += await deliveries.release_held(connection, account, lane, wall, limit)
        return released

    async def claim(self, room: int) -> Claimed:
        """Up to `room` attempts, shared fairly among the accounts with something due. An account's error is its own."""
        async with self._pool.acquire() as connection:
            if not self._channels_known:
                await channels.add(connection, self._limits)
                self._channels_known = True
            awake = [account for account in self._limits if self._resting.get(account, 0.0) <= monotonic()]
            due = await channels.due(connection, awake, self._clock.wall())
        claimed = Claimed()
        self._turn += 1
        for index in range(len(due)):
            channel = due[(index + self._turn) % len(due)]
            share = (room - len(claimed.attempts)) // (len(due) - index)
            if share > 0:
                try:
                    await self._claim_of(channel, min(share, LARGEST_CLAIM), claimed)
                except Exception as error:  # noqa: BLE001 - one account's trouble must not strand what others claimed
                    metrics.LOOP_ERRORS.labels("claim", type(error).__name__).inc()
                    logger.warning("nothing claimed for account %s (%s)", channel.account, type(error).__name__)
                    self._resting[channel.account] = monotonic() + ACCOUNT_REST_SECONDS
        return claimed

    async def _put_off(self, connection: Connection, messages: Sequence[UUID], wall: datetime) -> None:
        if messages:
            logger.error("%d messages cannot be read by this release; they wait for one that can", len(messages))
        await deliveries.put_off(connection, messages, wall + UNREADABLE_REST)

    async def _claim_of(self, channel: Channel, limit: int, claimed: Claimed) -> None:
        unread = await self._try_claim(channel, limit, frozenset(), claimed)
        if unread:
            await self._catalogue.fetch(set(unread))  # outside the transaction: it takes a connection of its own
            await self._try_claim(channel, limit, unread, claimed)

    async def _try_claim(
        self, channel: Channel, limit: int, looked_up: frozenset[Version], claimed: Claimed
    ) -> frozenset[Version]:
        """One claim transaction. Gives the versions without which nothing was claimed."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = ClaimTime(self._clock.now(), self._clock.wall())
            due, unreadable = await deliveries.lock_due(connection, channel.account, at.wall, limit)
            blocked = await deliveries.blocked(connection, due)
            found = sort_due(due, Templates(self._catalogue, looked_up), at, blocked)
            if found.unread:
                return frozenset(found.unread)
            await self._put_off(connection, [*unreadable, *found.unreadable], at.wall)
            attempts, standing = await self._claimer.begin(connection, channel, found.sendable, self._clock.wall())
            before = {delivery.message_id: delivery for delivery in due}
            changes = [(before[after.message_id], after) for after in (*found.ended, *standing)]
            settled = await settle(connection, changes, now=at.now, wall=at.wall)
        claimed.attempts += attempts
        claimed.settled += self._tell(settled)
        return frozenset()

    async def send(self, attempt: Attempt) -> Result:
        """Ask LINE once, at the attempt's own instant. Never raises: whatever happens is a verdict."""
        await self._clock.sleep_until_wall(attempt.slot)
        if is_past(attempt.slot, self._clock.wall()):
            return Result(attempt, NotSent())
        account = attempt.sent.request.account
        verdict: Verdict
        started = monotonic()
        try:
            verdict = await self._ask(attempt)
        except Exception as error:  # noqa: BLE001 - any failure means "maybe sent" (RELIABILITY: dispatcher)
            verdict = Unclear(f"no answer: {type(error).__name__}")
        metrics.ATTEMPT_SECONDS.labels(account).observe(monotonic() - started)
        metrics.ATTEMPTS.labels(account, type(verdict).__name__).inc()
        return Result(attempt, verdict)

    async def _ask(self, attempt: Attempt) -> Verdict:
        sent, request = attempt.sent, attempt.sent.request
        if request.rich_menu is not None:
            alias = alias_of(request)
            return judge_menu(await self._line.rich_menu(request.account, request.to, alias), alias)
        if sent.retry_key is None or not sent.body:
            raise AssertionError("an attempt without retry key or body: begin_attempt gives it both")
        return judge(await self._line.push(request.account, sent.retry_key, sent.body))

    async def record(self, results: Sequence[Result]) -> int:
        """Store what came of attempts, with the outcomes, in one transaction; gives how many were settled."""
        if not results:
            return 0
        now, wall = self._clock.now(), self._clock.wall()
        async with self._pool.acquire() as connection, connection.transaction():
            settled = await record(
                connection,
                [(each.attempt.before, each.attempt.sent, each.verdict) for each in results],
                now=now,
                wall=wall,
                jitter=random.random,
            )
        self._tell_of_stops(results)
        return self._tell(settled)

    async def measure(self) -> None:
        """Bring the gauge of unsettled deliveries up to date."""
        async with self._pool.acquire() as connection:
            counts = await deliveries.count_unsettled(connection)
        for lane in LANES:
            metrics.WAITING.labels(lane).set(counts.get(lane, 0))

    def _tell_of_stops(self, results: Sequence[Result]) -> None:
        for result in results:
            account, verdict = result.attempt.sent.request.account, result.verdict
            if isinstance(verdict, ChannelStopped) and self._seldom.is_due(account):
                logger.error(
                    "LINE refuses account %s's access token (%d); its messages are held until it is changed "
                    "and the channel resumed",
                    account,
                    verdict.status,
                )

    def _tell(self, settled: Sequence[Delivery]) -> int:
        if settled:
            self._wake_relay()
        for delivery in settled:
            metrics.DELIVERIES.labels(delivery.request.campaign or "", delivery.state.value).inc()
        unknown = sum(delivery.state is State.UNKNOWN for delivery in settled)
        if unknown:
            logger.error("%d messages are unknown: LINE may have them; settle them as the runbook says", unknown)
        return len(settled)
