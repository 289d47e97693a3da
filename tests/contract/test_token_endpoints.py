"""Channel access tokens by LINE's own client and by ours, from the same simulator: issued, used, ended, refused."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import jwt
import pytest
from linebot.v3.oauth import ApiException, AsyncApiClient, AsyncChannelAccessToken, Configuration

from tests.support.assertion_keys import assertion_key
from tests.support.deliveries import user_named
from tests.support.line_server import LineServer, line_server
from todoke_dispatcher.adapters import tokens
from todoke_dispatcher.adapters.line import LineClient, open_line_of
from todoke_dispatcher.domain.verdict import Accepted, Answer, ChannelStopped, judge
from todoke_dispatcher.ports import NotSentError
from todoke_line_simulator.access_tokens import MOST_ASSERTED
from todoke_shared.accounts import Account
from todoke_shared.telemetry import metrics

CHANNEL = "2001234567"
SECRET = "a-channel-secret-of-32-characters"
KEY_ID = "536e453c-aa93-4449-8e90-add2608783c6"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAI = user_named("mai")
WAYS: dict[str, dict[str, str]] = {
    "stateless": {"channel_secret": SECRET},
    "asserted": {"assertion_key": assertion_key().private_jwk, "assertion_key_id": KEY_ID},
    "asserted by PEM": {"assertion_key": assertion_key().private_pem, "assertion_key_id": KEY_ID},
}


@pytest.fixture
async def server() -> AsyncIterator[LineServer]:
    """A channel whose id, secret and assertion key are known."""
    known = {
        "channel_id": CHANNEL,
        "channel_secret": SECRET,
        "assertion_public_key": assertion_key().public_jwk,
        "assertion_key_id": KEY_ID,
    }
    async with line_server(**known) as server:
        await server.befriend(MAI)
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop looks often, and waits little after a failure."""
    monkeypatch.setattr(tokens, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(tokens, "_AGAIN_SECONDS", 0.05)


@asynccontextmanager
async def client_of(server: LineServer, way: str, **other: str) -> AsyncIterator[LineClient]:
    """Our client, with an account that fetches its tokens in this way."""
    given = {"channel_secrets": [SECRET], "channel_id": CHANNEL, **WAYS[way], **other}
    accounts = {"main": Account.model_validate(given)}
    async with open_line_of(server.url, accounts, connections=4, timeout_seconds=5) as client:
        yield client


async def until_ready(client: LineClient) -> None:
    """Return once a token is at hand."""
    await _until(client, ready=True)


async def _until(client: LineClient, *, ready: bool) -> None:
    async with asyncio.timeout(10):
        while client.is_ready("main") is not ready:
            await asyncio.sleep(0.01)


async def push(client: LineClient) -> Answer:
    """One message to Mai."""
    body = json.dumps({"to": MAI, "messages": [{"type": "text", "text": "こんにちは"}]}).encode()
    return await client.push("main", uuid4(), body)


async def issued(server: LineServer) -> object:
    """How many tokens LINE has issued."""
    return (await server.stats())["accessTokens"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_fetched_token_sends(server: LineServer, way: str) -> None:
    """One serves all requests; before it is there, nothing goes out."""
    async with client_of(server, way) as client:
        with pytest.raises(NotSentError):
            await push(client)
        await until_ready(client)
        for _ in range(3):
            assert isinstance(judge(await push(client)), Accepted)
    assert await issued(server) == 1


@pytest.mark.parametrize("way", ["stateless", "asserted"])
async def test_a_token_that_line_has_ended_is_renewed_and_the_message_goes_out(server: LineServer, way: str) -> None:
    """LINE has not taken the message that met the refusal: the same goes out with the next token."""
    async with client_of(server, way) as client:
        await until_ready(client)
        assert isinstance(judge(await push(client)), Accepted)
        await server.end_tokens()
        with pytest.raises(NotSentError):
            await push(client)
        await until_ready(client)
        assert isinstance(judge(await push(client)), Accepted)
    assert (await issued(server), len(await server.accepted())) == (2, 2)


async def test_a_refusal_of_a_fresh_token_is_the_channels(server: LineServer) -> None:
    """Renewed once, and refused again: the dispatcher stops the channel for that."""
    async with client_of(server, "stateless") as client:
        await until_ready(client)
        await server.end_tokens()
        with pytest.raises(NotSentError):
            await push(client)
        await until_ready(client)
        await server.end_tokens()
        assert isinstance(judge(await push(client)), ChannelStopped)


async def test_a_stateless_token_lives_a_quarter_of_an_hour(server: LineServer) -> None:
    """By LINE's clock; ours would have renewed it before."""
    async with client_of(server, "stateless") as client:
        await until_ready(client)
        await server.advance(14 * 60)
        assert isinstance(judge(await push(client)), Accepted)
        await server.advance(2 * 60)
        with pytest.raises(NotSentError):
            await push(client)


@pytest.mark.parametrize(
    "fault", [{"fault": "server_error"}, {"fault": "garbage", "status": 200}, {"fault": "rate_limit"}]
)
async def test_while_line_issues_no_token_nothing_goes_out_and_it_is_asked_again(
    server: LineServer, fault: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Errors and garbage, and then a token: what waited goes out. Metric and log tell of it, and show no secret."""
    before = _fetches("unclear")
    await server.faults({**fault, "endpoint": "oauth/stateless", "count": 2})
    caplog.set_level(logging.DEBUG)
    async with client_of(server, "stateless") as client:
        await until_ready(client)
        assert isinstance(judge(await push(client)), Accepted)
    assert _fetches("unclear") == before + 2
    assert "LINE issues no channel access token for account main" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("way", "other"),
    [
        ("stateless", {"channel_secret": "wrong"}),
        ("stateless", {"channel_id": "999"}),
        ("asserted", {"assertion_key": assertion_key(1).private_jwk}),
        ("asserted", {"assertion_key_id": "another"}),
    ],
)
async def test_a_wrong_secret_or_key_is_told_and_not_hammered(
    server: LineServer, way: str, other: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """LINE refuses; one line says so, nothing is sent, and nobody asks again within seconds."""
    before = _fetches("refused")
    async with client_of(server, way, **other) as client:
        async with asyncio.timeout(10):
            while _fetches("refused") == before:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert not client.is_ready("main")
    assert _fetches("refused") == before + 1
    [told] = [record.getMessage() for record in caplog.records if "channel access token" in record.getMessage()]
    assert "(LINE 400 invalid_client); its messages wait" in told


def _fetches(outcome: str) -> float:
    return float(metrics.TOKEN_FETCHES.labels("main", outcome)._value.get())


@asynccontextmanager
async def lines_own_client(server: LineServer) -> AsyncIterator[AsyncChannelAccessToken]:
    """line-bot-sdk's."""
    async with AsyncApiClient(Configuration(host=server.url)) as client:
        yield AsyncChannelAccessToken(client)


def assertion(**other: Any) -> str:
    """A JWT as LINE's page has it, with these claims instead."""
    now = int(time.time())
    claims = {"iss": CHANNEL, "sub": CHANNEL, "aud": "https://api.line.me/", "exp": now + 1800, "token_exp": 86400}
    key = jwt.PyJWK.from_json(assertion_key(other.pop("key", 0)).private_jwk, algorithm="RS256")
    headers = {"kid": other.pop("kid", KEY_ID)}
    return jwt.encode({**claims, **other}, key, algorithm="RS256", headers=headers)


async def test_lines_own_client_issues_verifies_and_revokes(server: LineServer) -> None:
    """Both kinds, by both ways that LINE has for them."""
    async with lines_own_client(server) as oauth:
        by_secret = await oauth.issue_stateless_channel_token(
            grant_type="client_credentials",
            client_assertion_type="",
            client_assertion="",
            client_id=CHANNEL,
            client_secret=SECRET,
        )
        assert (by_secret.token_type, by_secret.expires_in) == ("Bearer", 900)
        asserted = await oauth.issue_channel_token_by_jwt("client_credentials", JWT_BEARER, assertion())
        assert (asserted.token_type, asserted.expires_in) == ("Bearer", 86400)
        verified = await oauth.verify_channel_token_by_jwt(asserted.access_token)
        assert (verified.client_id, verified.scope) == (CHANNEL, "P CM")
        kids = await oauth.gets_all_valid_channel_access_token_key_ids(JWT_BEARER, assertion())
        assert kids.kids == [asserted.key_id]
        await oauth.revoke_channel_token_by_jwt(CHANNEL, SECRET, asserted.access_token)
        with pytest.raises(ApiException) as ended:
            await oauth.verify_channel_token_by_jwt(asserted.access_token)
        assert ended.value.status in (400, 401)


async def test_a_jwt_that_is_not_as_line_asks_gets_no_token(server: LineServer) -> None:
    """Each claim, the key id and the signature are looked at."""
    wrong: list[dict[str, object]] = [
        {"iss": "999"},
        {"sub": "999"},
        {"aud": "https://elsewhere.example/"},
        {"exp": int(time.time()) - 1},
        {"exp": int(time.time()) + 7200},
        {"token_exp": 31 * 86400},
        {"token_exp": None},
        {"kid": "another"},
        {"key": 1},
    ]
    async with lines_own_client(server) as oauth:
        for claims in wrong:
            with pytest.raises(ApiException) as refused:
                await oauth.issue_channel_token_by_jwt("client_credentials", JWT_BEARER, assertion(**claims))
            assert refused.value.status == 400, claims


async def test_a_channel_has_thirty_tokens_of_its_own_choosing(server: LineServer) -> None:
    """The next is refused, as LINE does; a stateless one is not."""
    signed = assertion()
    async with lines_own_client(server) as oauth:
        for _ in range(MOST_ASSERTED):
            await oauth.issue_channel_token_by_jwt("client_credentials", JWT_BEARER, signed)
        with pytest.raises(ApiException):
            await oauth.issue_channel_token_by_jwt("client_credentials", JWT_BEARER, signed)
    async with client_of(server, "stateless") as client:
        await until_ready(client)
