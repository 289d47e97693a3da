"""LINE's endpoints for sending, for rich menus and for the month over HTTP.

aiohttp, not line-bot-sdk: a seventh of the CPU a message (LINE-API.md: other).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import aiohttp

from todoke_dispatcher.adapters.token_sources import source_of
from todoke_dispatcher.adapters.tokens import ChannelTokens
from todoke_dispatcher.domain.breaker import HEARING_SECONDS
from todoke_dispatcher.domain.verdict import Answer
from todoke_shared.accounts import Account
from todoke_shared.jsons import loads
from todoke_shared.telemetry.loops import Loops

PUSH_PATH = "/v2/bot/message/push"
MULTICAST_PATH = "/v2/bot/message/multicast"
REPLY_PATH = "/v2/bot/message/reply"
_SPARE = 10
"""Connections for tokens and calls, which must not wait behind messages that hang."""
_LONGEST_ANSWER = 64 * 1024
"""LINE's answers have a few hundred bytes; a broken proxy's page is not read to its end."""
_LONGEST_REQUEST_ID = 200
"""LINE's have 36 characters."""


class LineClient:
    """A `LinePort` and `MonthPort` on an aiohttp session."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, tokens: ChannelTokens) -> None:
        self._session = session
        self._push_url = api_url.rstrip("/") + PUSH_PATH
        self._multicast_url = api_url.rstrip("/") + MULTICAST_PATH
        self._reply_url = api_url.rstrip("/") + REPLY_PATH
        self._bot_url = api_url.rstrip("/") + "/v2/bot"
        self._tokens = tokens

    def is_ready(self, account: str) -> bool:
        """Whether an access token is at hand."""
        return self._tokens.has(account)

    async def call(self, account: str) -> Answer:
        """`GET /v2/bot/info`. Raises as `push` does; TimeoutError after HEARING_SECONDS."""
        async with asyncio.timeout(HEARING_SECONDS):
            return await self._call("GET", "/info", account)

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """One request, no retry. Raises aiohttp.ClientError, OSError or TimeoutError: LINE may have taken it."""
        return await self._post(self._push_url, account, retry_key, body)

    async def multicast(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """The same as `push`, to several."""
        return await self._post(self._multicast_url, account, retry_key, body)

    async def reply(self, account: str, body: bytes) -> Answer:
        """The same as `push`, without a key: LINE refuses one here."""
        return await self._post(self._reply_url, account, None, body)

    async def rich_menu(self, account: str, to: str, alias: str | None) -> Answer:
        """One or two requests, no retry. Raises as `push` does; ValueError when LINE's answer names no menu.

        The alias is looked up each time, so that a menu which is exchanged behind it shows from then on.
        """
        if alias is None:
            return await self._call("DELETE", f"/user/{to}/richmenu", account)
        found = await self._call("GET", f"/richmenu/alias/{alias}", account)
        if found.status != 200:
            return found
        return await self._call("POST", f"/user/{to}/richmenu/{_menu_id(found.body)}", account)

    async def month(self, account: str) -> tuple[Answer, Answer]:
        """Two requests, no retry. Raises as `push` does."""
        limit = await self._call("GET", "/message/quota", account)
        return limit, await self._call("GET", "/message/quota/consumption", account)

    async def _call(self, method: str, path: str, account: str) -> Answer:
        token = self._tokens.token(account)
        headers = {"Authorization": f"Bearer {token}"}  # a retry key gives 400 here
        url = self._bot_url + path
        async with self._session.request(method, url, headers=headers, allow_redirects=False) as response:
            self._tokens.check(account, token, response.status)
            return await _answer(response)

    async def _post(self, url: str, account: str, retry_key: UUID | None, body: bytes) -> Answer:
        token = self._tokens.token(account)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if retry_key is not None:
            headers["X-Line-Retry-Key"] = str(retry_key)
        # A redirect would carry the token to another host, and turn the POST into a GET.
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            self._tokens.check(account, token, response.status)
            return await _answer(response)


@asynccontextmanager
async def open_line(
    api_url: str, tokens: Mapping[str, str], *, connections: int, timeout_seconds: float
) -> AsyncIterator[LineClient]:
    """A client with a session of its own: at most `connections` at a time, and every call ends within the timeout.

    `tokens`: long-lived channel access tokens by account.
    """
    async with _open_session(connections, timeout_seconds) as session:
        yield LineClient(session, api_url, ChannelTokens(tokens, {}))


@asynccontextmanager
async def open_line_of(
    api_url: str,
    accounts: Mapping[str, Account],
    *,
    connections: int,
    timeout_seconds: float,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[LineClient]:
    """The same for configured accounts, whose tokens it fetches and renews where they are not long-lived.

    `wall`: what time it is for LINE; the machine's own clock where no fleet's is at hand.
    ConfigError when an account's assertion key cannot be used.
    """
    async with _open_session(connections, timeout_seconds) as session:
        fixed = {name: account.access_token for name, account in accounts.items() if account.access_token is not None}
        fetched = {name: each for name, each in accounts.items() if each.access_token is None}
        sources = {name: source_of(session, api_url, name, each, wall) for name, each in fetched.items()}
        tokens, loops = ChannelTokens(fixed, sources), Loops()
        if sources:
            loops.start("tokens", tokens.keep)
        try:
            yield LineClient(session, api_url, tokens)
        finally:
            await loops.stop()


def _open_session(connections: int, timeout_seconds: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections + _SPARE),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # a stray HTTP_PROXY would see the tokens
    )


def _menu_id(body: bytes) -> str:
    answer = loads(body)
    menu = answer.get("richMenuId") if isinstance(answer, dict) else None
    if not isinstance(menu, str) or not menu.replace("-", "").isalnum():
        raise ValueError("the alias' answer names no rich menu")
    return menu


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    return Answer(
        status=response.status,
        body=await _read(response),
        request_id=_request_id(response, "x-line-request-id"),
        accepted_request_id=_request_id(response, "x-line-accepted-request-id"),
    )


def _request_id(response: aiohttp.ClientResponse, header: str) -> str | None:
    """A proxy may write anything there, and PostgreSQL holds no bytes that are no text."""
    told = response.headers.get(header, "")
    return told if told.isascii() and 1 <= len(told) <= _LONGEST_REQUEST_ID else None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            break
    return body
