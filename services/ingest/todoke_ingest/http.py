"""HTTP around the doors, in bare ASGI: a key, a body within its limits of size and time, the door's answer.

Bare, since a framework's routing and request objects cost as much as all that a door does with an event
(docs/adr/0014). Order matters: whose key, whether they may knock again, how large; only then is a byte of the body
looked at.
"""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from todoke_ingest.adapters.keys import KeyRing
from todoke_ingest.answers import RETRY_AFTER_SECONDS, Answer
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import DoorRequest, Purpose

BODY_SECONDS = 10.0
"""A body that takes longer holds a connection that others wait for."""

MOST_HELD_BYTES = 64 * 1024 * 1024
"""Of all bodies under way together, an eighth of the memory that a pod is given: strangers may send 2 MiB to a
webhook's door before their signature can be looked at."""
SMALL_BYTES = 64 * 1024
"""A body of this size is never sent away for the others' sake: nearly every honest one is smaller."""

_WITHOUT_CONTENT = (204, 304)
"""These say nothing of a body, not even that it is empty (RFC 9110, 8.6)."""

_CLOSE = {"Connection": "close"}
"""With the rest of a body still to come, the connection is good for nothing more."""

Take = Callable[[Intake, DoorRequest], Awaitable[Answer]]


def _as_it_is(answer: Answer) -> Answer:
    return answer


@dataclass(frozen=True, slots=True)
class Door:
    """Which request is taken by whom. `path` may have one parameter, its last part or the one before:
    `/webhooks/shopify/{shop}`, `/v1/campaigns/{campaign}/start`.

    `limit`: bytes of the body; `purpose`: whose key it asks for; `gzip`: whether a body may be compressed; `shape`:
    how its callers want to read a problem that was found before it.
    """

    name: str
    path: str
    take: Take
    method: str = "POST"
    limit: int = 0
    purpose: Purpose | None = None
    gzip: bool = False
    shape: Callable[[Answer], Answer] = _as_it_is


class GoneError(Exception):
    """The client left before its request was whole."""


class Bodies:
    """The bodies under way. One look a second at all of them costs a tenth of a timer for each."""

    def __init__(self) -> None:
        self._since: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._held = 0

    async def end_slow_ones(self) -> None:
        """A round of the loop that ends requests whose body has taken longer than BODY_SECONDS."""
        latest = time.monotonic() - BODY_SECONDS
        for task, since in self._since.items():
            if since < latest and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        await asyncio.sleep(1)

    async def read(self, receive: Receive, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes.

        RequestRefusedError: 413, 408, 503 for a large one while MOST_HELD_BYTES are under way; GoneError.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a body is read by a task")
        self._since[task] = time.monotonic()
        try:
            return await self._read_chunks(receive, limit)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            slow = f"took longer than {BODY_SECONDS:g} s to arrive; send it again"
            raise RequestRefusedError(408, slow, headers=_CLOSE) from None
        finally:
            del self._since[task]
            self._overdue.discard(task)

    async def _read_chunks(self, receive: Receive, limit: int) -> bytes:
        body = bytearray()  # bytes would be copied whole for every chunk of a trickle
        more = True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                chunk = message.get("body", b"")
                more = message.get("more_body", False)
                body += chunk
                self._held += len(chunk)
                if len(body) > limit:
                    raise _too_large(limit)
                if len(body) > SMALL_BYTES and self._held > MOST_HELD_BYTES:
                    raise _too_many()
            return bytes(body)
        finally:
            self._held -= len(body)


async def read_request(door: Door, scope: Scope, receive: Receive, keys: KeyRing, bodies: Bodies) -> DoorRequest:
    """The whole request, and whose it is.

    RequestRefusedError: 401, 403 and 429 by its key, 413 as soon as it is known to be too large, 408, 400; GoneError.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    caller = keys.admit(door.purpose, headers, query, time.monotonic()) if door.purpose else None
    body = b""
    if door.method == "POST":
        _check_declared(headers, door.limit)
        body = await bodies.read(receive, door.limit)
    if door.gzip and headers.get("content-encoding", "").lower() == "gzip":
        body = _unzip(body, door.limit)
    return DoorRequest(body, headers, scope["path_params"], query, scope["method"], caller)


async def send_answer(send: Send, answer: Answer) -> None:
    """An answer as HTTP."""
    content, headers = b"", []
    if answer.status not in _WITHOUT_CONTENT:
        content = answer.content()
        headers = [(b"content-type", answer.media_type.encode()), (b"content-length", b"%d" % len(content))]
    for name, value in answer.headers.items():
        headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _check_declared(headers: Mapping[str, str], limit: int) -> None:
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)


def _unzip(body: bytes, limit: int) -> bytes:
    try:
        unzip = zlib.decompressobj(wbits=31)
        whole = unzip.decompress(body, limit + 1)
    except zlib.error:
        raise RequestRefusedError(400, "is not gzip, as Content-Encoding says it is") from None
    if len(whole) > limit:
        raise _too_large(limit)
    if not unzip.eof:
        raise RequestRefusedError(400, "is gzip that ends too early")
    if unzip.unused_data:  # what it holds would be lost under a 2xx
        raise RequestRefusedError(400, "goes on behind the end of its gzip; send one member and nothing else")
    return whole


def _too_many() -> RequestRefusedError:
    headers = {**_CLOSE, "Retry-After": str(RETRY_AFTER_SECONDS)}
    return RequestRefusedError(503, "came with too many other large ones; send it again", headers=headers)


def _too_large(limit: int) -> RequestRefusedError:
    return RequestRefusedError(413, f"is larger than {limit:,} bytes; send it in parts", headers=_CLOSE)
