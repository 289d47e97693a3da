"""Ingest's settings: the shared ones, its port, and how large a request may be."""

from typing import Literal

from pydantic import Field

from todoke_shared.settings import Settings


class IngestSettings(Settings):
    """All from the environment, prefix `TODOKE_`. Sizes in bytes."""

    ingest_port: int = Field(default=8080, ge=0, le=65_535, description="The port of the HTTP doors")
    keys: Literal["required", "optional"] | None = Field(
        default=None, description="Whether the doors ask for a key; unset: only where TODOKE_CONFIG is set"
    )
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, description="Largest body of POST /v1/events")
    max_webhook_bytes: int = Field(
        default=2 * 1024 * 1024, ge=1024, description="Largest webhook body; read before its signature is checked"
    )
    acknowledge_seconds: float = Field(
        default=0.7, gt=0, description="How long Kafka may take to acknowledge before an event goes into the spool"
    )
    spool_bytes: int = Field(
        default=1024**3, ge=0, description="How much PostgreSQL may keep while Kafka is away; then the answer is 503"
    )

    @property
    def keys_required(self) -> bool:
        """Whether nobody comes in without a key."""
        return (self.keys or ("optional" if self.config is None else "required")) == "required"
