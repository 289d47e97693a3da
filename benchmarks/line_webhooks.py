"""LINE's webhooks: how long LINE waits for its 200, under full load and at a steady 500 a second.

Ingest as it runs: signature, each event by itself, Kafka's acknowledgement before the 200. The target is 100 ms at p99.
Floor: `bare_doors.py line` on the same server, which reads, verifies the HMAC and produces.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks.figures import Bench, Figure, Stopwatch, alternate, cpu_of, percentile
from benchmarks.http_load import load
from benchmarks.ingest import open_kafka
from benchmarks.open_load import open_load
from benchmarks.rooms import Server, open_database, open_server
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.jsons import dumps

DELIVERIES, CONNECTIONS, ROUNDS = 10_000, 64, 4
PER_SECOND = 500
_BOT = "U" + "b" * 32
_FIRST_MS = 1_775_000_000_000


@dataclass
class Side:
    """Ingest or its floor: a server, the time it took, and how long its answers took at a steady rate."""

    server: Server
    watch: Stopwatch
    full: list[float] = field(default_factory=list)
    steady: list[float] = field(default_factory=list)


def delivery(number: int) -> bytes:
    """A signed delivery of one message event, as it goes on the wire; no two are the same."""
    event = {
        "type": "message",
        "message": {"type": "text", "id": str(number), "quoteToken": "q" * 43, "text": "注文した商品はいつ届きますか"},
        "webhookEventId": f"{number:026d}",
        "deliveryContext": {"isRedelivery": False},
        "timestamp": _FIRST_MS + number,
        "source": {"type": "user", "userId": f"U{number % 2_000:032x}"},
        "replyToken": f"{number:032x}",
        "mode": "active",
    }
    body = dumps({"destination": _BOT, "events": [event]})
    signature = base64.b64encode(hmac.digest(SIMULATOR_SECRET.encode(), body, hashlib.sha256)).decode()
    head = (
        "POST /webhooks/line/main HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json; charset=utf-8",
        f"x-line-signature: {signature}",
        f"content-length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


async def run(bench: Bench) -> list[Figure]:
    """64 connections that never rest, in turns; then a steady rate for each."""
    requests = [delivery(number) for number in range(DELIVERIES)]
    async with open_kafka() as (bootstrap, kafka), open_database() as dsn:
        environment = {"TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TODOKE_POSTGRES_DSN": dsn}
        setting = "TODOKE_INGEST_PORT"
        ingest = ("todoke_local.service_process", "ingest")
        async with (
            open_server(*ingest, port_setting=setting, environment=environment, ready="/readyz") as ours,
            open_server("benchmarks.bare_doors", "line", port_setting=setting, environment=environment) as floor,
        ):
            sides = [Side(server, Stopwatch(cpu_of(server.process_id))) for server in (ours, floor)]
            await _measure(bench, sides, requests)
    ours_, floor_ = sides
    remark = f"{len(requests[0]):,}-byte requests, {kafka}"
    return [
        bench.rates(f"deliveries, {CONNECTIONS} connections", "deliveries/s", ours_.watch, floor_.watch, remark),
        *_times(bench, f"200 with {CONNECTIONS} connections", ours_.full, floor_.full),
        *_times(bench, f"200 at {PER_SECOND}/s", ours_.steady, floor_.steady),
    ]


async def _measure(bench: Bench, sides: list[Side], requests: list[bytes]) -> None:
    for side in sides:
        (await load(side.server.port, requests, 500, concurrency=CONNECTIONS, seconds=2)).check_all(b"200")
    await alternate(bench, "full load", ROUNDS, [(side.watch, _loading(bench, side, requests)) for side in sides])
    with bench.shown(f"{PER_SECOND} a second", len(sides)) as done:
        for side in sides:
            answers = await open_load(side.server.port, requests, per_second=PER_SECOND, seconds=bench.seconds / 2)
            answers.check_all(b"200")
            side.steady += answers.seconds
            done(1)


def _loading(bench: Bench, side: Side, requests: list[bytes]) -> Callable[[int], Awaitable[int]]:
    async def one_round(_: int) -> int:
        number, seconds = len(requests) // ROUNDS, bench.seconds / ROUNDS
        answers = await load(side.server.port, requests, number, concurrency=CONNECTIONS, seconds=seconds)
        answers.check_all(b"200")
        side.full += answers.seconds
        return len(answers.seconds)

    return one_round


def _times(bench: Bench, what: str, ours: list[float], floor: list[float]) -> list[Figure]:
    return [
        Figure(
            bench.name,
            f"{what}, p{share * 100:.0f}",
            "ms",
            percentile(ours, share) * 1000,
            percentile(floor, share) * 1000,
        )
        for share in (0.5, 0.99)
    ]
