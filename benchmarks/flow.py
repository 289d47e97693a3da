"""Event to message, through all four services as processes, with embedded parts and the simulator at LINE's own rate.

Floor: `bare_flow.py`, the same hops through Kafka and the same push, with nothing in between; its simulator
has no rate limit. Events are orders, since their confirmation is due at once.
"""

import asyncio
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.bare_flow import open_bare_flow
from benchmarks.figures import Bench, Figure, cpu_of, percentile
from benchmarks.rooms import CAMPAIGNS, befriend, open_simulator
from todoke_local.fleet import SERVICES, Fleet, free_ports
from todoke_local.machine import open_machine
from todoke_local.settings import LocalSettings
from todoke_shared.jsons import dumps

SINGLES, PACE_SECONDS = 200, (0.02, 0.08)
"""One event at a time, some 20 a second: far below any rate, so that only the way itself is measured. At odd
intervals, since even ones would fall into step with the embedded broker, which answers a fetch every 50 ms."""
ORDERS, BATCH, FRIENDS = 5_000, 500, 200
GIVE_UP_SECONDS = 60.0
_TEXT = re.compile(r"benchmark-\w+-\d+")

Send = Callable[[Sequence[str]], Awaitable[None]]
"""Sends one message for each of these texts; returns when they are taken, not when they have arrived."""


class Line:
    """A simulator, and when it accepted which text."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._after = 0
        self.accepted: dict[str, float] = {}
        self.number = 0

    async def look(self) -> None:
        """Learn what was accepted since the last look."""
        params = {"after": self._after, "limit": 10_000}
        async with self._http.get(f"{self._url}/sim/messages", params=params) as answer:
            news: dict[str, Any] = await answer.json()
        self._after, self.number = news["next"], self.number + len(news["messages"])
        for message in news["messages"]:
            at = datetime.fromisoformat(message["acceptedAt"]).timestamp()
            for part in message["messages"]:  # several may share a reply
                if found := _TEXT.search(part["text"]):
                    self.accepted[found[0]] = at

    async def until(self, complete: Callable[[], bool]) -> None:
        """Return once it is. RuntimeError when it takes longer than a minute."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        await self.look()
        while not complete():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"LINE has accepted {self.number} messages and no more; run `todoke demo` to see why"
                )
            await asyncio.sleep(0.25)
            await self.look()


async def latencies(bench: Bench, name: str, send: Send, line: Line) -> list[float]:
    """Milliseconds from before the event is posted until LINE accepts its message, of one event at a time."""
    sent: dict[str, float] = {}
    rng = random.Random(1)
    with bench.shown(f"{name}: single events", SINGLES) as done:
        for number in range(SINGLES):
            text = f"benchmark-single-{number}"
            sent[text] = time.time()
            await send([text])
            done(1)
            await asyncio.sleep(max(0.0, sent[text] + rng.uniform(*PACE_SECONDS) - time.time()))
        await line.until(lambda: sent.keys() <= line.accepted.keys())
    return [(line.accepted[text] - at) * 1000 for text, at in sent.items()]


async def burst(bench: Bench, name: str, send: Send, line: Line) -> float:
    """Messages a second, from the first post to the last acceptance."""
    texts = [f"benchmark-burst-{number}" for number in range(ORDERS)]
    started = time.time()
    with bench.shown(f"{name}: burst", ORDERS) as done:
        for start in range(0, ORDERS, BATCH):
            await send(texts[start : start + BATCH])
            done(BATCH)
        await line.until(lambda: set(texts) <= line.accepted.keys())
    return ORDERS / (max(line.accepted[text] for text in texts) - started)


def ordering(http: aiohttp.ClientSession, ingest_url: str, friends: Sequence[str]) -> Send:
    """Posts an order by a friend for each text, which becomes the order's number."""

    async def send(texts: Sequence[str]) -> None:
        now = datetime.now(UTC).isoformat()
        orders = [
            {
                "specversion": "1.0",
                "id": text,
                "source": "benchmark",
                "type": "order.placed",
                "time": now,
                "subject": f"line:main:{friends[index % len(friends)]}",
                "data": {
                    "order_id": text,
                    "items": [{"product_id": "sencha", "name": "静岡煎茶 100g"}],
                    "amount": 1080,
                },
            }
            for index, text in enumerate(texts)
        ]
        headers = {"content-type": "application/cloudevents-batch+json"}
        async with http.post(f"{ingest_url}/v1/events", data=dumps(orders), headers=headers) as answer:
            if answer.status != 202:
                raise RuntimeError(f"ingest answered {answer.status}: {await answer.text()}")

    return send


@dataclass(frozen=True)
class Stage:
    """All services as processes, and a simulator beside them for the bare chain on the same broker."""

    fleet: Fleet
    http: aiohttp.ClientSession
    bootstrap: str
    bare_url: str

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[tuple[Send, Line]]:
        """The floor: what sends, and where it arrives."""
        (friend,) = await befriend(self.http, self.bare_url, 1)
        async with open_bare_flow(self.bootstrap, self.bare_url, friend) as bare:
            yield bare.send, Line(self.http, self.bare_url)


@asynccontextmanager
async def open_stage(campaigns: Path) -> AsyncIterator[Stage]:
    """Embedded parts, the services with these campaigns, and the simulators; all stop with the block."""
    settings = LocalSettings(campaigns=campaigns, kafka_bootstrap_servers=None, postgres_dsn=None, line_api_url=None)
    with tempfile.TemporaryDirectory(prefix="todoke-bench-") as folder:
        async with (
            open_machine(settings, free_ports(), keep=None, logs=Path(folder)) as machine,
            open_simulator() as bare,
            aiohttp.ClientSession(trust_env=False) as http,
        ):
            yield Stage(machine.fleet, http, machine.parts.kafka_bootstrap_servers, bare.url)


class Spent:
    """What CPU the services use from here on."""

    def __init__(self, fleet: Fleet) -> None:
        self._clocks = {name: cpu_of(fleet.process_id(name)) for name in SERVICES}
        self._before = {name: clock() for name, clock in self._clocks.items()}

    def each(self, items: int) -> str:
        """So much for each of so many, service by service."""
        used = {name: (clock() - self._before[name]) / items * 1e6 for name, clock in self._clocks.items()}
        return ", ".join(f"{name} {us:,.0f} µs" for name, us in used.items())


async def run(bench: Bench) -> list[Figure]:
    """Latency of single events, then a burst; each beside the bare chain's on the same broker."""
    async with open_stage(CAMPAIGNS) as stage:
        line = Line(stage.http, stage.fleet.url("simulator"))
        friends = await befriend(stage.http, stage.fleet.url("simulator"), FRIENDS, webhook=True)
        await line.until(lambda: line.number >= FRIENDS)  # each was welcomed, so each is known
        send = ordering(stage.http, stage.fleet.url("ingest"), friends)
        async with stage.bare() as (send_bare, bare_line):
            floor_ms = await latencies(bench, "bare", send_bare, bare_line)
            floor_rate = await burst(bench, "bare", send_bare, bare_line)
        ours_ms = await latencies(bench, "flow", send, line)
        spent = Spent(stage.fleet)
        rate = await burst(bench, "flow", send, line)
        remark = f"CPU a message: {spent.each(ORDERS)}"
    what = f"burst of {ORDERS:,} orders in batches of {BATCH}"
    return [
        *(_percentile(bench, share, ours_ms, floor_ms) for share in (0.5, 0.9, 0.99)),
        Figure(bench.name, what, "messages/s", rate, floor_rate, remark=remark),
    ]


def _percentile(bench: Bench, share: float, ours: Sequence[float], floor: Sequence[float]) -> Figure:
    what = f"event to message, p{share * 100:.0f} of {SINGLES}"
    return Figure(bench.name, what, "ms", percentile(ours, share), percentile(floor, share))
