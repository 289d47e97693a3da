"""Which segments a person is in, since when, and when the clock alone may next change that (docs/adr/0019).

`rules` are the segments in force, compiled, and `questions` how they are asked; `membership` is what is kept of a
person; `parts` says what an event changed; `live` brings these together. `dates`: the segments that campaigns have of
their own, for those who enter them by a date.
"""

from todoke_segmenter.domain.segments.dates import DateEntry, is_hidden
from todoke_segmenter.domain.segments.live import Change, LiveSegments
from todoke_segmenter.domain.segments.membership import Membership
from todoke_segmenter.domain.segments.rules import SegmentRules

__all__ = ["Change", "DateEntry", "LiveSegments", "Membership", "SegmentRules", "is_hidden"]
