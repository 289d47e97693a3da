"""Webhooks: signed, in order for each user, sent again until the receiver answers.

May lose: an event whose receiver fails ``webhook_max_tries`` times is given up, as LINE does, and counted.
Order: first tries keep the order of one user's events; a redelivery comes later than what followed it, as with LINE.
"""

import asyncio
import base64
import hashlib
import hmac
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import orjson

from todoke_line_simulator.accounts import Account
from todoke_line_simulator.clock import AdvancingClock
from todoke_line_simulator.events import Event, redelivered
from todoke_line_simulator.settings import SimulatorSettings

WebhookSender = Callable[[str, bytes, dict[str, str]], Awaitable[int]]
"""Sends (URL, raw body, headers) and gives the HTTP status; raises OSError, TimeoutError or aiohttp.ClientError."""

_LONGEST_BACKOFF_SECONDS = 60.0


def signature(channel_secret: str, body: bytes) -> str:
    """``x-line-signature``: base64 of the HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.digest(channel_secret.encode(), body, hashlib.sha256)).decode()


class HttpWebhookSender:
    """Sends over HTTP with one connection pool, opened at first use."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Send and read the answer; redirects are not followed, as LINE does not."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            await response.read()
            return response.status

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


@dataclass(frozen=True, slots=True)
class _Delivery:
    account: Account
    event: Event


class Webhooks:
    """The queues of webhooks to send. Workers start with the first event and end with the last: nothing idles."""

    def __init__(self, settings: SimulatorSettings, clock: AdvancingClock, sender: WebhookSender) -> None:
        self._settings = settings
        self._clock = clock
        self._sender = sender
        self._lanes: dict[tuple[str, int], deque[_Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, account: Account, user_id: str, event: Event, copies: int = 1) -> None:
        """Queue one event of this user; ``copies`` > 1 sends the same webhook again, as LINE sometimes does."""
        account.stats.webhooks["queued"] += copies
        key = (account.name, zlib.crc32(user_id.encode()) % self._settings.webhook_lanes)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = deque()
            self._start(self._run_lane(key, lane))
        lane.extend([_Delivery(account, event)] * copies)

    async def cancel(self) -> None:
        """Drop what is queued and wait until nothing is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._lanes.clear()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_lane(self, key: tuple[str, int], lane: deque[_Delivery]) -> None:
        try:
            while lane:
                delivery = lane.popleft()
                if await self._try(delivery.account, delivery.event):
                    delivery.account.stats.webhooks["delivered"] += 1
                else:
                    self._start(self._redeliver(delivery))
        finally:
            self._lanes.pop(key, None)

    async def _redeliver(self, delivery: _Delivery) -> None:
        account, event = delivery.account, redelivered(delivery.event)
        further_tries = self._settings.webhook_max_tries - 1 if self._settings.webhook_redelivery else 0
        for number in range(further_tries):
            await asyncio.sleep(min(self._settings.webhook_backoff_seconds * 2**number, _LONGEST_BACKOFF_SECONDS))
            account.stats.webhooks["redelivered"] += 1
            if token := event.get("replyToken"):
                account.reply_tokens.redelivered(str(token), self._clock.now())
            if await self._try(account, event):
                account.stats.webhooks["delivered"] += 1
                return
        account.stats.webhooks["givenUp"] += 1

    async def _try(self, account: Account, event: Event) -> bool:
        """Send once; True = answered with 2xx in time."""
        body = orjson.dumps({"destination": account.settings.destination, "events": [event]})
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "LineBotWebhook/2.0",
            "x-line-signature": signature(account.settings.channel_secret, body),
        }
        try:
            async with asyncio.timeout(self._settings.webhook_timeout_seconds):
                status = await self._sender(account.settings.webhook_url, body, headers)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
        return 200 <= status < 300
