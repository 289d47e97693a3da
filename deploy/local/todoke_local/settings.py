"""Settings of the `todoke` command. What is not set is embedded, or found at its usual place on this machine."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """All from the environment, prefix `TODOKE_`."""

    model_config = SettingsConfigDict(env_prefix="TODOKE_", extra="ignore")

    kafka_bootstrap_servers: str | None = None
    postgres_dsn: str | None = None
    line_api_url: str | None = None
    ingest_url: str = "http://127.0.0.1:8080"
    kafka_replication: int = Field(default=1, ge=1, le=5, description="Copies of each topic that `migrate` makes")
    campaigns: Path = Field(default=Path("campaigns"), description="The folder of campaign files")
    home: Path = Field(default=Path(".todoke"), description="Where embedded PostgreSQL and logs are kept")

    def need(self, name: str) -> str:
        """A setting that this command cannot do without. ValueError tells what to set."""
        value = getattr(self, name)
        if not value:
            raise ValueError(
                f"set TODOKE_{name.upper()}; `todoke up` starts everything with embedded parts and needs nothing set"
            )
        return str(value)
