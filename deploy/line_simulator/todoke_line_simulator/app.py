"""Puts the simulator together as an ASGI application."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from todoke_line_simulator.clock import AdvancingClock
from todoke_line_simulator.oauth_endpoint import oauth_routes
from todoke_line_simulator.routes_line import line_routes
from todoke_line_simulator.routes_sim import BadSimRequestError, SimRoutes
from todoke_line_simulator.settings import SimulatorSettings
from todoke_line_simulator.simulator import Simulator
from todoke_line_simulator.webhooks import HttpWebhookSender, WebhookSender


def create_app(
    settings: SimulatorSettings,
    *,
    clock: Callable[[], float] = time.time,
    webhook_sender: WebhookSender | None = None,
) -> Starlette:
    """The simulator as an ASGI application.

    ``clock`` gives Unix seconds; rate limits, retry keys, reply tokens and the quota's month all follow it.
    ``webhook_sender`` sends (URL, body, headers) and gives the HTTP status; None = over HTTP.
    The simulator itself stands in ``app.state.simulator``.
    """
    http = HttpWebhookSender()
    simulator = Simulator(settings, AdvancingClock(clock), webhook_sender or http)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await simulator.webhooks.cancel()
        await http.aclose()

    app = Starlette(
        routes=[
            *line_routes(simulator),
            *oauth_routes(simulator),
            *SimRoutes(simulator).routes(),
            Route("/healthz", _healthz),
        ],
        exception_handlers={HTTPException: _not_found, BadSimRequestError: _bad_sim_request},
        lifespan=lifespan,
    )
    app.state.simulator = simulator
    return app


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _not_found(_request: Request, error: Exception) -> Response:
    """404 and 405 in LINE's format."""
    if not isinstance(error, HTTPException):
        raise error
    message = "Not found" if error.status_code == 404 else error.detail
    headers = {**(error.headers or {}), "x-line-request-id": str(uuid4())}
    return Response(orjson.dumps({"message": message}), error.status_code, headers, "application/json")


async def _bad_sim_request(_request: Request, error: Exception) -> Response:
    return JSONResponse({"message": str(error)}, 400)
