"""Settings of the scheduler, beyond those of every service."""

from pydantic import Field

from todoke_shared.settings import Settings


class SchedulerSettings(Settings):
    """`scheduler_port` serves health and metrics."""

    scheduler_port: int = Field(default=8082, ge=1, le=65535)
