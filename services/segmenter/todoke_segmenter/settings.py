"""Settings of the segmenter, beyond those of every service."""

from pydantic import Field

from todoke_shared.settings import Settings


class SegmenterSettings(Settings):
    """`segmenter_port` serves health and metrics."""

    segmenter_port: int = Field(default=8081, ge=1, le=65535)
