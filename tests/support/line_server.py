"""The LINE simulator on a socket of its own, within the test's process."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from aiohttp import web

from tests.support.waiting import until
from todoke_line_simulator.app import create_app
from todoke_line_simulator.settings import SimulatorSettings
from todoke_line_simulator.transport import ResettableHttpProtocol

TOKEN = "simulator-token-main"
_MENU = {
    "size": {"width": 2500, "height": 843},
    "selected": False,
    "name": "menu",
    "chatBarText": "メニュー",
    "areas": [],
}


class LineServer:
    """A running simulator and what it has taken."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def befriend(self, *users: str) -> None:
        """Make these people friends of the account, without webhooks."""
        async with self._http.post("/sim/users", json={"users": users}) as answer:
            assert answer.status == 202, await answer.text()

    async def faults(self, *rules: dict[str, object]) -> None:
        """Put fault rules in force, behind those that are."""
        async with self._http.post("/sim/faults", json=rules) as answer:
            assert answer.status == 200, await answer.text()

    async def end_faults(self) -> None:
        """Let everything work again."""
        async with self._http.delete("/sim/faults") as answer:
            assert answer.status == 200, await answer.text()

    async def end_tokens(self) -> None:
        """Let the channel access tokens that were issued be good no longer."""
        async with self._http.delete("/sim/tokens") as answer:
            assert answer.status == 200, await answer.text()

    async def advance(self, seconds: float) -> None:
        """Move LINE's clock forward."""
        async with self._http.post("/sim/clock", json={"advanceSeconds": seconds}) as answer:
            assert answer.status == 200, await answer.text()

    async def accepted(self, after: int = 0) -> list[dict[str, object]]:
        """The accepted requests, oldest first, 10,000 at most: those behind the one whose `seq` is `after`."""
        async with self._http.get("/sim/messages", params={"limit": 10_000, "after": after}) as answer:
            return list(json.loads(await answer.read())["messages"])

    async def person(self, user: str) -> dict[str, object]:
        """What a person is to the account, and the rich menu they see."""
        async with self._http.get(f"/sim/users/{user}") as answer:
            assert answer.status == 200, await answer.text()
            return dict(json.loads(await answer.read()))

    async def block(self, user: str) -> None:
        """The person blocks the account; the webhook is on its way."""
        async with self._http.post(f"/sim/users/{user}/unfollow") as answer:
            assert answer.status == 202, await answer.text()

    async def tap(self, user: str, data: str) -> None:
        """The person taps a button with this postback data; the webhook is on its way."""
        async with self._http.post(f"/sim/users/{user}/postback", json={"data": data}) as answer:
            assert answer.status == 202, await answer.text()

    async def follow(self, user: str) -> None:
        """The person befriends the account; the webhook is on its way."""
        async with self._http.post(f"/sim/users/{user}/follow", json={}) as answer:
            assert answer.status == 202, await answer.text()

    async def pass_time(self, seconds: float) -> None:
        """Move LINE's clock forward: tokens and keys grow old."""
        async with self._http.post("/sim/clock", json={"advanceSeconds": seconds}) as answer:
            assert answer.status == 200, await answer.text()

    async def write(self, user: str, text: str) -> None:
        """The person writes; the webhook is on its way."""
        async with self._http.post(f"/sim/users/{user}/message", json={"text": text}) as answer:
            assert answer.status == 202, await answer.text()

    async def add_rich_menu(self, alias: str) -> str:
        """Make a rich menu of that alias, by LINE's own calls; gives its id."""
        created = await self._as_line("/v2/bot/richmenu", _MENU)
        await self._as_line("/v2/bot/richmenu/alias", {"richMenuAliasId": alias, **created})
        return str(created["richMenuId"])

    async def _as_line(self, path: str, body: object) -> dict[str, object]:
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with self._http.post(path, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return dict(json.loads(await answer.read()))

    async def stats(self) -> dict[str, object]:
        """What the account `main` was asked and answered."""
        async with self._http.get("/sim/stats") as answer:
            return dict(json.loads(await answer.read())["accounts"]["main"])

    async def count(self, name: str) -> int:
        """One of these: how many requests LINE has `accepted`, how many messages it has `billed`, and so on."""
        number = (await self.stats())[name]
        assert isinstance(number, int)
        return number

    async def until_accepted(self, number: int) -> None:
        """Return once LINE has taken so many requests."""
        wanted = f"{number} requests are accepted"
        await until(lambda: self.count("accepted"), lambda count: count >= number, wanted, pause=0.02)


@asynccontextmanager
async def webhooks() -> AsyncIterator[tuple[str, "asyncio.Queue[tuple[bytes, str]]"]]:
    """A shop that keeps what LINE tells it: the address, and bodies with their signatures."""
    told: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()

    async def take(asked: web.Request) -> web.Response:
        told.put_nowait((await asked.read(), asked.headers["x-line-signature"]))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", told
    finally:
        await runner.cleanup()


@asynccontextmanager
async def line_server(**account: object) -> AsyncIterator[LineServer]:
    """Run the simulator with the account `main` (more of its settings as keywords) until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    settings = SimulatorSettings.model_validate({"accounts": [{"name": "main", **account}]})
    config = uvicorn.Config(
        create_app(settings), http=ResettableHttpProtocol, ws="none", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))  # serve() would take over our signals
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession(url) as http:
            yield LineServer(url, http)
    finally:
        server.should_exit = True
        await serving
        listening.close()
