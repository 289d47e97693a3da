"""Floors of ingest's other doors as a program: the least that their jobs take on ingest's own server and producer.

`redirect`: a fixed 302 that looks nothing up. `line`: read the body, verify its HMAC, produce it, 200.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import threading

from aiokafka import AIOKafkaProducer
from starlette.types import Receive, Scope, Send

from benchmarks.bare_ingest import read_body
from todoke_ingest.settings import IngestSettings
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.contracts.topics import LINE_EVENTS
from todoke_shared.service import serve

_LOCATION = [(b"location", b"https://shop.example/cart"), (b"content-length", b"0")]
_EMPTY = [(b"content-length", b"0")]


class BareRedirect:
    """GET anything: 302, but for /healthz."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        status = 200 if scope["path"] == "/healthz" else 302
        await send({"type": "http.response.start", "status": status, "headers": _LOCATION})
        await send({"type": "http.response.body", "body": b""})


class BareLineWebhook:
    """POST a signed body: one record, acknowledged, then 200."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._producer: AIOKafkaProducer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        status = await self._take(scope, receive) if scope["method"] == "POST" else 200
        await send({"type": "http.response.start", "status": status, "headers": _EMPTY})
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Scope, receive: Receive) -> int:
        body = await read_body(receive)
        signature = base64.b64encode(hmac.digest(SIMULATOR_SECRET.encode(), body, hashlib.sha256))
        if not hmac.compare_digest(signature, dict(scope["headers"])[b"x-line-signature"]):
            return 401
        if self._producer is None:
            raise RuntimeError("the producer starts with the server")
        await self._producer.send_and_wait(LINE_EVENTS.name, value=body, key=signature)
        return 200

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


def _stop_with_parent() -> None:
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve as ingest would, by ingest's settings, for as long as the benchmark lives."""
    os.setsid()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    print(json.dumps({"service": "bare doors"}), flush=True)
    settings = IngestSettings()
    app = BareRedirect() if sys.argv[1] == "redirect" else BareLineWebhook(settings.kafka_bootstrap_servers)
    serve(app, settings, settings.ingest_port)


if __name__ == "__main__":
    main()
