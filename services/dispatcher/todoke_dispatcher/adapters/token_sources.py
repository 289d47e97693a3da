"""Where channel access tokens that end come from: LINE's two ways to issue them.

- Stateless, by channel id and secret: lives 15 minutes, any number of them
  (https://developers.line.biz/en/reference/messaging-api/#issue-stateless-channel-access-token).
- v2.1, by a JWT that the channel's assertion signing key has signed: lives as long as the JWT says, at most 30 of them
  at a time (https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import aiohttp
import jwt
from pydantic import BaseModel, Field

from todoke_shared.accounts import Account
from todoke_shared.config_errors import ConfigError
from todoke_shared.jsons import loads

STATELESS_PATH = "/oauth2/v3/token"
ASSERTED_PATH = "/oauth2/v2.1/token"
AUDIENCE = "https://api.line.me/"
"""Also where requests go to another host: LINE looks for its own name in the JWT."""
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTED_LIFE_SECONDS = 30 * 60
"""Of LINE's 30 days: LINE keeps 30 tokens a channel, and each start of a dispatcher leaves one behind until it ends."""
_JWT_LIFE_SECONDS = 5 * 60
"""Of LINE's 30 minutes: it is used at once, and this much the clocks may differ."""
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_LONGEST_ANSWER = 64 * 1024


class Issued(BaseModel):
    """LINE's answer. `expires_in`: seconds."""

    access_token: str = Field(min_length=1, repr=False)
    expires_in: float = Field(gt=0)


class TokenRefusedError(Exception):
    """LINE issues no token for what the configuration says: asking again soon is of no use."""


class TokenSource(Protocol):
    """Issues tokens for one account."""

    async def issue(self) -> Issued:
        """A new one. TokenRefusedError; aiohttp.ClientError, OSError, TimeoutError or ValueError: none this time."""


@dataclass(frozen=True)
class Stateless:
    """By channel id and secret."""

    session: aiohttp.ClientSession = field(repr=False)
    api_url: str
    channel_id: str
    secret: str = field(repr=False)

    async def issue(self) -> Issued:
        """A new one, for 15 minutes."""
        form = {"client_id": self.channel_id, "client_secret": self.secret}
        return await _ask(self.session, self.api_url + STATELESS_PATH, form)


@dataclass(frozen=True)
class Signer:
    """Makes the JWTs that ask for a token; `key_id` is what LINE's console calls `kid`."""

    channel_id: str
    key: "str | jwt.PyJWK" = field(repr=False)
    key_id: str

    def sign(self, now: float) -> str:
        """A JWT of `now` (Unix seconds)."""
        claims = {
            "iss": self.channel_id,
            "sub": self.channel_id,
            "aud": AUDIENCE,
            "exp": int(now) + _JWT_LIFE_SECONDS,
            "token_exp": _ASSERTED_LIFE_SECONDS,
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})


@dataclass(frozen=True)
class Asserted:
    """By a JWT signed with the channel's assertion signing key. `wall`: what time it is for LINE."""

    session: aiohttp.ClientSession = field(repr=False)
    api_url: str
    signer: Signer
    wall: Callable[[], datetime]

    async def issue(self) -> Issued:
        """A new one, for half an hour."""
        assertion = self.signer.sign(self.wall().timestamp())
        form = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        return await _ask(self.session, self.api_url + ASSERTED_PATH, form)


def check_keys(accounts: Mapping[str, Account]) -> None:
    """ConfigError when an account's assertion key cannot sign."""
    for name, account in accounts.items():
        if account.assertion_key is not None:
            _signer(name, account)


def source_of(
    session: aiohttp.ClientSession, api_url: str, name: str, account: Account, wall: Callable[[], datetime]
) -> TokenSource:
    """Where the account's tokens come from. ConfigError when its assertion key cannot sign."""
    url = api_url.rstrip("/")
    if account.channel_secret is not None:
        return Stateless(session, url, account.channel_id or "", account.channel_secret)
    return Asserted(session, url, _signer(name, account), wall)


async def token_of(api_url: str, name: str, account: Account) -> str:
    """A token for a command's few calls: the long-lived one, or one that is issued for them.

    `account` has its secrets read. ValueError says why LINE issues none.
    """
    if account.access_token is not None:
        return account.access_token
    async with aiohttp.ClientSession(trust_env=False) as session:
        try:
            issued = await source_of(session, api_url, name, account, lambda: datetime.now(UTC)).issue()
        except (TokenRefusedError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            told = str(error) if isinstance(error, TokenRefusedError) else type(error).__name__
            raise ValueError(
                f"{api_url} issues no channel access token for {name} ({told}); see docs/line.md"
            ) from None
    return issued.access_token


def _signer(name: str, account: Account) -> Signer:
    try:
        signer = Signer(account.channel_id or "", _key(account.assertion_key or ""), account.assertion_key_id or "")
        signer.sign(0)
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):  # a public key has no `sign`
        raise ConfigError(
            f"accounts.{name}.assertion_key must be an RSA private key, as a JWK (JSON) or as PEM; see docs/line.md"
        ) from None
    return signer


def _key(written: str) -> "str | jwt.PyJWK":
    return jwt.PyJWK.from_json(written, algorithm="RS256") if written.lstrip().startswith("{") else written


async def _ask(session: aiohttp.ClientSession, url: str, form: dict[str, str]) -> Issued:
    form = {"grant_type": "client_credentials", **form}
    async with session.post(url, data=form, allow_redirects=False, timeout=_TIMEOUT) as response:
        body = await response.content.read(_LONGEST_ANSWER)
        if response.status == 200:
            return Issued.model_validate_json(body)
        if 400 <= response.status < 500 and response.status not in (408, 429):
            raise TokenRefusedError(f"LINE {response.status} {_code(body)}".rstrip())
        raise ValueError(f"LINE {response.status}")


def _code(body: bytes) -> str:
    """LINE's word for the error (`invalid_client`), and nothing else of its answer."""
    try:
        answer = loads(body)
    except ValueError:
        return ""
    code = answer.get("error") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and len(code) < 60 and code.replace("_", "a").isalnum() else ""
