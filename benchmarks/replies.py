"""Webhook to free reply, through all four services as processes, with embedded parts and the simulator at LINE's rate.

Conversations: somebody writes a question, and is told the hours by the campaign `faq-hours` of the library. Floor:
`bare_flow.py`, the same hops through Kafka and a push, with nothing in between.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.bare_flow import open_bare_flow
from benchmarks.figures import Bench, Figure, cpu_of, percentile
from benchmarks.flow import Line, latencies
from benchmarks.rooms import befriend, open_simulator
from todoke_local.fleet import SERVICES, free_ports
from todoke_local.machine import open_machine
from todoke_local.settings import LocalSettings

ANSWER = Path(__file__).parents[1] / "docs" / "campaign-library" / "faq-hours.yaml"
QUESTION = "営業時間"
A_SECOND, FRIENDS = 50, 500
GIVE_UP_SECONDS = 60.0


class Conversations:
    """Friends who write, and what LINE accepts for them in return."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._after = 0
        self.written: dict[str, list[float]] = {}
        self.answered: dict[str, list[float]] = {}
        self.endpoints: Counter[str] = Counter()

    async def write(self, friend: str) -> None:
        """A friend writes the question; the simulator sends its webhook at once."""
        self.written.setdefault(friend, []).append(time.time())
        url = f"{self._url}/sim/users/{friend}/message"
        async with self._http.post(url, json={"text": QUESTION}) as answer:
            answer.raise_for_status()

    async def look(self) -> None:
        """Learn what was accepted since the last look."""
        params = {"after": self._after, "limit": 10_000}
        async with self._http.get(f"{self._url}/sim/messages", params=params) as answer:
            news: dict[str, Any] = await answer.json()
        self._after = news["next"]
        for message in news["messages"]:
            self.endpoints[message["endpoint"]] += 1
            at = datetime.fromisoformat(message["acceptedAt"]).timestamp()
            for friend in message["to"]:
                self.answered.setdefault(friend, []).append(at)

    @property
    def open(self) -> int:
        """How many questions have no answer yet."""
        return sum(map(len, self.written.values())) - sum(map(len, self.answered.values()))

    def milliseconds(self) -> list[float]:
        """From before each question was written to its answer's acceptance; a friend's answers keep their order."""
        return [
            (told - asked) * 1000
            for friend, times in self.written.items()
            for asked, told in zip(times, self.answered[friend], strict=True)
        ]


async def converse(bench: Bench, talk: Conversations, friends: list[str], seconds: float) -> None:
    """So many questions a second at odd intervals, each by the next friend; then wait for the last answer."""
    rng, number = random.Random(1), int(A_SECOND * seconds)
    asking: set[asyncio.Task[None]] = set()
    due = time.time()
    with bench.shown(f"{A_SECOND} conversations a second", number) as done:
        for index in range(number):
            task = asyncio.create_task(talk.write(friends[index % len(friends)]))
            asking.add(task)
            task.add_done_callback(asking.discard)
            done(1)
            due += rng.expovariate(A_SECOND)
            await asyncio.sleep(max(0.0, due - time.time()))
        await asyncio.gather(*asking)
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while talk.open:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{talk.open} questions have no answer; run `todoke demo` to see why")
            await asyncio.sleep(0.25)
            await talk.look()


async def run(bench: Bench) -> list[Figure]:
    """Latency of answers at a steady rate, beside the bare chain's of single events on the same broker."""
    with tempfile.TemporaryDirectory(prefix="todoke-bench-") as folder:
        campaigns = Path(folder) / "campaigns"
        campaigns.mkdir()
        shutil.copy(ANSWER, campaigns)
        settings = LocalSettings(
            campaigns=campaigns, kafka_bootstrap_servers=None, postgres_dsn=None, line_api_url=None
        )
        async with (
            open_machine(settings, free_ports(), keep=None, logs=Path(folder)) as machine,
            open_simulator() as bare_simulator,
            aiohttp.ClientSession(trust_env=False) as http,
        ):
            fleet = machine.fleet
            friends = await befriend(http, fleet.url("simulator"), FRIENDS, webhook=True)
            (bare_friend,) = await befriend(http, bare_simulator.url, 1)
            bootstrap = machine.parts.kafka_bootstrap_servers
            async with open_bare_flow(bootstrap, bare_simulator.url, bare_friend) as bare:
                floor = await latencies(bench, "bare", bare.send, Line(http, bare_simulator.url))
            await converse(
                bench, Conversations(http, fleet.url("simulator")), friends, 1.0
            )  # all are known, all is warm
            talk = Conversations(http, fleet.url("simulator"))
            await talk.look()
            talk.answered.clear()
            talk.endpoints.clear()
            cpus = {name: cpu_of(fleet.process_id(name)) for name in SERVICES}
            before = {name: cpu() for name, cpu in cpus.items()}
            await converse(bench, talk, friends, bench.seconds)
            ours = talk.milliseconds()
            used = {name: (cpu() - before[name]) / len(ours) * 1e6 for name, cpu in cpus.items()}
    remark = f"{talk.endpoints['reply']:,} of {len(ours):,} free; CPU an answer: " + ", ".join(
        f"{name} {us:,.0f} µs" for name, us in used.items()
    )
    return [
        Figure(
            bench.name,
            f"webhook to free reply at {A_SECOND}/s, p{share * 100:.0f} of {len(ours):,}",
            "ms",
            percentile(ours, share),
            percentile(floor, share),
            remark=remark if share == 0.99 else "",
        )
        for share in (0.5, 0.9, 0.99)
    ]
