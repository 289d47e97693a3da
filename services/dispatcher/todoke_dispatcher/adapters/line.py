"""LINE's endpoints for sending, for rich menus and for the month over HTTP.

aiohttp, not line-bot-sdk: a seventh of the CPU a message (LINE-API.md: other).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp

from todoke_dispatcher.domain.verdict import Answer
from todoke_shared.jsons import loads

PUSH_PATH = "/v2/bot/message/push"
MULTICAST_PATH = "/v2/bot/message/multicast"
_LONGEST_ANSWER = 64 * 1024
"""LINE's answers have a few hundred bytes; a broken proxy's page is not read to its end."""


class LineClient:
    """A `LinePort` and `MonthPort` on an aiohttp session; `tokens` are the channel access tokens by account."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, tokens: Mapping[str, str]) -> None:
        self._session = session
        self._push_url = api_url.rstrip("/") + PUSH_PATH
        self._multicast_url = api_url.rstrip("/") + MULTICAST_PATH
        self._bot_url = api_url.rstrip("/") + "/v2/bot"
        self._authorization = {account: f"Bearer {token}" for account, token in tokens.items()}

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """One request, no retry. Raises aiohttp.ClientError, OSError or TimeoutError: LINE may have taken it."""
        return await self._post(self._push_url, account, retry_key, body)

    async def multicast(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """The same as `push`, to several."""
        return await self._post(self._multicast_url, account, retry_key, body)

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
        headers = {"Authorization": self._authorization[account]}  # a retry key gives 400 here
        url = self._bot_url + path
        async with self._session.request(method, url, headers=headers, allow_redirects=False) as response:
            return Answer(response.status, await _read(response), response.headers.get("x-line-request-id"))

    async def _post(self, url: str, account: str, retry_key: UUID, body: bytes) -> Answer:
        headers = {
            "Authorization": self._authorization[account],
            "Content-Type": "application/json",
            "X-Line-Retry-Key": str(retry_key),
        }
        # A redirect would carry the token to another host, and turn the POST into a GET.
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return Answer(
                status=response.status,
                body=await _read(response),
                request_id=response.headers.get("x-line-request-id"),
                accepted_request_id=response.headers.get("x-line-accepted-request-id"),
            )


@asynccontextmanager
async def open_line(
    api_url: str, tokens: Mapping[str, str], *, connections: int, timeout_seconds: float
) -> AsyncIterator[LineClient]:
    """A client with a session of its own: at most `connections` at a time, and every call ends within the timeout."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # a stray HTTP_PROXY would see the tokens
    ) as session:
        yield LineClient(session, api_url, tokens)


def _menu_id(body: bytes) -> str:
    answer = loads(body)
    menu = answer.get("richMenuId") if isinstance(answer, dict) else None
    if not isinstance(menu, str) or not menu.replace("-", "").isalnum():
        raise ValueError("the alias' answer names no rich menu")
    return menu


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            break
    return body
