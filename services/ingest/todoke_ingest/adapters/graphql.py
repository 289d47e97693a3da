"""One question to a shop's GraphQL API, and the ways in which it comes to nothing. No retry: that is the caller's."""

from collections.abc import Mapping
from typing import Literal, Protocol

import aiohttp

from todoke_ingest.domain.notices import Notice
from todoke_shared.jsons import loads

Outcome = Literal["away", "slow", "busy", "denied", "failed", "garbage"]
TIMEOUT_SECONDS = 20.0
"""An EC-CUBE on shared hosting is slow; more than this is a shop that hangs."""
_LONGEST_ANSWER = 4 * 1024 * 1024
"""An order of 500 lines has a few hundred KiB; a broken proxy's page is not read to its end."""


class ShopError(RuntimeError):
    """The shop could not be asked this time. `outcome` is the metric's label; the text holds nothing of the answer."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class ShopApi(Protocol):
    """A shop that can be asked for what it gave notice of."""

    async def fetch(self, notice: Notice) -> Mapping[str, object] | None:
        """The entity as it is now, or None when there is none of that id. Raises ShopError."""


async def post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    headers: Mapping[str, str],
    json: object = None,
    form: Mapping[str, str] | None = None,
) -> Mapping[str, object]:
    """The JSON object that a shop answers. ShopError when there is none, or the status is not 200."""
    try:
        # A redirect would carry the token to another host, and turn the POST into a GET.
        async with session.post(url, json=json, data=form, headers=headers, allow_redirects=False) as response:
            status, body = response.status, await _read(response)
    except TimeoutError:
        raise ShopError("slow", f"the shop did not answer within {TIMEOUT_SECONDS:.0f} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise ShopError("away", f"the shop cannot be reached ({type(error).__name__})") from None
    if status in (401, 403):
        raise ShopError("denied", f"the shop answered {status}: look at its token and the token's scope")
    if status != 200:
        raise ShopError("failed", f"the shop answered {status}")
    return _object(body)


async def ask(
    session: aiohttp.ClientSession, url: str, query: str, variables: Mapping[str, object], headers: Mapping[str, str]
) -> Mapping[str, object]:
    """The `data` of GraphQL's answer. An answer with errors is none, unless every field asked for is there.

    EC-CUBE's plugin puts warnings among the errors (Controller/ApiController.php).
    """
    answer = await post(session, url, headers=headers, json={"query": query, "variables": variables})
    data = answer.get("data")
    if not isinstance(data, dict) or not data:
        raise ShopError("failed", "the shop's API refused the question: a field that this version lacks, or a scope")
    if answer.get("errors") and None in data.values():
        raise ShopError("failed", "the shop's API answered with errors instead of the entity")
    return data


def _object(body: bytes) -> Mapping[str, object]:
    try:
        value = loads(body)
    except ValueError:
        raise ShopError(
            "garbage", "the shop's answer is not JSON: look at its address, or its maintenance page"
        ) from None
    if not isinstance(value, dict):
        raise ShopError("garbage", "the shop's answer is no JSON object: is the address right?")
    return value


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            raise ShopError("garbage", f"the shop's answer is larger than {_LONGEST_ANSWER // 1024} KiB")
    return bytes(body)
