"""Feeds a recording through the HTTP door, under a clock N times as fast as the wall's.

The people are befriended first, in the simulator, and told to be the recording's customers. Each event is then
posted, in order, shortly before the shop's clock reaches it; afterwards the clock runs on until the last timers
have fired. What a clock N times as fast would make late by the pipeline's own tenth of a second (a quarter of an hour
at 10,000) is thus in its place in time: an event has no effect before its own instant.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
from pydantic import SecretStr

from todoke_local.backlog import until_quiet
from todoke_local.recordings import Recorded
from todoke_shared.clock import SampledClock
from todoke_shared.jsons import dumps
from todoke_shared.postgres.fleet_clock import (
    RESAMPLE_SECONDS,
    SIMULATED_LIFE,
    clear_simulated_clock,
    keep_simulated_clock,
    open_clock,
    sample_clock,
    set_simulated_clock,
)
from todoke_shared.telemetry.loops import Loops

BATCH = 500
"""Events a request; ingest takes 1,000."""
TICK_SECONDS = 0.02
AHEAD = timedelta(minutes=12)
"""How long before its time an event is posted, in shop time; ingest refuses what is more than 15 minutes ahead."""
RUN_ON = timedelta(hours=26)
"""How long the shop's clock goes on after the last event: the second cart reminder comes 25 h after a change."""
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Place:
    """Where to replay to. `key`: a key of the shop for events, where ingest asks for one."""

    ingest_url: str
    simulator_url: str
    account: str = "main"
    key: SecretStr | None = None


@dataclass(frozen=True)
class Progress:
    """How far a replay is. `shop_time` is the simulated clock's."""

    posted: int
    refused: int
    shop_time: datetime


Watch = Callable[[Progress], None]


class Replay:
    """One replay of a recording. ValueError when the door refuses, with its reason."""

    def __init__(
        self,
        events: Sequence[Recorded],
        pool: "asyncpg.Pool[asyncpg.Record]",
        place: Place,
        session: aiohttp.ClientSession,
    ) -> None:
        if not events:
            raise ValueError("the recording holds no events")
        self._events = events
        self._pool = pool
        self._place = place
        self._session = session
        self._posted = 0
        self.refused = 0
        self.user_ids: dict[str, str] = {}
        """The LINE user that each of the recording's people is in the simulator."""
        self.first_refusal = ""
        """What ingest said of the first event that it refused."""
        self.clock: SampledClock | None = None
        """The shop's clock, once the events have begun to flow."""

    async def run(self, speed: float, watch: Watch) -> bool:
        """Replay at `speed` shop seconds a second. Whether the pipeline was empty at the end."""
        await self._find_simulator()
        begins = self._events[0].at
        lead = timedelta(seconds=speed * 2 * RESAMPLE_SECONDS)  # the services follow a new clock within a second
        await set_simulated_clock(self._pool, begins - lead - timedelta(days=1), 1.0)
        keeping = Loops()
        keeping.start("simulated clock", self._keep_clock)
        try:
            await asyncio.sleep(1.5 * RESAMPLE_SECONDS)
            await self._befriend(begins - lead - timedelta(days=1))
            await until_quiet(self._pool, seconds=SETTLE_SECONDS)
            await set_simulated_clock(self._pool, begins - lead, speed)
            self.clock = await open_clock(self._pool)
            return await self._feed(self.clock, watch)
        finally:
            await keeping.stop()
            await clear_simulated_clock(self._pool)

    async def _find_simulator(self) -> None:
        """Before the clock is touched: without the simulator this may be somebody's real shop."""
        try:
            async with self._session.get(f"{self._place.simulator_url}/sim/stats") as response:
                found = response.ok
        except aiohttp.ClientError:
            found = False
        if not found:
            raise ValueError(f"no LINE simulator answers at {self._place.simulator_url}; a replay needs one")

    async def _keep_clock(self) -> None:
        await keep_simulated_clock(self._pool)
        await asyncio.sleep(SIMULATED_LIFE.total_seconds() / 6)

    async def _feed(self, clock: SampledClock, watch: Watch) -> bool:
        sent = 0
        end = self._events[-1].at + RUN_ON
        sampled_at = clock.wall()
        while (now := clock.now()) < end:
            due = sent
            while due < len(self._events) and due - sent < BATCH and self._events[due].at <= now + AHEAD:
                due += 1
            if due > sent:
                refused = await self._post([event.event for event in self._events[sent:due]])
                self._posted, self.refused = self._posted + due - sent - refused, self.refused + refused
                sent = due
            else:
                await asyncio.sleep(TICK_SECONDS)
            if clock.wall() - sampled_at > timedelta(seconds=RESAMPLE_SECONDS):
                clock.resample(await sample_clock(self._pool))
                sampled_at = clock.wall()
            watch(Progress(self._posted, self.refused, now))
        return await until_quiet(self._pool, seconds=SETTLE_SECONDS)

    async def _befriend(self, at: datetime) -> None:
        """Make the recording's people friends of the account, and tell who they are in the shop."""
        people = sorted({event.person for event in self._events if event.person is not None})
        body = {
            "account": self._place.account,
            "users": people,
            "webhook": True,
            "timestamp": int(at.timestamp() * 1000),
        }
        async with self._session.post(f"{self._place.simulator_url}/sim/users", json=body) as response:
            if response.status != 202:
                raise ValueError(f"the LINE simulator answered {response.status}: {await response.text()}")
            self.user_ids = (await response.json())["userIds"]
        links = [self._link(person, self.user_ids[person], at) for person in people]
        for start in range(0, len(links), BATCH):
            if await self._post(links[start : start + BATCH]):
                raise ValueError("ingest refused to link the recording's people to their LINE users")

    def _link(self, person: str, user_id: str, at: datetime) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"link-{person}",
            "source": "todoke-replay",
            "type": "customer.identified",
            "time": at.astimezone(UTC).isoformat(),
            "subject": f"customer:{person}",
            "data": {"identifiers": [f"line:{self._place.account}:{user_id}"]},
        }

    async def _post(self, events: list[dict[str, Any]]) -> int:
        """Post a batch, again while the door asks for patience, and give how many events were refused."""
        url, headers = f"{self._place.ingest_url}/v1/events", {"content-type": "application/cloudevents-batch+json"}
        if self._place.key is not None:
            headers["authorization"] = f"Bearer {self._place.key.get_secret_value()}"
        while True:
            async with self._session.post(url, data=dumps(events), headers=headers) as response:
                if response.status in (429, 503):
                    await asyncio.sleep(float(response.headers.get("retry-after", "1")))
                    continue
                answer: dict[str, Any] = await response.json(content_type=None)
                refusals = answer.get("refused") or answer.get("errors") or ()
                refused = len(refusals)
                self.first_refusal = self.first_refusal or (
                    "{field}: {reason}".format_map(refusals[0]) if refusals else ""
                )
                if response.status >= 400 and not refused:
                    raise ValueError(
                        f"ingest answered {response.status}: {answer.get('detail') or answer.get('title')}"
                    )
                return refused
