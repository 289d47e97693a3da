"""The HTTP app: which path leads to which door."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from todoke_ingest.answers import Answer, refused, try_again
from todoke_ingest.docs import docs_routes
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.handlers import IngestDoor, events, line_webhook
from todoke_ingest.http import EXCEPTION_HANDLERS, read_body, respond
from todoke_ingest.settings import IngestSettings
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.health import Readiness, health_routes
from todoke_shared.telemetry.loops import Loops

OpenDoor = Callable[[], AbstractAsyncContextManager[IngestDoor]]
Take = Callable[[IngestDoor, Request, bytes], Awaitable[Answer]]


class Doorway:
    """Where the door is, once PostgreSQL and Kafka are there. Until then, and after, every request is told to wait."""

    def __init__(self, open_door: OpenDoor, readiness: Readiness) -> None:
        self._open_door = open_door
        self._readiness = readiness
        self._door: IngestDoor | None = None

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Keep the door open beside the app, so that the app answers /healthz while Kafka or PostgreSQL is away."""
        loops = Loops()
        loops.start("door", self._hold_open)
        try:
            yield
        finally:
            self._readiness.ready = False
            await loops.stop()

    async def _hold_open(self) -> None:
        async with self._open_door() as door:
            self._door, self._readiness.ready = door, True
            try:
                await asyncio.Event().wait()
            finally:
                self._door, self._readiness.ready = None, False

    def route(self, path: str, name: str, limit: int, take: Take) -> Route:
        """POST `path`: read a body of at most `limit` bytes, let the door take it, answer."""

        async def endpoint(request: Request) -> Response:
            try:
                body = await read_body(request, limit)
            except RequestRefusedError as error:
                metrics.EVENTS_REFUSED.labels(name, str(error.status)).inc()
                return respond(refused(error))
            if self._door is None:
                metrics.EVENTS_REFUSED.labels(name, "503").inc()
                return respond(
                    try_again("Ingest is not connected to Kafka and PostgreSQL; send the same request again")
                )
            return respond(await take(self._door, request, body))

        return Route(path, endpoint, methods=["POST"])


def build_app(settings: IngestSettings, open_door: OpenDoor) -> Starlette:
    """The app around whatever door `open_door` opens."""
    readiness = Readiness()
    doorway = Doorway(open_door, readiness)
    return Starlette(
        routes=[
            Route("/", _welcome),
            doorway.route("/v1/events", events.DOOR, settings.max_body_bytes, _take_events),
            doorway.route("/webhooks/line/{account}", line_webhook.DOOR, settings.max_webhook_bytes, _take_line),
            *docs_routes(),
            *health_routes(readiness),
        ],
        lifespan=doorway.lifespan,
        exception_handlers=EXCEPTION_HANDLERS,
    )


async def _take_events(door: IngestDoor, request: Request, body: bytes) -> Answer:
    return await door.take_events(body, request.headers.get("content-type", ""), request.headers)


async def _take_line(door: IngestDoor, request: Request, body: bytes) -> Answer:
    return await door.take_line_webhook(request.path_params["account"], body, request.headers.get("x-line-signature"))


async def _welcome(_: Request) -> Response:
    return PlainTextResponse("Todoke ingest: shop events and LINE webhooks come in here. GET /docs tells how.\n")
