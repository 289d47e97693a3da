"""The dispatcher as it runs: requests in Kafka, messages at LINE's simulator, outcomes in Kafka."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette

from tests.support.deliveries import request, user_named
from tests.support.dispatching import open_bench
from tests.support.line_server import LineServer, line_server
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.verdict import Answer
from todoke_dispatcher.main import create_app
from todoke_dispatcher.pump import pumping
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.contracts.topics import LANES, OUTCOMES
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.fleet_clock import open_clock

SENT = 60
LONG = bool(os.environ.get("TODOKE_TEST_LONG"))


@pytest.fixture
async def server() -> AsyncIterator[LineServer]:
    """LINE, with the people that the requests are for."""
    async with line_server() as server:
        await server.befriend(*(user_named(f"s{index}") for index in range(SENT)))
        yield server


def client_of(app: Starlette) -> AsyncClient:
    """Asks the app's own HTTP paths, without a socket."""
    return AsyncClient(transport=ASGITransport(app), base_url="http://dispatcher")


def requests() -> list[MessageRequest]:
    """One request a person, due now."""
    return [request(f"s{index}", due_at=datetime.now(UTC)) for index in range(SENT)]


async def publish(bootstrap: str, wanted: list[MessageRequest]) -> None:
    """Write requests to both lanes in turn, every third twice, and one record that is none."""
    records = []
    for index, each in enumerate(wanted):
        lane = LANES["marketing" if index % 2 else "transactional"]
        records += [Outgoing(lane.name, each.to.encode(), each.to_json())] * (2 if index % 3 == 0 else 1)
    records.insert(7, Outgoing(LANES["marketing"].name, None, b"not JSON"))
    publisher = KafkaPublisher(bootstrap, client_id="test")
    await publisher.start()
    await publisher.publish(records)
    await publisher.stop()


async def read_outcomes(bootstrap: str, wanted: set[object]) -> dict[object, list[str]]:
    """The states told of each wanted message, until each has one."""
    told: dict[object, list[str]] = {}
    consumer = AIOKafkaConsumer(OUTCOMES.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            while told.keys() != wanted:
                outcome = Outcome.from_json((await consumer.getone()).value)
                if outcome.message in wanted:
                    told.setdefault(outcome.message, []).append(outcome.state)
    finally:
        await consumer.stop()
    return told


async def test_requests_in_kafka_become_messages_at_line_and_outcomes_in_kafka(
    own_kafka: str, postgres_dsn: str, server: LineServer
) -> None:
    """Both lanes, with duplicates, a poison record, lost answers and errors: each message once, each told once."""
    await server.faults(
        {"fault": "accept_then_reset", "probability": 0.2, "seed": 1, "count": 8, "endpoint": "push"},
        {"fault": "server_error", "probability": 0.2, "seed": 2, "count": 8, "endpoint": "push"},
    )
    settings = DispatcherSettings(kafka_bootstrap_servers=own_kafka, postgres_dsn=postgres_dsn, line_api_url=server.url)
    wanted = requests()
    async with open_bench(postgres_dsn) as bench:
        await publish(own_kafka, wanted)
        app = create_app(settings)
        async with client_of(app) as http:
            async with app.router.lifespan_context(app):
                assert (await http.get("/readyz")).status_code == 200
                told = await read_outcomes(own_kafka, {each.id for each in wanted})
                assert "todoke_line_attempts_total" in (await http.get("/metrics")).text
            assert (await http.get("/readyz")).status_code == 503
        assert await bench.reserved() == SENT
    assert set(map(tuple, told.values())) == {("accepted",)}
    sent = Counter(str(each["to"]) for each in await server.accepted())
    assert len(sent) == SENT
    assert set(sent.values()) == {1}


async def test_a_stop_sends_what_was_claimed_and_claims_no_more(postgres_dsn: str) -> None:
    """After the drain nothing is left under way: what was not claimed still waits, untouched."""

    asked = asyncio.Event()

    class SlowLine(MemoryLine):
        async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
            asked.set()
            await asyncio.sleep(0.2)
            return await super().push(account, retry_key, body)

    async with open_bench(postgres_dsn) as bench:
        line = SlowLine()
        dispatcher = bench.dispatcher(line, max_in_flight=20)
        await bench.take(dispatcher, *(request(f"m{index}") for index in range(100)))
        async with pumping(dispatcher, 20):
            await asked.wait()
        states = await bench.states()
        assert set(states) == {"accepted", "waiting"}
        assert states["accepted"] == len(line.accepted) == len(line.requests)


async def test_the_pump_keeps_the_rate_and_reaches_it(postgres_dsn: str) -> None:
    """At 200 a second in real time: no second above the limit and, in the long form, not far below it."""
    arrivals: list[float] = []
    all_came = asyncio.Event()

    class TimedLine(MemoryLine):
        async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
            arrivals.append(time.monotonic())
            answer = await super().push(account, retry_key, body)
            if len(self.accepted) == 600:
                all_came.set()
            return answer

    async with open_bench(postgres_dsn) as bench:
        dispatcher = bench.dispatcher(TimedLine(), clock=await open_clock(bench.pool), push_rate=200)
        await bench.take(dispatcher, *(request(f"m{index}") for index in range(600)))
        async with pumping(dispatcher, 200), asyncio.timeout(30):
            await all_came.wait()
        assert await bench.states() == {"accepted": 600}
    assert len(arrivals) == 600
    assert max(sum(1 for other in arrivals if 0 <= other - one < 1) for one in arrivals) <= 200
    assert not LONG or 600 / (arrivals[-1] - arrivals[0]) >= 150  # of 190; beside other tests a machine is busy
