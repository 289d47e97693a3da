"""Settings that every service has; each adds its own. All come from the environment, prefix `TODOKE_`."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from todoke_shared.complaints import plain_words
from todoke_shared.config_errors import ConfigError

PREFIX = "TODOKE_"


class FromEnvironment(BaseSettings):
    """Settings that the environment holds. ConfigError names each variable that is missing or wrong, and no value.

    pydantic's own error repeats all that it was given where something is missing: PostgreSQL's password, too.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            told = [_told(type(self), one) for one in error.errors(include_input=False, include_url=False)]
            raise ConfigError("; ".join(told)) from None


def _told(settings: type[BaseSettings], mistake: Any) -> str:
    if not mistake["loc"]:  # of several settings together, which its own words name
        return plain_words(mistake)
    field = str(mistake["loc"][0])
    name = f"{PREFIX}{field.upper()}"
    if mistake["type"] == "missing":
        return f"set {name}: {settings.model_fields[field].description}"
    return f"{name}: {plain_words(mistake)}"


class Settings(FromEnvironment):
    """Where PostgreSQL, Kafka and the configuration file are."""

    kafka_bootstrap_servers: str = Field(description="host:port[,host:port…] of Kafka")
    postgres_dsn: str = Field(description="postgresql://user@host/database")
    config: Path | None = Field(
        default=None, description="The file of accounts and shops; without it one of each, `main`"
    )
    log_level: str = "INFO"
    host: str = "127.0.0.1"
    drain_seconds: int = Field(default=25, ge=1, description="How long a stop may take; below the orchestrator's 30 s")
