"""A client of an in-process simulator: no socket, a clock that stands still, a receiver of webhooks that remembers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import orjson
from starlette.applications import Starlette

from todoke_line_simulator.app import create_app
from todoke_line_simulator.settings import AccountSettings, SimulatorSettings

NOON = 1_785_553_200.0  # 2026-08-01 12:00 in Tokyo
TEXT = [{"type": "text", "text": "発送しました"}]
KEY = "123e4567-e89b-12d3-a456-426614174000"
OTHER_KEY = "223e4567-e89b-12d3-a456-426614174000"


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Receiver:
    """Takes webhooks; answers with the statuses in ``answers`` first, then with 200, each after ``pauses`` seconds."""

    received: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[int | Exception] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        if self.pauses:
            await asyncio.sleep(self.pauses.pop(0))
        self.received.append((url, body, headers))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def events(self) -> list[dict[str, object]]:
        return [event for _, body, _ in self.received for event in orjson.loads(body)["events"]]


class LineClient:
    """Speaks to the simulator as the account ``main``."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.clock = Clock()
        self.receiver = Receiver()
        self.app: Starlette = create_app(settings, clock=self.clock, webhook_sender=self.receiver)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://line.test")

    async def line(
        self,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        method: str = "POST",
        account: str = "main",
        raw: bytes | None = None,
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer simulator-token-{account}", "content-type": "application/json"}
        if key is not None:
            headers["x-line-retry-key"] = key
        content = orjson.dumps(body) if raw is None else raw
        return await self.http.request(method, f"/v2/bot/{path}", content=content, headers=headers)

    async def push(self, to: str, messages: object = None, *, key: str | None = None) -> httpx.Response:
        return await self.line("message/push", {"to": to, "messages": TEXT if messages is None else messages}, key=key)

    async def read(self, path: str, account: str = "main") -> httpx.Response:
        return await self.line(path, method="GET", account=account, raw=b"")

    async def act(self, person: str, act: str, **said: object) -> str:
        """The person does something; gives the LINE user id."""
        answer = await self.http.post(f"/sim/users/{person}/{act}", json=said)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["userId"])

    async def befriend(self, *people: str, account: str = "main") -> list[str]:
        answer = await self.http.post("/sim/users", json={"users": people, "account": account})
        assert answer.status_code == 202, answer.text
        return list(answer.json()["userIds"].values())

    async def faults(self, *rules: dict[str, object]) -> None:
        answer = await self.http.post("/sim/faults", json=rules)
        assert answer.status_code == 200, answer.text

    async def accepted(self, **query: str) -> list[dict[str, object]]:
        return list((await self.http.get("/sim/messages", params=query)).json()["messages"])

    async def stats(self, account: str = "main") -> dict[str, object]:
        return dict((await self.http.get("/sim/stats")).json()["accounts"][account])

    async def webhooks_settled(self) -> None:
        """Wait until every queued webhook is delivered or given up."""
        accounts = self.app.state.simulator.accounts.values()
        await until(lambda: not any(account.stats.webhook_report()["pending"] for account in accounts))

    async def first_webhook_sent(self) -> None:
        """Wait until the receiver was called once, whatever it answered."""
        await until(lambda: bool(self.receiver.received))

    async def one_accepted(self) -> None:
        """Wait until the simulator has accepted a request."""
        await until(lambda: self.app.state.simulator.log.last_seq > 0)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds; TimeoutError after 5 seconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def simulator_settings(**changes: object) -> SimulatorSettings:
    """Two accounts of one company; webhooks are tried again at once."""
    given: dict[str, object] = {
        "accounts": [AccountSettings(name="main"), AccountSettings(name="second")],
        "webhook_backoff_seconds": 0.001,
    }
    return SimulatorSettings.model_validate(given | changes)


def reply_token(event: dict[str, object]) -> str:
    return str(event["replyToken"])


def problem_properties(answer: httpx.Response) -> list[str]:
    """The properties that a 400 complains about."""
    assert answer.status_code == 400, answer.text
    return [detail["property"] for detail in answer.json()["details"]]
