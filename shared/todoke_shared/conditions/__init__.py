"""The one condition language: segments, campaign entries, exits and branches all speak it.

```yaml
all:
  - cart.items: {at_least: 1}
  - not: {friend: false}
```
A condition is a mapping: `all`, `any` (a list of conditions), `not` (one), or an attribute with what it must be:
a plain value, or operators (`at_least`, `at_most`, `more_than`, `less_than`, `one_of`, `known`), all of which hold.
Several entries in one mapping must all hold.
"""

from todoke_shared.conditions.model import All, Any_, Compare, Condition, Not, Operator
from todoke_shared.conditions.parse import ConditionError, parse_condition
from todoke_shared.conditions.predicate import Facts, holds

__all__ = [
    "All",
    "Any_",
    "Compare",
    "Condition",
    "ConditionError",
    "Facts",
    "Not",
    "Operator",
    "holds",
    "parse_condition",
]
