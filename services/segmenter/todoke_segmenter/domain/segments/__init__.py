"""Which segments a person is in, since when, and when the clock alone may next change that (docs/adr/0019).

`rules` are the segments in force, compiled, and `questions` how they are asked; `membership` is what is kept of a
person; `parts` says what an event changed; `live` brings these together.
"""

from todoke_segmenter.domain.segments.live import Change, LiveSegments
from todoke_segmenter.domain.segments.membership import Membership
from todoke_segmenter.domain.segments.rules import SegmentRules

__all__ = ["Change", "LiveSegments", "Membership", "SegmentRules"]
