"""Settings of the `todoke` command. What is not set is embedded, or found at its usual place on this machine."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from todoke_dispatcher.settings import PublicUrl
from todoke_shared.postgres.dsn import check_dsn
from todoke_shared.settings import FromEnvironment

RESERVE = 0.1
"""The dispatchers' own default, told here so that no command has to import them; a test holds the two together."""


class LocalSettings(FromEnvironment):
    """All from the environment, prefix `TODOKE_`."""

    kafka_bootstrap_servers: str | None = None
    postgres_dsn: Annotated[str, AfterValidator(check_dsn)] | None = None
    line_api_url: str | None = None
    ingest_url: str | None = Field(
        default=None, description="Ingest, when it is not on this machine's TODOKE_INGEST_PORT"
    )
    public_url: PublicUrl = Field(
        default=None, description="Ingest as customers reach it, https://…: what tracked links begin with"
    )
    ingest_key: SecretStr | None = Field(default=None, description="A key for events: for `import`, `replay`")
    ingest_port: int = 8080
    segmenter_port: int = 8081
    scheduler_port: int = 8082
    dispatcher_port: int = 8083
    simulator_port: int = 8090
    transactional_reserve: float = Field(default=RESERVE, ge=0, le=1, description="As the dispatchers have it")
    kafka_replication: int = Field(default=1, ge=1, le=5, description="Copies of each topic that `migrate` makes")
    config: Path | None = Field(default=None, description="The file of accounts and shops, as ingest reads it")
    campaigns: Path = Field(default=Path("campaigns"), description="The folder of campaign files")
    segments: Path = Field(default=Path("segments"), description="The folder of segment files")
    home: Path = Field(default=Path(".todoke"), description="Where embedded PostgreSQL and logs are kept")

    @property
    def ports(self) -> dict[str, int]:
        """Where each process of this machine listens."""
        return {
            "ingest": self.ingest_port,
            "segmenter": self.segmenter_port,
            "scheduler": self.scheduler_port,
            "dispatcher": self.dispatcher_port,
            "simulator": self.simulator_port,
        }

    @property
    def links_base(self) -> str:
        """What tracked links begin with."""
        return self.public_url or self.ingest_url or f"http://127.0.0.1:{self.ingest_port}"

    def need(self, name: str) -> str:
        """A setting that this command cannot do without. ValueError tells what to set."""
        value = getattr(self, name)
        if not value:
            raise ValueError(
                f"set TODOKE_{name.upper()}. With `todoke up` running: the `export` line that it printed; "
                "`todoke up` itself needs nothing set"
            )
        return str(value)
