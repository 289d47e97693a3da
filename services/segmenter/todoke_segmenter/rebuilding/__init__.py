"""The retained topics, folded once more into a state of its own and compared with the live one (docs/adr/0020).

`planning` says with what it begins, `scratch` is where it is folded, `folding` how, `sides` reads both states,
`comparing` sets them side by side, `would_send` asks what would have been sent, `rebuild` does one after the other.
Nothing here writes to a live table.
"""

from todoke_segmenter.rebuilding.comparing import Comparison, Counts, Difference
from todoke_segmenter.rebuilding.rebuild import Outcome, rebuild
from todoke_segmenter.rebuilding.scratch import SCHEMA, drop_scratch
from todoke_segmenter.rebuilding.would_send import Entries

__all__ = ["SCHEMA", "Comparison", "Counts", "Difference", "Entries", "Outcome", "drop_scratch", "rebuild"]
