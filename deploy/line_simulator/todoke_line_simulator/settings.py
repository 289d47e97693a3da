"""Settings of the simulator, read from the environment with the prefix ``TODOKE_SIMULATOR_``."""

import hashlib
from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class RateLimit(BaseModel):
    """How many requests one account may send to one endpoint in a stretch of time (seconds)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: PositiveInt
    per_seconds: PositiveFloat = 1.0


# https://developers.line.biz/en/reference/messaging-api/#rate-limits: the exceptions first, every other endpoint after.
LINE_RATE_LIMITS: dict[str, RateLimit] = {
    "multicast": RateLimit(requests=200),
    "broadcast": RateLimit(requests=60, per_seconds=3600),
    "richmenu/create": RateLimit(requests=100, per_seconds=3600),
    "richmenu/delete": RateLimit(requests=100, per_seconds=3600),
}
LINE_DEFAULT_RATE_LIMIT = RateLimit(requests=2000)


class AccountSettings(BaseModel):
    """One LINE official account. What is left out is derived from the name, so that ``{"name": "main"}`` is enough."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    provider: str = "todoke"
    """The company: LINE's user ids are unique per provider, so accounts of one provider share their users."""
    channel_access_token: str = Field(default="", repr=False)
    """Default ``simulator-token-{name}``."""
    channel_secret: str = Field(default="", repr=False)
    """Default ``simulator-secret-{name}``."""
    channel_id: str = Field(default="", pattern="^[0-9]*$")
    """Default: ten digits, a hash of the name."""
    assertion_public_key: str = ""
    """The public key with which JWTs that ask for tokens are checked: a JWK, as it is registered in LINE's console."""
    assertion_key_id: str = ""
    """Its ``kid``."""
    destination: str = Field(default="", pattern="^(U[0-9a-f]{32})?$")
    """The bot's own user id, sent as ``destination`` in webhooks. Default: a hash of the name."""
    webhook_url: str = ""
    """Default ``http://127.0.0.1:8080/webhooks/line/{name}``."""
    monthly_quota: NonNegativeInt | None = None
    """Recipients a month (Asia/Tokyo); None = no limit, so that a demo is never stopped by it."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_name(cls, given: object) -> object:
        """Derive what was left out from the account's name."""
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            return given
        name = given["name"]
        derived = {
            "channel_access_token": f"simulator-token-{name}",
            "channel_secret": f"simulator-secret-{name}",
            "channel_id": str(10**9 + int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) % 10**9),
            "destination": "U" + hashlib.md5(f"bot|{name}".encode(), usedforsecurity=False).hexdigest(),
            "webhook_url": f"http://127.0.0.1:8080/webhooks/line/{name}",
        }
        return derived | given


class SimulatorSettings(BaseSettings):
    """All settings; lists and tables are given as JSON, e.g. ``TODOKE_SIMULATOR_ACCOUNTS='[{"name": "main"}]'``."""

    model_config = SettingsConfigDict(
        env_prefix="TODOKE_SIMULATOR_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65535)
    accounts: list[AccountSettings] = Field(default_factory=lambda: [AccountSettings(name="main")], min_length=1)
    rate_limits: dict[str, RateLimit] = Field(default_factory=dict)
    """Overrides by endpoint name (``push``, ``multicast``, ``validate/push``, ...); the rest keeps LINE's limits."""
    minimal: bool = False
    """Skip the checks of message objects for load runs; limits, retry keys and quota stay."""
    keep_messages: PositiveInt = 1_000_000
    """How many accepted requests ``GET /sim/messages`` remembers per simulator; the oldest fall out."""
    webhook_timeout_seconds: PositiveFloat = 2.0
    """LINE expects an answer within 2 seconds (LINE's "Receive messages (webhook)" page)."""
    webhook_redelivery: bool = True
    """LINE's console has it off by default; here it is on, because the project needs it on."""
    webhook_max_tries: PositiveInt = 5
    webhook_backoff_seconds: PositiveFloat = 1.0
    """Wait before the first redelivery; doubles with each try, at most 60 s. LINE does not publish its own."""
    webhook_lanes: PositiveInt = 8
    """Webhooks sent at the same time per account. One user's events always share a lane and so keep their order."""

    @model_validator(mode="after")
    def _accounts_differ(self) -> Self:
        """Refuse two accounts that a request or a webhook could not tell apart."""
        for field in ("name", "channel_access_token", "channel_id", "destination"):
            if _repeats(getattr(account, field) for account in self.accounts):
                raise ValueError(f"two accounts have the same {field}: give each account its own")
        return self

    def rate_limit(self, endpoint: str) -> RateLimit:
        """The limit of one endpoint: the override if there is one, else LINE's."""
        return self.rate_limits.get(endpoint) or LINE_RATE_LIMITS.get(endpoint, LINE_DEFAULT_RATE_LIMIT)


def _repeats(values: Iterable[str]) -> bool:
    listed = list(values)
    return len(set(listed)) < len(listed)
