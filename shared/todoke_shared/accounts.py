"""The one file of accounts and shops (`TODOKE_CONFIG`). Secrets are named here and kept elsewhere.

```yaml
accounts:
  main:
    destination: U0123…                       # the bot's own user id, as webhooks name it
    channel_secrets: [env:LINE_MAIN_SECRET]   # two while one is being replaced
    access_token: file:/run/secrets/line-main
    monthly_limit: 5000                       # optional: never send more in a month than this
shops: …                                      # see todoke_shared.shops
```
"""

from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from todoke_shared.config_errors import ConfigError, config_error
from todoke_shared.contracts.envelope import Name
from todoke_shared.secrets import read_secret, read_secrets
from todoke_shared.shops import Shop, Shopify

SIMULATOR_TOKEN = "simulator-token-main"  # noqa: S105 - opens nothing but the simulator
SIMULATOR_SECRET = "simulator-secret-main"  # noqa: S105


class Account(BaseModel):
    """A LINE official account. The two secret fields are references until `resolve`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    destination: str | None = None
    channel_secrets: tuple[str, ...] = Field(min_length=1, max_length=2, repr=False)
    access_token: str = Field(repr=False)
    shop: Name = "main"
    monthly_limit: int | None = Field(default=None, ge=0)

    def resolve(self) -> Self:
        """The same account with its secrets read."""
        return self.model_copy(
            update={
                "channel_secrets": read_secrets(self.channel_secrets),
                "access_token": read_secret(self.access_token),
            }
        )


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
    try:
        return Config.model_validate(_read_yaml(path)).model_copy(update={"trial": False})
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
