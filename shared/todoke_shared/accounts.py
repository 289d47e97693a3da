"""The one file of accounts and shops (`TODOKE_CONFIG`). Secrets are named here and kept elsewhere.

```yaml
accounts:
  main:
    destination: U0123…                       # the bot's own user id, as webhooks name it
    channel_secrets: [env:LINE_MAIN_SECRET]   # two while one is being replaced
    access_token: file:/run/secrets/line-main # long-lived; or what short-lived ones are fetched with (docs/line.md):
    # channel_id: "1234567890", and channel_secret: env:…, or assertion_key: file:… with assertion_key_id: …
    monthly_limit: 5000                       # optional: never send more in a month than this
    price_yen: 3                              # optional: what a message costs …
    included: 30000                           # … beyond those that the plan's fee covers (docs/quota.md)
shops: …                                      # see todoke_shared.shops
```
"""

from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from todoke_shared.complaints import LEFT_EMPTY, left_empty
from todoke_shared.config_errors import ConfigError, config_error
from todoke_shared.contracts.envelope import Name
from todoke_shared.secrets import read_secret, read_secrets
from todoke_shared.shops import Shop, Shopify

SIMULATOR_TOKEN = "simulator-token-main"  # noqa: S105 - opens nothing but the simulator
SIMULATOR_SECRET = "simulator-secret-main"  # noqa: S105


class Account(BaseModel):
    """A LINE official account. The secret fields are references until `resolve`.

    Its channel access token is `access_token`, or fetched as `channel_id`: with `channel_secret` (stateless tokens), or
    with the private `assertion_key` that LINE knows by `assertion_key_id` (tokens v2.1).
    https://developers.line.biz/en/docs/basics/channel-access-token/
    `price_yen`: of a message beyond the month's `included` ones; None: nobody has said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    destination: str | None = None
    channel_secrets: tuple[str, ...] = Field(min_length=1, max_length=2, repr=False)
    access_token: str | None = Field(default=None, repr=False)
    channel_id: str | None = Field(default=None, pattern=r"^[0-9]{1,20}$")
    channel_secret: str | None = Field(default=None, repr=False)
    assertion_key: str | None = Field(default=None, repr=False)
    assertion_key_id: str | None = Field(default=None, pattern=r"^[!-~]{1,100}$")
    shop: Name = "main"
    monthly_limit: int | None = Field(default=None, ge=0)
    price_yen: Decimal | None = Field(default=None, gt=0, le=1000)
    included: int = Field(default=0, ge=0)

    def resolve(self) -> Self:
        """The same account with its secrets read."""
        return self.for_sending().model_copy(update={"channel_secrets": read_secrets(self.channel_secrets)})

    def for_sending(self) -> Self:
        """The same account with those secrets read by which LINE is asked, and no others."""
        given = {name: getattr(self, name) for name in ("access_token", "channel_secret", "assertion_key")}
        read = {name: read_secret(reference) for name, reference in given.items() if reference is not None}
        return self.model_copy(update=read)

    @model_validator(mode="after")
    def _has_one_way_to_a_token(self) -> Self:
        fetched = (self.channel_id, self.channel_secret, self.assertion_key, self.assertion_key_id)
        given = tuple(field is not None for field in fetched)
        if self.access_token is not None:
            if any(given):
                raise ValueError("give access_token, or channel_id and what belongs to it, not both; see docs/line.md")
        elif given not in ((True, True, False, False), (True, False, True, True)):
            raise ValueError(
                "give access_token, or channel_id with channel_secret, or channel_id with assertion_key and "
                "assertion_key_id; see docs/line.md"
            )
        return self


Part = TypeVar("Part", Account, Shop)
_TRIAL_SHOP = Shop(shopify=Shopify(webhook_secrets=(SIMULATOR_SECRET,)))


class Config(BaseModel):
    """Accounts and shops by name. `trial`: there is no file, so that only stand-ins and strangers are here."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    accounts: dict[Name, Account]
    shops: dict[Name, Shop] = {}
    trial: bool = Field(default=False, exclude=True)


def load_config(path: Path | None, *, shops: bool = True) -> Config:
    """Read the file; without one, the account and the shop `main`, their secrets the simulator's (a trial).

    `shops` false leaves the shops' secrets alone, for a service that has no business with them.
    Raises ConfigError naming what is wrong in the file, and never a value from it.
    """
    config = read_config(path)
    if path is None:
        return config
    return Config(
        accounts={name: _resolve(f"{path}: accounts.{name}", each) for name, each in config.accounts.items()},
        shops={name: _resolve(f"{path}: shops.{name}", each) for name, each in config.shops.items()} if shops else {},
    )


def read_config(path: Path | None) -> Config:
    """As `load_config`, with the secrets still references: for a command that needs none, where none may be."""
    if path is None:
        simulated = Account(channel_secrets=(SIMULATOR_SECRET,), access_token=SIMULATOR_TOKEN)
        return Config(accounts={"main": simulated}, shops={"main": _TRIAL_SHOP}, trial=True)
    told = _read_yaml(path)
    if (empty := next(left_empty(told), None)) is not None:
        raise ConfigError(f"{path}: {'.'.join(map(str, empty))}: {LEFT_EMPTY}")
    try:
        return Config.model_validate(told).model_copy(update={"trial": False})
    except ValidationError as error:
        raise config_error(path, Config, error) from None


def _read_yaml(path: Path) -> Any:
    # Late: on trial there is no file, and to import the parser takes a twentieth of a service's start.
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        return YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except YAMLError as error:
        # The parser's own text quotes the line, and somebody may have written a secret into it.
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}: this is not YAML") from None


def _resolve(place: str, part: Part) -> Part:
    try:
        return part.resolve()
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None
