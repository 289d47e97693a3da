"""HTTP around the doors, in bare ASGI: a key, a body within its limits of size and time, the door's answer.

Bare, since a framework's routing and request objects cost as much as all that a door does with an event
(docs/adr/0014). Order matters: whose key, whether they may knock again, how large; only then is a byte of the body
looked at.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from todoke_ingest.answers import Answer
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import DoorRequest, Purpose

BODY_SECONDS = 10.0
"""A body that takes longer holds a connection that others wait for."""

Take = Callable[[Intake, DoorRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Door:
    """Which request is taken by whom. `path` may end in one parameter: `/webhooks/shopify/{shop}`.

    `limit`: bytes of the body; `purpose`: whose key it asks for; `gzip`: whether a body may be compressed.
    """

    name: str
    path: str
    take: Take
    method: str = "POST"
    limit: int = 0
    purpose: Purpose | None = None
    gzip: bool = False


class GoneError(Exception):
    """The client left before its request was whole."""


async def read_request(door: Door, scope: Scope, receive: Receive, path: Mapping[str, str]) -> DoorRequest:
    """The whole request. RequestRefusedError: 413 as soon as it is known to be too large, 408, 400; GoneError."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = await _read_body(headers, receive, door.limit) if door.method == "POST" else b""
    if door.gzip and headers.get("content-encoding", "").lower() == "gzip":
        body = _unzip(body, door.limit)
    return DoorRequest(body, headers, path, scope["query_string"].decode("latin-1"), scope["method"])


async def send_answer(send: Send, answer: Answer) -> None:
    """An answer as HTTP."""
    content = answer.content()
    headers = [(b"content-type", answer.media_type.encode()), (b"content-length", b"%d" % len(content))]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_chunks(receive, limit)
    except TimeoutError:
        raise RequestRefusedError(408, f"took longer than {BODY_SECONDS:g} s to arrive; send it again") from None


async def _read_chunks(receive: Receive, limit: int) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return body


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
    return whole


def _too_large(limit: int) -> RequestRefusedError:
    return RequestRefusedError(
        413, f"is larger than {limit:,} bytes; send it in parts", headers={"Connection": "close"}
    )
