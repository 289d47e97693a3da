"""Many HTTP requests over a few kept-open connections, for a fraction of what a client library costs.

A raw asyncio protocol that writes requests made beforehand and looks for nothing in an answer but its status and its
end: some 9 µs of CPU a request, so that on a small machine the server is what is measured.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

NextRequest = Callable[[], bytes | None]


@dataclass
class Answers:
    """What came back: answers by status, and the seconds that each took."""

    statuses: dict[bytes, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def check_all(self, status: bytes) -> None:
        """RuntimeError unless every answer had this status: anything else is another measurement."""
        if set(self.statuses) - {status}:
            raise RuntimeError(f"expected only {status.decode()}, got {self.statuses}")


class _Connection(asyncio.Protocol):
    def __init__(self, next_request: NextRequest, answers: Answers, ended: "asyncio.Future[None]") -> None:
        self._next_request = next_request
        self._answers = answers
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._send(self._transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or len(body) < body_length(head):
            return
        status = head[9:12]
        self._answers.statuses[status] = self._answers.statuses.get(status, 0) + 1
        self._answers.seconds.append(time.perf_counter() - self._sent_at)
        self._read = b""
        if self._transport is not None:
            self._send(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the server closed the connection"))

    def _send(self, transport: asyncio.Transport) -> None:
        request = self._next_request()
        if request is None:
            if not self._ended.done():
                self._ended.set_result(None)
            transport.close()
            return
        self._sent_at = time.perf_counter()
        transport.write(request)


async def load(port: int, requests: Sequence[bytes], number: int, *, concurrency: int, seconds: float) -> Answers:
    """Send `number` requests (the given ones in turn) to 127.0.0.1, at most for `seconds`.

    ConnectionError when the server closes a connection.
    """
    answers, deadline, sent = Answers(), time.perf_counter() + seconds, 0

    def next_request() -> bytes | None:
        nonlocal sent
        if sent >= number or time.perf_counter() > deadline:
            return None
        sent += 1
        return requests[sent % len(requests)]

    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[None]] = []

    def connection() -> _Connection:
        ends.append(loop.create_future())
        return _Connection(next_request, answers, ends[-1])

    for _ in range(concurrency):
        await loop.create_connection(connection, "127.0.0.1", port)
    await asyncio.gather(*ends)
    return answers


def post(path: str, content_type: str, body: bytes) -> bytes:
    """A POST as it goes on the wire."""
    head = (f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-type: {content_type}", f"content-length: {len(body)}")
    return "\r\n".join((*head, "", "")).encode() + body


def body_length(head: bytes) -> int:
    """Bytes of the body that this head announces."""
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0
