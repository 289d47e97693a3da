"""Scheduler processes that share timers, to be killed and parted from PostgreSQL; and what became of each step owed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID, uuid4

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.support.broadcasts import add_people, befriend
from todoke_local.fleet import Fleet, free_ports
from todoke_local.rooms import migrate_rooms
from todoke_scheduler.adapters.enrolments import save_enrolments
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.adapters.timers import save_timers
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import REQUESTS_TRANSACTIONAL
from todoke_shared.ids import message_id
from todoke_shared.jsons import loads
from todoke_shared.kafka.topics import end_offsets
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
BETWEEN = timedelta(seconds=1)
"""From a run's first message to its second."""
_AT_ONCE = 5_000
_LEFT = """
SELECT (SELECT count(*) FROM enrolments WHERE status = 'active' AND campaign = $1), (SELECT count(*) FROM outbox)
"""


def care(name: str) -> Campaign:
    """Two messages, each a step of its own, one an hour after the start and one a moment later."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",  # at any hour
            "enter": {"on": "cart.changed", "again": "always"},
            "steps": [{"wait": "1h"}, {"send": "first"}, {"wait": "1s"}, {"send": "second"}],
            "messages": {each: [{"type": "text", "text": each}] for each in ("first", "second")},
        }
    )


@dataclass(frozen=True)
class Asked:
    """A request as it lies in its topic. `at`: when it was written there, by its writer's clock."""

    message: UUID
    at: datetime
    value: bytes


@dataclass
class Schedulers:
    """The processes by name, and the messages that are owed, with when. `campaign`: this test's own."""

    dsn: str
    bootstrap_servers: str
    directory: Path
    pool: Pool
    campaign: str
    owed: dict[UUID, datetime] = field(default_factory=dict)
    fleets: dict[str, Fleet] = field(default_factory=dict)

    async def start(
        self, name: str, *, dsn: str | None = None, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Start one, which fires timers soon. `dsn`: its own way to PostgreSQL."""
        if name not in self.fleets:
            logs = self.directory / name
            logs.mkdir(parents=True)
            self.fleets[name] = Fleet(
                dsn or self.dsn, self.bootstrap_servers, logs, free_ports(), simulator=False, environment=environment
            )
        await self.fleets[name].start("scheduler")

    async def until_ready(self, name: str, *, seconds: float = 60) -> None:
        """Return once it is at work."""
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession(trust_env=False) as session:
            while not await _is_ready(session, f"{self.fleets[name].url('scheduler')}/readyz"):
                assert time.monotonic() < deadline, f"{name} was not ready within {seconds} s"
                await asyncio.sleep(0.05)

    async def kill(self, name: str) -> None:
        """kill -9."""
        await self.fleets[name].kill("scheduler")

    async def stop(self) -> None:
        """All that run, in peace."""
        await asyncio.gather(*(fleet.stop() for fleet in self.fleets.values()))

    async def owe(self, due: Sequence[datetime]) -> None:
        """A run for each of these instants, of a friend who is due their first message then."""
        for start in range(0, len(due), _AT_ONCE):
            runs = [_run(self.campaign, at) for at in due[start : start + _AT_ONCE]]
            people = [run.person for run in runs]
            await add_people(self.pool, people)
            await befriend(self.pool, people)
            async with self.pool.acquire() as connection, connection.transaction():
                await save_enrolments(connection, runs)
                await save_timers(connection, runs)
            for run in runs:
                self.owed[message_id(run.id, "1:first")] = run.due_at
                self.owed[message_id(run.id, "3:second")] = run.due_at + BETWEEN

    async def now(self) -> datetime:
        """The time by PostgreSQL's clock."""
        instant: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return instant

    async def overdue(self) -> int:
        """How many timers are due and not yet fired."""
        number: int = await self.pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= clock_timestamp()")
        return number

    async def fired(self, name: str) -> int:
        """How many timers a process has fired; 0 as long as it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                session.get(f"{self.fleets[name].url('scheduler')}/metrics") as answer,
            ):
                lines = (await answer.text()).splitlines()
        except aiohttp.ClientError:
            return 0
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("todoke_timers_fired_total"))

    async def until_fired(self, name: str, number: int, *, seconds: float = 60) -> None:
        """Return once a process has fired so many."""
        deadline = time.monotonic() + seconds
        while (fired := await self.fired(name)) < number:
            assert time.monotonic() < deadline, f"{name} has fired {fired} of {number} timers after {seconds} s"
            await asyncio.sleep(0.05)

    async def until_done(self, *, seconds: float) -> None:
        """Return once every run that owes something is done and every request is published."""
        deadline = time.monotonic() + seconds
        while any(numbers := tuple(await self.pool.fetchrow(_LEFT, self.campaign) or ())):
            assert time.monotonic() < deadline, f"{numbers} runs and records are left after {seconds} s"
            await asyncio.sleep(0.1)

    async def asked(self) -> list[Asked]:
        """What was asked of the dispatcher, in no order; what came twice is here twice."""
        own = f'"campaign":"{self.campaign}"'.encode()
        return [one for one in await _read_requests(self.bootstrap_servers) if own in one.value]


def without_repeats(asked: Iterable[Asked]) -> tuple[dict[UUID, Asked], int]:
    """Each message once, as it was asked for first, and how many were told again.

    A relay that dies between Kafka's acknowledgement and its delete publishes its last batch again; the dispatcher
    knows it by its id. AssertionError where it says something else the second time.
    """
    first: dict[UUID, Asked] = {}
    times: Counter[UUID] = Counter()
    for one in sorted(asked, key=lambda each: each.at):
        assert first.setdefault(one.message, one).value == one.value, f"message {one.message} is told in two ways"
        times[one.message] += 1
    return first, sum(times.values()) - len(times)


def percentile(values: Iterable[timedelta], share: float) -> timedelta:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@asynccontextmanager
async def open_schedulers(
    dsn: str, bootstrap_servers: str, directory: Path, campaign: str
) -> AsyncIterator[Schedulers]:
    """None running yet, in a shop with this one campaign."""
    await migrate_rooms(dsn)
    async with await open_pool(dsn, application="test", schema="scheduler", size=3) as pool:
        await publish(pool, [care(campaign), care(f"{campaign}-meanwhile")])
        schedulers = Schedulers(dsn, bootstrap_servers, directory, pool, campaign)
        try:
            yield schedulers
        finally:
            await schedulers.stop()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _run(campaign: str, due_at: datetime) -> Enrolment:
    return Enrolment(
        id=uuid4(),
        campaign=campaign,
        version=1,
        shop="main",
        person=uuid4(),
        key="",
        started_at=due_at - timedelta(hours=1),
        due_at=due_at,
        position=1,
    )


async def _read_requests(bootstrap_servers: str) -> list[Asked]:
    ends = await end_offsets(bootstrap_servers, REQUESTS_TRANSACTIONAL)
    places = [TopicPartition(REQUESTS_TRANSACTIONAL.name, number) for number, end in ends.items() if end > 0]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        found: list[Asked] = []
        while len(found) < sum(ends.values()):
            for lot in (await consumer.getmany(timeout_ms=200)).values():
                found += [
                    Asked(UUID(loads(one.value)["id"]), datetime.fromtimestamp(one.timestamp / 1000, UTC), one.value)
                    for one in lot
                ]
        return found
    finally:
        await consumer.stop()
