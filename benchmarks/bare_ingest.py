"""Ingest's floor as a program: a bare ASGI handler that decodes, produces and waits for the acknowledgement.

The server, its settings and the producer's are ingest's own; there is no routing, no check of any field and no clock.
"""

import asyncio
import json
import os
import signal
import sys
import threading

import msgspec
from aiokafka import AIOKafkaProducer
from starlette.types import Receive, Scope, Send

from todoke_ingest.settings import IngestSettings
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.service import serve

_JSON = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Event(msgspec.Struct):
    """What a pass-through has to know."""

    id: str
    source: str
    type: str
    time: str
    subject: str
    data: msgspec.Raw


_EVENT = msgspec.json.Decoder(Event)
_BATCH = msgspec.json.Decoder(list[msgspec.Raw])


class BareIngest:
    """POST anything: one event, or an array of events."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._producer: AIOKafkaProducer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["method"] == "POST":
            await self._take(await read_body(receive))
        await send(
            {"type": "http.response.start", "status": 202 if scope["method"] == "POST" else 200, "headers": _JSON}
        )
        await send({"type": "http.response.body", "body": b"{}"})

    async def _take(self, body: bytes) -> None:
        if self._producer is None:
            raise RuntimeError("the producer starts with the server")
        raws = _BATCH.decode(body) if body[:1] == b"[" else [body]
        waits = [
            await self._producer.send(EC_EVENTS.name, value=bytes(raw), key=_EVENT.decode(raw).subject.encode())
            for raw in raws
        ]
        await asyncio.gather(*waits)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=2
        )
        await self._producer.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._producer.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def read_body(receive: Receive) -> bytes:
    """The whole body, however large."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    return body


def stop_with_parent() -> None:
    """Wait until the parent's end of the pipe is closed, then stop."""
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve as ingest would, by ingest's settings, for as long as the benchmark lives."""
    os.setsid()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    print(json.dumps({"service": "bare ingest"}), flush=True)
    settings = IngestSettings()
    serve(BareIngest(settings.kafka_bootstrap_servers), settings, settings.ingest_port)


if __name__ == "__main__":
    main()
