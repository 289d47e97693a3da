"""The one file of accounts and shops (`TODOKE_CONFIG`). Secrets are named here and kept elsewhere.

```yaml
accounts:
  main:
    destination: U0123…                       # the bot's own user id, as webhooks name it
    channel_secrets: [env:LINE_MAIN_SECRET]   # two while one is being replaced
    access_token: file:/run/secrets/line-main
    monthly_limit: 5000                       # optional: never send more in a month than this
```
"""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from todoke_shared.contracts.envelope import Name

SIMULATOR_TOKEN = "simulator-token-main"  # noqa: S105 - opens nothing but the simulator
SIMULATOR_SECRET = "simulator-secret-main"  # noqa: S105


def read_secret(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH`. ValueError tells which variable or file is missing."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        secret = os.environ.get(place, "")
        if not secret:
            raise ValueError(f"set the environment variable {place}: the configuration names it as a secret")
        return secret
    if kind == "file":
        try:
            secret = Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read the secret file {place}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"the secret file {place} must be UTF-8 text") from None
        if not secret:
            raise ValueError(f"the secret file {place} is empty")
        return secret
    raise ValueError("a secret in the configuration must be written env:NAME or file:PATH, never the secret itself")


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
                "channel_secrets": tuple(read_secret(secret) for secret in self.channel_secrets),
                "access_token": read_secret(self.access_token),
            }
        )


class Config(BaseModel):
    """Accounts by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    accounts: dict[Name, Account]


def load_config(path: Path | None) -> Config:
    """Read the file; without one, the account `main` as the simulator knows it.

    Raises ValueError (pydantic's, or ours) naming what is wrong in the file, and never a value from it.
    """
    if path is None:
        simulated = Account(channel_secrets=(SIMULATOR_SECRET,), access_token=SIMULATOR_TOKEN)
        return Config(accounts={"main": simulated})
    config = Config.model_validate(_read_yaml(path))
    return Config(accounts={name: _resolve(name, account) for name, account in config.accounts.items()})


def _read_yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise ValueError(f"cannot read the configuration {path}: {error.strerror}") from None
    except YAMLError as error:
        # The parser's own text quotes the line, and somebody may have written a secret into it.
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        raise ValueError(f"{path}:{mark.line + 1 if mark else 1}: this is not YAML") from None


def _resolve(name: str, account: Account) -> Account:
    try:
        return account.resolve()
    except ValueError as error:
        raise ValueError(f"accounts.{name}: {error}") from None
