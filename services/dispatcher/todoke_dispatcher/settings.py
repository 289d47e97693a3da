"""Settings of the dispatcher, beyond those of every service."""

from datetime import timedelta
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from todoke_dispatcher.domain.links import LONGEST_BASE, LinkRefusedError, check_destination
from todoke_shared.settings import Settings

HTTP_TIMEOUT_SECONDS = 10.0
"""Below the lease, and below the 25 s in which a service stops (RELIABILITY: shutdown)."""


def _public_url(value: object) -> object:
    """Empty means none: an unset variable of a compose file."""
    if not isinstance(value, str) or not value:
        return None
    example = "write ingest's address as customers reach it, for example https://go.shop.example"
    try:
        check_destination(value, trial=True)
    except LinkRefusedError as error:
        raise ValueError(f"{error}; {example}") from None
    if urlsplit(value).query or urlsplit(value).fragment or len(value) > LONGEST_BASE:
        raise ValueError(f"nothing may follow the path, and {LONGEST_BASE} characters are enough; {example}")
    return value.rstrip("/")


PublicUrl = Annotated[str | None, BeforeValidator(_public_url)]
"""Ingest as customers reach it: https, or this machine."""


class DispatcherSettings(Settings):
    """`dispatcher_port` serves health and metrics."""

    line_api_url: str = Field(default="http://127.0.0.1:8090", description="LINE's API, or the simulator's")
    dispatcher_port: int = Field(default=8083, ge=1, le=65535)
    push_rate: int = Field(
        default=2000,
        ge=1,
        le=1_000_000,
        description="Requests a second that an account never exceeds, all dispatchers together; LINE's limit is 2,000",
    )
    multicast_rate: int = Field(
        default=200,
        ge=1,
        le=1_000_000,
        description="The same for multicasts of up to 500 messages each; LINE's limit is 200",
    )
    max_in_flight: int = Field(default=200, ge=1, description="Requests on their way to LINE at a time, per process")
    transactional_reserve: float = Field(
        default=0.1, ge=0, le=1, description="Share of an account's monthly limit that marketing leaves alone"
    )
    public_url: PublicUrl = Field(
        default=None,
        description="Ingest as customers reach it, https://…: what tracked links begin with. Without it links stay as "
        "they are written",
    )
    aggregation_units: bool = Field(default=True, description="Let LINE count by campaign step, up to 1,000 a month")
    lease_seconds: float = Field(
        default=15.0, description="After this long a message of a dispatcher that died is taken up by another"
    )

    @property
    def lease(self) -> timedelta:
        """How long a claimed delivery belongs to the process that claimed it."""
        return timedelta(seconds=self.lease_seconds)

    @model_validator(mode="after")
    def _lease_outlives_a_request(self) -> Self:
        if self.lease_seconds <= HTTP_TIMEOUT_SECONDS:
            raise ValueError(
                f"TODOKE_LEASE_SECONDS must be more than {HTTP_TIMEOUT_SECONDS:g}: LINE has that long to answer, "
                "and a message must not be taken up while it does"
            )
        return self
