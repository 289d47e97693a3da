"""What an orchestrator asks: alive (never depends on Kafka or PostgreSQL), ready, and the metrics."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


class Readiness:
    """Whether a service wants traffic: `ready` is set once started, and cleared first when it stops.

    `held`: why it must not work at present, though it runs; None while it may.
    """

    def __init__(self) -> None:
        self.ready = False
        self.held: str | None = None


def health_routes(readiness: Readiness) -> list[Route]:
    """`GET /healthz`, `/readyz` and `/metrics`."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        if readiness.ready and readiness.held is None:
            return PlainTextResponse("ready")
        return PlainTextResponse(f"not ready: {readiness.held}" if readiness.held else "not ready", 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
