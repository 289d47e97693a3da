"""The one condition language: segments, campaign entries, exits and branches all speak it (docs/conditions.md).

```yaml
all:
  - orders: {at_least: 2, within: 90d}
  - not: {friend: false}
```
A condition is a mapping: `all`, `any` (a list of conditions), `not` (one), or an attribute with what it must be:
a plain value, or operators, all of which hold. Several entries in one mapping must all hold. `attributes` is the
registry; nothing here knows how a person's state is laid out.
"""

from todoke_shared.conditions.errors import ConditionError
from todoke_shared.conditions.model import (
    All,
    Any_,
    Compare,
    Condition,
    Count,
    InDays,
    Month,
    Not,
    Operator,
    Segment,
    Since,
)
from todoke_shared.conditions.parse import parse_condition
from todoke_shared.conditions.predicate import Facts, holds
from todoke_shared.conditions.segments import SegmentCycleError, resolve, resolve_all, segments_named

__all__ = [
    "All",
    "Any_",
    "Compare",
    "Condition",
    "ConditionError",
    "Count",
    "Facts",
    "InDays",
    "Month",
    "Not",
    "Operator",
    "Segment",
    "SegmentCycleError",
    "Since",
    "holds",
    "parse_condition",
    "resolve",
    "resolve_all",
    "segments_named",
]
