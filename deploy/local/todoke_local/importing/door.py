"""Ingest's door for events, as an importer knocks: again and again while it is asked to wait, with the same ids."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

PATIENCE_SECONDS = 120.0
"""How long a door that has answered before may be gone, or fail: a deployment, a restart."""
_LONGEST_WAIT = 300.0
_TIMEOUT = aiohttp.ClientTimeout(total=60)
Tell = Callable[[str], None]


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="ignore")

    index: int | None = None
    field: str = ""
    reason: str = ""


class _Answer(BaseModel):
    """What is read of any answer: what was refused (202, 207), or why nothing was taken (RFC 9457)."""

    model_config = ConfigDict(extra="ignore")

    refused: list[_Refusal] = []
    errors: list[_Refusal] = []
    title: str = ""
    detail: str = ""


@dataclass
class EventsDoor:
    """POST /v1/events of an ingest. `key`: the secret that opens it, where keys are asked for.

    `tell` says what is being waited for.
    """

    session: aiohttp.ClientSession
    url: str
    tell: Tell
    key: str | None = field(default=None, repr=False)
    has_answered: bool = False

    async def post(self, body: bytes, count: int) -> dict[int, str]:
        """Have a batch of `count` events taken: the reasons of those refused, by index.

        ValueError when the door will not open, or nobody answers any more; some of the batch may have been taken even
        so: post the same again.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                status, wait, answer = await self._knock(body)
            except (aiohttp.ClientError, TimeoutError) as error:
                self._give_up(deadline, f"nobody answers at {self.url} ({type(error).__name__})", error)
                self.tell("ingest does not answer; trying again …")
                await asyncio.sleep(1.0)
                continue
            self.has_answered = True
            if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
                self.tell(f"ingest asks to wait {wait:g} s …")
                await asyncio.sleep(wait)
                deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._give_up(deadline, f"ingest answers {status}; its log tells more", None)
                self.tell(f"ingest answers {status}; trying again …")
                await asyncio.sleep(1.0)
            else:
                return _refusals(status, answer, count)

    async def _knock(self, body: bytes) -> tuple[int, float, _Answer]:
        headers = {"content-type": "application/cloudevents-batch+json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        async with self.session.post(
            f"{self.url}/v1/events", data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            return response.status, _seconds(response.headers.get("retry-after")), _read(await response.read())

    def _give_up(self, deadline: float, words: str, cause: Exception | None) -> None:
        if not self.has_answered:
            raise ValueError(f"{words}. Is Todoke running, and is TODOKE_INGEST_URL right?") from cause
        if asyncio.get_running_loop().time() > deadline:
            raise ValueError(f"{words}. The same command goes on where it stopped") from cause


def _refusals(status: int, answer: _Answer, count: int) -> dict[int, str]:
    refused = answer.refused or answer.errors
    if status in (HTTPStatus.ACCEPTED, HTTPStatus.MULTI_STATUS) or (
        status == HTTPStatus.BAD_REQUEST and len(refused) == count
    ):
        if any(one.index is None or one.index >= count for one in refused):
            raise ValueError("ingest refused an event without saying which; is TODOKE_INGEST_URL right?")
        return {one.index: f"{one.field}: {one.reason}" for one in refused if one.index is not None}
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ValueError(
            f"ingest answered {status}: {answer.detail or 'it wants a key'}. Set TODOKE_INGEST_KEY to the shop's key "
            "for events"
        )
    raise ValueError(f"ingest answered {status}: {answer.detail or answer.title or 'that is no answer of ingest'}")


def _read(content: bytes) -> _Answer:
    try:
        return _Answer.model_validate_json(content)
    except ValidationError:
        return _Answer()


def _seconds(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or "5"), 0.05), _LONGEST_WAIT)
    except ValueError:
        return 5.0
