"""Somebody who speaks TCP to ingest, byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, event
from todoke_ingest.domain.cloudevents import SINGLE

WITHIN = 8.0
"""Seconds for what takes moments."""


@dataclass(frozen=True)
class Line:
    """A TCP connection to ingest."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send, unless the other side has hung up."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The next answer's status and body."""
        async with asyncio.timeout(WITHIN):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            return int(head.split()[1]), await self.reader.readexactly(int(length.split(b":")[1]))

    async def ends(self) -> bool:
        """Whether ingest hangs up, and says nothing more before."""
        async with asyncio.timeout(WITHIN):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Line]:
    """Somebody who speaks TCP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


def post(body: bytes, path: str = "/v1/events", *headers: str, length: int | None = None) -> bytes:
    """A POST, its Content-Length true unless another is given."""
    size = len(body) if length is None else length
    lines = (f"POST {path} HTTP/1.1", "host: in", f"content-type: {SINGLE}", f"content-length: {size}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


EVENT = as_bytes(event())
SMUGGLED = post(as_bytes(event(id="smuggled")))


def ids(topics: CheckedTopics) -> list[object]:
    """Of the events written."""
    return [value["id"] for value in topics.values()]
