"""`todoke campaigns check --line ACCOUNT`: sample people's messages go to LINE's validate endpoints (a simulator's)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from tests.support.line_server import LineServer, line_server
from todoke_local.campaign_check import check_campaigns
from todoke_local.cli import app
from todoke_local.messages.line import LineValidator
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.mistakes import FileMistakesError

CONFIG = """
accounts:
  main: {channel_secrets: [env:NOT_SET], access_token: env:LINE_TOKEN}
"""
CAMPAIGN = """campaign: news
class: marketing
enter: {schedule: {at: 2099-04-01 12:00}}
steps: [send: hello]
messages:
  hello:
    - type: flex
      altText: "{{ person.name | default('お客さま') }}"
      contents:
        type: bubble
        body:
          type: box
          layout: vertical
          contents:
            - {type: text, text: "おすすめ"}
            - for: tag
              in: person.tags
              most: 3
              each: {type: text, text: "{{ tag }}"}
            - {type: text, text: "また来てね"}
"""


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[LineServer]:
    """A simulator that is LINE, an account whose token it takes, and a campaign file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "news.yaml").write_text(CAMPAIGN, encoding="utf-8")
    monkeypatch.setenv("TODOKE_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("LINE_TOKEN", "simulator-token-main")
    async with line_server() as running:
        monkeypatch.setenv("TODOKE_LINE_API_URL", running.url)
        yield running


async def check(*words: str) -> str:
    """What `todoke campaigns check …` says."""
    runner = CliRunner()
    result = await asyncio.to_thread(runner.invoke, app, ["campaigns", "check", *words], catch_exceptions=False)
    return result.output


async def asked(server: LineServer) -> dict[str, int]:
    """How often each endpoint was called."""
    requests = (await server.stats())["requests"]
    assert isinstance(requests, dict)
    return {name: sum(by_outcome.values()) for name, by_outcome in requests.items()}


async def test_line_is_asked_and_nothing_is_sent(server: LineServer) -> None:
    """Of each of the two people, by the endpoint that a broadcast leaves by; the other secrets are not looked at."""
    output = await check("news.yaml", "--line", "main")
    assert f"{server.url} takes the messages of main." in output
    assert await asked(server) == {"validate/multicast": 2}
    assert await server.accepted() == []
    await check("news.yaml")
    assert await asked(server) == {"validate/multicast": 2}


async def test_a_run_for_one_is_asked_of_as_a_push(server: LineServer, tmp_path: Path) -> None:
    """A campaign that people enter one by one."""
    text = CAMPAIGN.replace("{schedule: {at: 2099-04-01 12:00}}", "{on: order.placed}")
    (tmp_path / "news.yaml").write_text(text, encoding="utf-8")
    await check("news.yaml", "--line", "main")
    assert await asked(server) == {"validate/push": 2}


async def test_what_line_refuses_is_brought_to_its_line(server: LineServer, tmp_path: Path) -> None:
    """Beyond what the file shows: the element behind the loop, for somebody with three tags and for one with none."""
    file = tmp_path / "news.yaml"
    file.write_text(CAMPAIGN.replace("また来てね", "{{ person.city | default('') }}"), encoding="utf-8")
    validator = LineValidator(server.url, "simulator-token-main")
    with pytest.raises(FileMistakesError) as error:
        await asyncio.to_thread(load_campaign, file, validator)
    [told] = error.value.mistakes
    assert (told.line, told.where) == (20, "messages.hello[0].contents.body.contents[2].text")
    assert told.what == f"{server.url} refuses it: must be non-empty text"


@pytest.mark.parametrize(
    ("message", "property_", "line"),
    [
        ("The request body has 1 error(s)", "messages[0].altText", 8),
        ("The request body has 1 error(s)", "messages[0].contents.body.contents[4].text", 20),
        ("A message (messages[0]) in the request body is invalid", "/body/contents/0", 15),
        ("A message (messages[0]) in the request body is invalid", "/body/contents/2/text", 19),
        ("A message (messages[0]) in the request body is invalid", "/body/contents/4", 20),
        ("The request body has 1 error(s)", "messages[0].something.new", 7),
    ],
)
async def test_a_place_is_found_however_line_names_it(tmp_path: Path, message: str, property_: str, line: int) -> None:
    """By the request or by the Flex message; a loop has made other places of those behind it."""
    (tmp_path / "news.yaml").write_text(CAMPAIGN.replace("person.tags", '"[1, 2, 3]"'), encoding="utf-8")
    answer = {"message": message, "details": [{"message": "must not be so", "property": property_}]}
    async with refusing(answer) as url:
        with pytest.raises(FileMistakesError) as error:
            await asyncio.to_thread(load_campaign, tmp_path / "news.yaml", LineValidator(url, "token"))
    assert {(one.line, one.what) for one in error.value.mistakes} == {(line, f"{url} refuses it: must not be so")}


async def test_an_answer_that_is_none_is_no_verdict(tmp_path: Path) -> None:
    """Whoever answers 400 without saying what is wrong is not LINE."""
    (tmp_path / "news.yaml").write_text(CAMPAIGN, encoding="utf-8")
    async with refusing("Bad Gateway") as url:
        with pytest.raises(ValueError, match="answers 400 where it should check messages"):
            await asyncio.to_thread(load_campaign, tmp_path / "news.yaml", LineValidator(url, "token"))


@asynccontextmanager
async def refusing(answer: object) -> AsyncIterator[str]:
    """Somebody who answers 400 with this, whatever is asked."""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response(answer, status=400)

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_what_is_wrong_here_is_not_asked_of_line(server: LineServer, tmp_path: Path) -> None:
    """Its own limits are known: the request is spared."""
    (tmp_path / "news.yaml").write_text(CAMPAIGN.replace("most: 3", "most: 0"), encoding="utf-8")
    with pytest.raises(FileMistakesError, match="say how many there may be"):
        await check("news.yaml", "--line", "main")
    assert await asked(server) == {}


async def test_who_cannot_ask_is_told_why(server: LineServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An account that there is not, a token that LINE does not take, a place where nobody answers; no token is told."""
    with pytest.raises(ValueError, match="no account `mian` is configured; there is main; did you mean `main`"):
        await check("news.yaml", "--line", "mian")
    with pytest.raises(ValueError, match="no account `mian` is configured"):
        CliRunner().invoke(app, ["campaigns", "publish", "news.yaml", "--line", "mian"], catch_exceptions=False)
    monkeypatch.setenv("LINE_TOKEN", "another-token")
    with pytest.raises(ValueError, match="does not take this account's access token") as refused:
        await check("news.yaml", "--line", "main")
    assert "another-token" not in str(refused.value)
    with socket.create_server(("127.0.0.1", 0)) as closing:
        nowhere = f"http://127.0.0.1:{closing.getsockname()[1]}"
    with pytest.raises(ValueError, match=f"{nowhere} does not answer"):
        await asyncio.to_thread(
            check_campaigns, tmp_path / "news.yaml", (), LineValidator(nowhere, "simulator-token-main")
        )
