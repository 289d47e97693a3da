"""Settings that every service has; each adds its own. All come from the environment, prefix `TODOKE_`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where PostgreSQL, Kafka and the configuration file are."""

    model_config = SettingsConfigDict(env_prefix="TODOKE_", extra="ignore")

    kafka_bootstrap_servers: str = Field(description="host:port[,host:port…] of Kafka")
    postgres_dsn: str = Field(description="postgresql://user@host/database")
    config: Path | None = Field(
        default=None, description="The file of accounts and shops; without it one of each, `main`"
    )
    log_level: str = "INFO"
    host: str = "127.0.0.1"
    drain_seconds: int = Field(default=25, ge=1, description="How long a stop may take; below the orchestrator's 30 s")
