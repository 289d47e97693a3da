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

from benchmarks.figures import Bench, Figure, percentile
from benchmarks.flow import Spent, latencies, open_stage
from benchmarks.rooms import befriend

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

    async def pass_over(self) -> None:
        """What was accepted so far is no answer to anything that is asked from here on."""
        await self.look()
        self.answered.clear()
        self.endpoints.clear()

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
        shutil.copy(ANSWER, folder)
        async with open_stage(Path(folder)) as stage:
            simulator = stage.fleet.url("simulator")
            friends = await befriend(stage.http, simulator, FRIENDS, webhook=True)
            async with stage.bare() as (send_bare, bare_line):
                floor = await latencies(bench, "bare", send_bare, bare_line)
            await converse(bench, Conversations(stage.http, simulator), friends, 1.0)  # all are known, all is warm
            talk = Conversations(stage.http, simulator)
            await talk.pass_over()
            spent = Spent(stage.fleet)
            await converse(bench, talk, friends, bench.seconds)
            ours = talk.milliseconds()
            remark = f"{talk.endpoints['reply']:,} of {len(ours):,} free; CPU an answer: {spent.each(len(ours))}"
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
