"""Requests straight into the ASGI app: what no HTTP client would send, and thousands of them in a second."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import Message

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import opener
from todoke_ingest.app import Doorway, build_app
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.settings import IngestSettings

SETTINGS = IngestSettings(kafka_bootstrap_servers="127.0.0.1:1", postgres_dsn="postgresql://nowhere")

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Told:
    """What the app answered."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(
    app: Doorway,
    path: str,
    chunks: bytes | Sequence[bytes] = b"",
    headers: RawHeaders = (),
    *,
    method: str = "POST",
    query: bytes = b"",
) -> Told:
    """One request, its body in one chunk or several; an error of the app's is raised."""
    waiting = [chunks] if isinstance(chunks, bytes) else list(chunks)
    sent: list[Message] = []

    async def receive() -> Message:
        body = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "server": ("in", 80),
        "client": ("192.0.2.1", 1),
    }
    await app(scope, receive, send)
    start, *rest = sent
    answered = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Told(start["status"], answered, b"".join(part.get("body", b"") for part in rest))


@asynccontextmanager
async def running(intake: Intake) -> AsyncIterator[Doorway]:
    """Ingest around an intake, its door open."""
    app = build_app(SETTINGS, opener(Doors(intake)))
    async with app.pages.router.lifespan_context(app.pages):
        await asyncio.sleep(0)  # the door opens beside the app
        yield app
