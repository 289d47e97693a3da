"""What most would write in ingest's place: FastAPI with a pydantic model, the same producer awaited before the 202.

Beside ingest's figure, for whoever asks why its doors are bare ASGI (docs/adr/0014).
"""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from aiokafka import AIOKafkaProducer
from fastapi import Body, FastAPI

from benchmarks.bare_ingest import stop_with_parent
from todoke_ingest.settings import IngestSettings
from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.service import serve


def fastapi_app(bootstrap_servers: str) -> FastAPI:
    """POST /v1/events: one event, or a list of them."""
    producers: list[AIOKafkaProducer] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=2
        )
        await producer.start()
        producers.append(producer)
        yield
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    @app.post("/v1/events", status_code=202)
    async def take(events: Annotated[EcEvent | list[EcEvent], Body()]) -> dict[str, list[str]]:
        taken = events if isinstance(events, list) else [events]
        waits = [
            await producers[0].send(EC_EVENTS.name, value=event.to_json(), key=(event.subject or "").encode())
            for event in taken
        ]
        await asyncio.gather(*waits)
        return {"accepted": [event.id for event in taken]}

    return app


def main() -> None:
    """Serve as ingest would, by ingest's settings, for as long as the benchmark lives."""
    os.setsid()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    print(json.dumps({"service": "fastapi ingest"}), flush=True)
    settings = IngestSettings()
    serve(fastapi_app(settings.kafka_bootstrap_servers), settings, settings.ingest_port)


if __name__ == "__main__":
    main()
