"""The dispatcher: requests into the ledger, and out to LINE in rounds of claim, send, record.

Each part may be called alone, with any clock: tests and replays pump `send_some`, the service runs `pump.Pump`.
"""

import logging
import random
from asyncio import Event, gather
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

import asyncpg

from todoke_dispatcher.adapters import away, channels, crowds, deliveries, replies
from todoke_dispatcher.adapters.recalls import recalls
from todoke_dispatcher.books import Books
from todoke_dispatcher.breaking import Breakers
from todoke_dispatcher.claiming import Attempt
from todoke_dispatcher.crowding import tell_crowd
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.verdict import (
    ChannelStopped,
    Unclear,
)
from todoke_dispatcher.handlers import SERVICE, read_requests
from todoke_dispatcher.linking import Linker
from todoke_dispatcher.multicasting import GroupAttempt
from todoke_dispatcher.ports import LinePort
from todoke_dispatcher.reading_tokens import read_tokens
from todoke_dispatcher.recording import Told, record, record_groups
from todoke_dispatcher.replied import record_replies, settle_lost
from todoke_dispatcher.replying import AnyAttempt, ReplyAttempt
from todoke_dispatcher.rounds import Claimed, Rounds
from todoke_dispatcher.sending import Result, Sender
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
        self.books = Books(config.accounts, settings.transactional_reserve)
        """The months of all accounts; kept up to date here."""
        self._settings = settings
        self._wake_relay = wake_relay
        linker = Linker(settings, config)
        self._rounds = Rounds(pool, clock, catalogue, settings, self.books, linker=linker, shops=config.shops)
        self._breakers = Breakers(self._accounts)
        self._sender = Sender(line, clock, self._breakers)
        self._dead_letter_limit = DeadLetterLimit()
        self._channels_known = False
        self._resting: dict[str, float] = {}
        self._turn = 0

    def take_requests(self, lane: Lane) -> BatchHandler:
        """The handler of a lane's topic: into the ledger or to the dead letters, all or nothing."""

        async def take(records: Sequence[Record]) -> None:
            async with self._pool.acquire() as connection, connection.transaction():
                positions = await move_positions(connection, self._cluster, records)
                found = read_requests(records, self._accounts)
                self._dead_letter_limit.check(good=len(records) - len(found.bad), bad=found.bad)
                wall = self._clock.wall()
                await deliveries.add(connection, lane, found.messages, wall)
                await crowds.add(connection, found.crowds, wall)
                await put_outbox(connection, dead_letters(found.bad, service=SERVICE, unless=positions.has_passed))
            if found.bad:
                self._wake_relay()
            self.wake.set()

        return take

    async def take_line_events(self, records: Sequence[Record]) -> None:
        """The handler of LINE's events: the reply tokens that they bring, all or nothing."""
        tokens = read_tokens(records, self._accounts, self._clock.wall())
        async with self._pool.acquire() as connection, connection.transaction():
            await move_positions(connection, self._cluster, records)
            await replies.add_tokens(connection, tokens)

    async def send_some(self) -> int:
        """One round: release, claim, send, record. Gives how many deliveries were settled, held ones included.

        0 means that nothing more can be settled at this instant: none is due, or no time slot is free.
        """
        await self.release_held()
        await self.look_at_line()
        lost = await self.settle_lost_replies()
        while True:
            claimed = await self.claim(self._settings.max_in_flight)
            results = await gather(*(self.send(attempt) for attempt in claimed.attempts))
            settled = lost + claimed.settled + await self.record(results)
            while await self.tell():
                pass
            if settled or not any(each.leaves_due for each in results):
                return settled

    async def release_held(self) -> int:
        """Let held deliveries wait again whose channel may send, or that have expired; gives how many."""
        wall = self._clock.wall()
        async with self._pool.acquire() as connection, connection.transaction():
            await self.books.learn(connection)
            self._rounds.recalls = await recalls(connection)
            released = await deliveries.release_expired(connection, self._clock.now(), wall, LARGEST_RELEASE)
            for account in await channels.open_accounts(connection, self._accounts):
                book = await self.books.read(connection, account, wall)
                rooms = {name: one.room for name, one in book.campaigns.items() if one.room is not None}
                for lane in LANES:
                    room = book.room(lane)
                    limit = LARGEST_RELEASE if room is None else min(room, LARGEST_RELEASE)
                    if limit:
                        released += await deliveries.release_held(
                            connection, account, lane, wall=wall, limit=limit, rooms=rooms
                        )
        return released

    async def settle_lost_replies(self) -> int:
        """Give up replies of which nobody tells any more, and forget tokens that are over; gives how many messages."""
        now, wall = self._clock.now(), self._clock.wall()
        async with self._pool.acquire() as connection, connection.transaction():
            told = await settle_lost(connection, now=now, wall=wall)
            await replies.purge_tokens(connection, wall)
        return self._tell(told)

    async def claim(self, room: int) -> Claimed:
        """Up to `room` attempts, shared fairly among the accounts with something due. An account's error is its own."""
        async with self._pool.acquire() as connection:
            if not self._channels_known:
                await channels.add(connection, self._accounts)
                await self.books.learn(connection)
                self._rounds.recalls = await recalls(connection)
                self._channels_known = True
            awake = [account for account in sorted(self._accounts) if self._may_claim(account)]
            due = await channels.due(connection, awake, self._clock.wall())
        claimed = Claimed()
        self._turn += 1
        for index in range(len(due)):
            channel = due[(index + self._turn) % len(due)]
            begun = len(claimed.attempts)
            share = min((room - begun) // (len(due) - index), LARGEST_CLAIM)
            if (share := self._breakers.room(channel.account, share)) > 0:
                if not self._breakers.is_closed(channel.account):  # its probe can be repeated, as a reply cannot
                    self._rounds.replier.rest(channel.account, self._clock.wall())
                try:
                    await self._rounds.claim(channel, share, claimed)
                except Exception as error:  # noqa: BLE001 - one account's trouble must not strand what others claimed
                    metrics.LOOP_ERRORS.labels("claim", type(error).__name__).inc()
                    logger.warning("nothing claimed for account %s (%s)", channel.account, type(error).__name__)
                    self._resting[channel.account] = monotonic() + ACCOUNT_REST_SECONDS
                self._breakers.claimed(channel.account, claimed.attempts[begun:])
        flowing = [account for account in awake if self._breakers.is_closed(account)]
        await self._claim_idle(flowing, room - len(claimed.attempts), claimed)
        self._tell(claimed.told)
        return claimed

    async def _claim_idle(self, accounts: Sequence[str], room: int, claimed: Claimed) -> None:
        if room <= 0:
            return
        try:
            await self._rounds.claim_idle(accounts, room, claimed)
        except Exception as error:  # noqa: BLE001 - what was claimed before goes out all the same
            metrics.LOOP_ERRORS.labels("claim", type(error).__name__).inc()
            logger.warning("no free rides claimed (%s)", type(error).__name__)

    async def send(self, attempt: AnyAttempt) -> Result:
        """Ask LINE once, at the attempt's own instant. Never raises: whatever happens is a verdict."""
        return await self._sender.send(attempt)

    async def record(self, results: Sequence[Result]) -> int:
        """Store what came of attempts, with the outcomes; gives how many messages were settled.

        Pushes in one transaction, multicasts in another, replies in a third: each takes its locks in the same order
        everywhere.
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
        told += await self._record_replies(results, now=now, wall=wall)
        self._tell_of_stops(results)
        return self._tell(told)

    async def tell(self) -> bool:
        """Put the outcomes of a crowd that LINE has taken into the outbox; whether there was one."""
        async with self._pool.acquire() as connection, connection.transaction():
            outcomes = await tell_crowd(connection, self._clock.now())
            await put_outbox(connection, outcomes)
        if outcomes:
            self._wake_relay()
        return bool(outcomes)

    async def look_at_line(self) -> None:
        """Call LINE where it does not answer, cut pauses short where it is back, list what is unknown by now."""
        await gather(*(self._sender.call(account) for account in self._breakers.to_call(self._clock.wall())))
        for account in sorted(self._breakers.back):
            async with self._pool.acquire() as connection, connection.transaction():
                await away.hurry(connection, account, self._clock.wall())
            self._breakers.back.discard(account)
            self.wake.set()
        for account in self._accounts:
            if not (self._breakers.is_closed(account) and self._line.is_ready(account)):
                self._tell(await self._rounds.give_up(account))

    def _may_claim(self, account: str) -> bool:
        rested = self._resting.get(account, 0.0) <= monotonic()
        return rested and self._line.is_ready(account) and self._breakers.room(account, 1) > 0

    async def _record_replies(self, results: Sequence[Result], *, now: datetime, wall: datetime) -> Told:
        told: Told = Counter()
        if answered := [(each.attempt, each.verdict) for each in results if isinstance(each.attempt, ReplyAttempt)]:
            async with self._pool.acquire() as connection, connection.transaction():
                told = await record_replies(connection, answered, now=now, wall=wall)
        for (campaign, state), messages in told.items():
            if state is State.ACCEPTED:
                metrics.FREE_REPLIES.labels(campaign).inc(messages)
        for each in results:
            if isinstance(each.verdict, Unclear):
                self._rounds.replier.rest(each.attempt.account, wall)
        return told

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
