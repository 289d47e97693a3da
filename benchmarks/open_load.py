"""Requests at set instants, whether or not the answers keep up: an answer's time counts from when its request was due.

So a server that stalls is charged for everybody who came meanwhile, as in life.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import cast

from benchmarks.http_load import Answers, body_length

_Due = tuple[float, bytes]


class _Load:
    """Requests that are due, and the connections that are free."""

    def __init__(self, number: int) -> None:
        self.answers = Answers()
        self.free: list[_Connection] = []
        self.due: deque[_Due] = deque()
        self.left = number
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, due: _Due) -> None:
        if self.free:
            self.free.pop().send(due)
        else:
            self.due.append(due)

    def answered(self, connection: "_Connection", status: bytes, seconds: float) -> None:
        self.answers.statuses[status] = self.answers.statuses.get(status, 0) + 1
        self.answers.seconds.append(seconds)
        self.left -= 1
        if self.due:
            connection.send(self.due.popleft())
        else:
            self.free.append(connection)
        if not self.left and not self.ended.done():
            self.ended.set_result(None)

    def lost(self) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the server closed a connection"))


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._read = b""
        self._due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._load.free.append(self)

    def send(self, due: _Due) -> None:
        self._due, request = due
        if self.transport is not None:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if found and len(body) >= body_length(head):
            self._read = b""
            self._load.answered(self, head[9:12], time.perf_counter() - self._due)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._load.lost()


async def open_load(
    port: int, requests: Sequence[bytes], *, per_second: int, seconds: float, connections: int = 64
) -> Answers:
    """Send `per_second` requests (the given ones in turn) to 127.0.0.1 for `seconds`, and wait for every answer.

    ConnectionError when the server closes a connection.
    """
    number = max(1, int(per_second * seconds))
    load = _Load(number)
    loop = asyncio.get_running_loop()
    lines = [
        (await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    started = time.perf_counter()
    for index in range(number):
        due = started + index / per_second
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        load.add((due, requests[index % len(requests)]))
    try:
        await load.ended
    finally:
        for line in lines:
            if line.transport is not None:
                line.transport.abort()
    return load.answers
