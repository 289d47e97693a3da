"""A running Todoke as its producers and its LINE platform see it: over HTTP and Kafka, from outside."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg

from tests.support.waiting import PATIENCE, until
from todoke_local.fleet import Fleet


@dataclass
class Running:
    """The fleet, and how a test talks to it."""

    fleet: Fleet
    pool: "asyncpg.Pool[asyncpg.Record]"
    session: aiohttp.ClientSession
    bootstrap_servers: str

    async def befriend(self, *names: str) -> dict[str, str]:
        """These people befriend the account, with webhooks; their LINE user ids by name."""
        body = {"account": "main", "users": list(names), "webhook": True}
        async with self.session.post(f"{self.fleet.url('simulator')}/sim/users", json=body) as response:
            assert response.status == 202, await response.text()
            ids: dict[str, str] = (await response.json())["userIds"]
            return ids

    async def post(self, *events: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Post events once; the status and the answer."""
        async with self.session.post(f"{self.fleet.url('ingest')}/v1/events", json=list(events)) as response:
            return response.status, await response.json(content_type=None)

    async def post_until_taken(self, *events: dict[str, Any], seconds: float = 60) -> None:
        """Post as a good producer does: the same events again until they are taken."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                status, answer = await self.post(*events)
            except (aiohttp.ClientError, TimeoutError):
                status, answer = 0, {}
            if status == 202:
                return
            assert status in (0, 503), (status, answer)
            assert time.monotonic() < deadline, f"ingest took nothing for {seconds} s"
            await asyncio.sleep(0.2)

    async def messages(self) -> list[dict[str, Any]]:
        """Everything that LINE has accepted."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            url = f"{self.fleet.url('simulator')}/sim/messages"
            async with self.session.get(url, params={"after": after, "limit": 10_000}) as response:
                answer = await response.json()
            found += answer["messages"]
            if not answer["messages"]:
                return found
            after = answer["next"]

    async def texts(self) -> list[str]:
        """The texts that LINE has accepted, in order; in one reply there may be several."""
        return [part["text"] for message in await self.messages() for part in message["messages"]]

    async def spend_tokens(self, number: int) -> None:
        """Return once the reply tokens of so many events are known, and none is left: from here on all is pushed."""
        known = "SELECT count(*) FROM dispatcher.reply_tokens"
        await until(lambda: self.pool.fetchval(known), lambda found: found >= number, f"{number} reply tokens")
        await self.pool.execute("UPDATE dispatcher.reply_tokens SET token = NULL")

    async def account_stats(self) -> dict[str, Any]:
        """The simulator's counts for the account `main`."""
        async with self.session.get(f"{self.fleet.url('simulator')}/sim/stats") as response:
            stats: dict[str, Any] = (await response.json())["accounts"]["main"]
            return stats

    async def until_settled(self) -> None:
        """Return once the ledger knows what became of every message: what a killed dispatcher sent, it asks again."""
        await until(self._ledger, lambda ledger: not {"waiting", "attempting"} & ledger.keys(), "all is settled")

    async def until_accepted(self, number: int, *, seconds: float = PATIENCE) -> None:
        """Return once LINE has taken so many, by the ledger. AssertionError, with what there is, when not."""
        wanted = f"{number} messages are accepted"
        await until(
            self._ledger, lambda ledger: ledger.get("accepted", 0) >= number, wanted, seconds=seconds, pause=0.1
        )

    async def _ledger(self) -> dict[str, int]:
        rows = await self.pool.fetch("SELECT state, count(*) FROM dispatcher.deliveries GROUP BY state")
        return {row["state"]: row["count"] for row in rows}
