"""A segment as it was published: a version never changes."""

from dataclasses import dataclass

from todoke_shared.segments.model import Segment


@dataclass(frozen=True)
class PublishedSegment:
    """A segment and its version, counted from 1. `revision` counts publications of all segments together."""

    version: int
    revision: int
    segment: Segment
