"""A way to PostgreSQL that can be cut: nothing passes then, and nothing is refused, as when a network is parted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

_AT_ONCE = 65_536


class Wire:
    """Connections pass while it is whole. What is under way when it is cut arrives once it is mended, as TCP has it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = urlsplit(dsn)
        self._whole = asyncio.Event()
        self._whole.set()
        self._port = 0
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        """The same database, by this way."""
        user = self._dsn.netloc.rpartition("@")[0]
        return self._dsn._replace(netloc=f"{user}@127.0.0.1:{self._port}", query="").geturl()

    def cut(self) -> None:
        """From now on nothing passes: no bytes, no end of a connection, no refusal."""
        self._whole.clear()

    def mend(self) -> None:
        """Everything passes again."""
        self._whole.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Wire"]:
        """Listen on a port of this machine."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._carrying):
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._whole.wait()
            far_reader, far_writer = await self._connect()
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                far_writer.close()
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # either end may be gone
            while data := await reader.read(_AT_ONCE):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
            await self._whole.wait()
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        query = parse_qs(self._dsn.query)
        host = query["host"][0] if "host" in query else self._dsn.hostname or "127.0.0.1"
        port = self._dsn.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)
