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
from typing import Self

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

SIMULATOR_TOKEN = "simulator-token-main"  # noqa: S105 - opens nothing but the simulator
SIMULATOR_SECRET = "simulator-secret-main"  # noqa: S105


def read_secret(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH`. ValueError tells which variable or file is missing."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        if place not in os.environ:
            raise ValueError(f"set the environment variable {place}: the configuration names it as a secret")
        return os.environ[place]
    if kind == "file":
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read the secret file {place}: {error.strerror}") from None
    raise ValueError("a secret in the configuration must be written env:NAME or file:PATH, never the secret itself")


class Account(BaseModel):
    """A LINE official account. The two secret fields are references until `resolve`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    destination: str | None = None
    channel_secrets: tuple[str, ...] = Field(min_length=1, max_length=2, repr=False)
    access_token: str = Field(repr=False)
    shop: str = "main"
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    accounts: dict[str, Account]


def load_config(path: Path | None) -> Config:
    """Read the file; without one, the account `main` as the simulator knows it.

    Raises ValueError (pydantic's, or ours) naming what is wrong in the file.
    """
    if path is None:
        simulated = Account(channel_secrets=(SIMULATOR_SECRET,), access_token=SIMULATOR_TOKEN)
        return Config(accounts={"main": simulated})
    config = Config.model_validate(YAML(typ="safe", pure=True).load(path))
    return Config(accounts={name: account.resolve() for name, account in config.accounts.items()})
