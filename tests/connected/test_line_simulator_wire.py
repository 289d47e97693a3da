"""The simulator as a process on a real socket: what in-process tests cannot show about connections."""

import asyncio
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
from aiohttp import web
from linebot.v3.messaging import (
    ApiException,
    AsyncApiClient,
    AsyncMessagingApi,
    Configuration,
    MulticastRequest,
    PushMessageRequest,
    ReplyMessageRequest,
    TextMessage,
)
from linebot.v3.webhook import WebhookParser

from todoke_line_simulator.settings import SimulatorSettings
from todoke_local.ports import free_port

AUTHORIZED = {"authorization": "Bearer simulator-token-main", "content-type": "application/json"}


@dataclass
class Receiver:
    """A shop's webhook door: remembers what comes, answers with ``statuses`` first, then with 200."""

    url: str
    deliveries: asyncio.Queue[tuple[bytes, str]] = field(default_factory=asyncio.Queue)
    statuses: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        await self.deliveries.put((await request.read(), request.headers["x-line-signature"]))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def next_event(self) -> dict[str, object]:
        """The next event, after line-bot-sdk's parser has accepted its signature and shape."""
        async with asyncio.timeout(10):
            body, signature = await self.deliveries.get()
        WebhookParser("simulator-secret-main").parse(body.decode(), signature)
        [event] = orjson.loads(body)["events"]
        return dict(event)


@dataclass
class Wire:
    """A running simulator: its process, an HTTP client for it, and where its webhooks go."""

    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession
    url: str
    receiver: Receiver

    async def befriend(self, *people: str) -> list[str]:
        async with self.http.post("/sim/users", json={"users": people}) as answer:
            return list((await answer.json())["userIds"].values())

    async def faults(self, *rules: dict[str, object]) -> None:
        async with self.http.post("/sim/faults", json=rules) as answer:
            assert answer.status == 200

    async def stats(self) -> dict[str, object]:
        async with self.http.get("/sim/stats") as answer:
            return dict((await answer.json())["accounts"]["main"])

    async def push(self, to: str, key: str | None = None) -> int:
        headers = AUTHORIZED | ({"x-line-retry-key": key} if key else {})
        body = {"to": to, "messages": [{"type": "text", "text": "a"}]}
        async with self.http.post("/v2/bot/message/push", json=body, headers=headers) as answer:
            await answer.read()
            return answer.status


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A small webhook receiver."""
    port = free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}/webhooks/line/main")
    app = web.Application()
    app.router.add_post("/webhooks/line/main", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def wire(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    """The simulator started as its users start it, stopped by SIGTERM."""
    port = free_port()
    monkeypatch.setenv("TODOKE_SIMULATOR_PORT", str(port))
    monkeypatch.setenv("TODOKE_SIMULATOR_WEBHOOK_BACKOFF_SECONDS", "0.05")
    accounts = [{"name": "main", "webhook_url": receiver.url}]
    monkeypatch.setenv("TODOKE_SIMULATOR_ACCOUNTS", orjson.dumps(accounts).decode())
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "todoke_line_simulator")
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(10)) as http:
        await _until_healthy(http, process)
        yield Wire(process, http, url, receiver)
    if process.returncode is None:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def _until_healthy(http: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            try:
                async with http.get("/healthz") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
    raise AssertionError("the simulator ended before it was healthy: see its output above")


async def test_accept_then_reset_sends_a_tcp_reset_and_the_retry_learns_of_the_acceptance(wire: Wire) -> None:
    """The kernel reports ECONNRESET, not an orderly end; the message counts once; the same key then gets 409."""
    [mai] = await wire.befriend("mai")
    await wire.faults({"fault": "accept_then_reset", "count": 1})
    key = str(uuid.uuid4())
    body = orjson.dumps({"to": mai, "messages": [{"type": "text", "text": "a"}]})
    head = "".join(f"{name}: {value}\r\n" for name, value in AUTHORIZED.items())
    request = f"POST /v2/bot/message/push HTTP/1.1\r\nhost: line\r\n{head}x-line-retry-key: {key}\r\n"
    port = int(wire.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert await wire.push(mai, key) == 409
    stats = await wire.stats()
    assert (stats["accepted"], stats["requests"]) == (1, {"push": {"reset": 1, "409": 1}})


async def test_a_hang_keeps_the_connection_open_without_an_answer(wire: Wire) -> None:
    """The client's own timeout ends it; others are served meanwhile; nothing was accepted."""
    [mai] = await wire.befriend("mai")
    await wire.faults({"fault": "hang", "count": 1})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wire.push(mai), 0.5)
    assert await wire.push(mai) == 200
    assert (await wire.stats())["requests"] == {"push": {"hang": 1, "200": 1}}


async def test_a_hang_ends_in_a_reset(wire: Wire) -> None:
    """After its seconds the connection is gone and no answer came."""
    [mai] = await wire.befriend("mai")
    await wire.faults({"fault": "hang", "seconds": 0.1, "accept": True})
    with pytest.raises(aiohttp.ClientOSError):
        await wire.push(mai)
    assert (await wire.stats())["accepted"] == 1


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_the_simulator_stops_on_a_signal_even_while_a_request_hangs(wire: Wire, sent: signal.Signals) -> None:
    """Nothing keeps the process: it is gone within seconds and its port is free."""
    [mai] = await wire.befriend("mai")
    await wire.faults({"fault": "hang"})
    hanging = asyncio.create_task(wire.push(mai))
    async with asyncio.timeout(5):
        while not (await wire.stats())["requests"]:
            await asyncio.sleep(0.01)
    wire.process.send_signal(sent)
    await asyncio.wait_for(wire.process.wait(), 8)
    with pytest.raises(aiohttp.ClientError):
        await hanging
    with socket.socket() as port:
        assert port.connect_ex(("127.0.0.1", int(wire.url.rpartition(":")[2]))) != 0


async def test_webhooks_arrive_signed_and_are_redelivered(wire: Wire) -> None:
    """A door that answers 500 gets the same event again, marked as a redelivery."""
    wire.receiver.statuses = [500]
    async with wire.http.post("/sim/users/mai/follow") as answer:
        said = await answer.json()
    first, again = await wire.receiver.next_event(), await wire.receiver.next_event()
    assert first["webhookEventId"] == again["webhookEventId"] == said["webhookEventId"]
    assert (first["deliveryContext"], again["deliveryContext"]) == ({"isRedelivery": False}, {"isRedelivery": True})


async def test_lines_own_client_can_drive_it(wire: Wire) -> None:
    """line-bot-sdk's async client sends, is told of a conflict and of a bad request, replies, and reads."""
    mai, ken = await wire.befriend("mai", "ken")
    async with wire.http.post("/sim/users/mai/message", json={"text": "こんにちは"}):
        token = str((await wire.receiver.next_event())["replyToken"])
    text = TextMessage(text="ありがとうございます")
    key = str(uuid.uuid4())
    async with AsyncApiClient(Configuration(host=wire.url, access_token="simulator-token-main")) as client:
        line = AsyncMessagingApi(client)
        push = PushMessageRequest(to=mai, messages=[text])
        assert len((await line.push_message(push, x_line_retry_key=key)).sent_messages) == 1
        with pytest.raises(ApiException) as conflict:
            await line.push_message(push, x_line_retry_key=key)
        assert conflict.value.status == 409
        assert conflict.value.headers["x-line-accepted-request-id"]
        await line.multicast(MulticastRequest(to=[mai, ken], messages=[text]))
        await line.reply_message(ReplyMessageRequest(reply_token=token, messages=[text]))
        assert (await line.get_message_quota()).type == "none"
        assert (await line.get_message_quota_consumption()).total_usage == 3
        assert (await line.get_profile(mai)).user_id == mai
        assert set((await line.get_followers()).user_ids) == {mai, ken}
        assert (await line.issue_link_token(mai)).link_token
        assert (await line.get_bot_info()).user_id[0] == "U"
        with pytest.raises(ApiException) as refused:
            await line.push_message(PushMessageRequest(to=mai, messages=[TextMessage(text="")]))
        assert refused.value.status == 400


def test_the_default_address_is_the_documented_one() -> None:
    """Port 8090 on loopback stands in the design; other parts point there."""
    assert (SimulatorSettings().host, SimulatorSettings().port) == ("127.0.0.1", 8090)
