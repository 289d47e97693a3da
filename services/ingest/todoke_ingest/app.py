"""The HTTP app: the doors in bare ASGI, and around them the pages that people and orchestrators read."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from todoke_ingest.answers import Answer, problem, refused, try_again
from todoke_ingest.docs import docs_routes
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.doors import doors
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.http import Bodies, Door, GoneError, read_request, send_answer
from todoke_ingest.settings import IngestSettings
from todoke_shared.errors import for_the_log
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.health import Readiness, health_routes
from todoke_shared.telemetry.loops import Loops

logger = logging.getLogger("todoke.ingest")
OpenIntake = Callable[[], AbstractAsyncContextManager[Intake]]
_NO_PARAMETERS: Mapping[str, str] = {}


class Doorway:
    """ASGI: a request that a door takes goes there, any other to the pages.

    The intake opens beside the app, so that the app answers /healthz while Kafka or PostgreSQL is away. Until then,
    and after, every knock is told to wait.
    """

    def __init__(self, all_doors: Iterable[Door], open_intake: OpenIntake, readiness: Readiness) -> None:
        self._exact: dict[str, dict[str, Door]] = {}
        self._below: dict[str, tuple[str, dict[str, Door]]] = {}
        self._within: dict[tuple[str, str], tuple[str, dict[str, Door]]] = {}
        for door in all_doors:
            folder, _, last = door.path.rpartition("/")
            above, _, middle = folder.rpartition("/")
            if last.startswith("{"):
                self._below.setdefault(folder, (last.strip("{}"), {}))[1][door.method] = door
            elif middle.startswith("{"):
                self._within.setdefault((above, last), (middle.strip("{}"), {}))[1][door.method] = door
            else:
                self._exact.setdefault(door.path, {})[door.method] = door
        self._open_intake = open_intake
        self._readiness = readiness
        self._intake: Intake | None = None
        self._bodies = Bodies()
        self.pages = Starlette(
            routes=[Route("/", _welcome), *docs_routes(), *health_routes(readiness)],
            lifespan=self._lifespan,
            exception_handlers={HTTPException: _http_error, Exception: _our_error},
        )
        self.pages.router.redirect_slashes = False  # it would send people to whatever host the request names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "http" and (found := self._find(scope["path"])):
            methods, scope["path_params"] = found
            if door := methods.get(scope["method"]):
                await self._knock(door, scope, receive, send)
            else:
                headers = {"Allow": ", ".join(methods)}
                await send_answer(send, problem(405, "Use another method; GET /docs tells which", headers=headers))
            return
        await self.pages(scope, receive, send)

    def _find(self, path: str) -> tuple[Mapping[str, Door], Mapping[str, str]] | None:
        if (methods := self._exact.get(path)) is not None:
            return methods, _NO_PARAMETERS
        folder, _, last = path.rpartition("/")
        if last and (below := self._below.get(folder)) is not None:
            return below[1], {below[0]: last}
        above, _, middle = folder.rpartition("/")
        if middle and (within := self._within.get((above, last))) is not None:
            return within[1], {within[0]: middle}
        return None

    async def _knock(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(door, scope, receive)
        except GoneError:
            return  # nobody is there to read an answer; but neither is it an error of ours
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must know that nothing may be relied on
            # The error's own text may repeat a value of the request, and so a person.
            place = "".join(traceback.format_tb(error.__traceback__))
            logger.error("the door %s failed (%s)\n%s", door.name, for_the_log(error), place)
            answer = door.shape(problem(500, "Ingest failed; its log tells more. Nothing of this may be relied on"))
        await send_answer(send, answer)

    async def _answer(self, door: Door, scope: Scope, receive: Receive) -> Answer:
        if self._intake is None:
            return _not_connected(door)
        try:
            request = await read_request(door, scope, receive, self._intake.keys, self._bodies)
        except RequestRefusedError as error:
            metrics.EVENTS_REFUSED.labels(door.name, str(error.status)).inc()
            return door.shape(refused(error))
        if self._intake is None:  # closed while the body came in
            return _not_connected(door)
        return await door.take(self._intake, request)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        loops = Loops()
        loops.start("door", self._hold_open)
        loops.start("slow bodies", self._bodies.end_slow_ones)
        try:
            yield
        finally:
            self._readiness.ready = False
            await loops.stop()

    async def _hold_open(self) -> None:
        async with self._open_intake() as intake:
            self._intake, self._readiness.ready = intake, True
            try:
                await asyncio.Event().wait()
            finally:
                self._intake, self._readiness.ready = None, False


def build_app(settings: IngestSettings, open_intake: OpenIntake) -> Doorway:
    """The app around whatever intake `open_intake` opens."""
    return Doorway(doors(settings), open_intake, Readiness())


def _not_connected(door: Door) -> Answer:
    metrics.EVENTS_REFUSED.labels(door.name, "503").inc()
    return door.shape(try_again("Ingest is not connected to Kafka and PostgreSQL; send the same request again"))


async def _welcome(_: Request) -> Response:
    return PlainTextResponse("Todoke ingest: shop events and LINE webhooks come in here. GET /docs tells how.\n")


def _respond(answer: Answer) -> Response:
    return Response(answer.content(), answer.status, media_type=answer.media_type, headers=dict(answer.headers))


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {404: "There is no such door; GET /docs lists them", 405: "Use another method; GET /docs tells which"}
    return _respond(problem(error.status_code, detail.get(error.status_code, error.detail), headers=error.headers))


async def _our_error(_: Request, __: Exception) -> Response:
    return _respond(problem(500, "Ingest failed; its log tells more. Nothing of this request may be relied on"))
