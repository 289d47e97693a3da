"""What became of deliveries and of multicasts, as the statements take it that store it of either."""

from collections.abc import Sequence

from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.multicast import Multicast


def change_columns(changed: Sequence[Delivery] | Sequence[Multicast]) -> list[list[object]]:
    """Claims, state, ambiguity, next attempt, attempts, month, reason, LINE's request id: a column each."""
    return [
        [each.claims for each in changed],
        [each.state.value for each in changed],
        [each.ambiguous for each in changed],
        [each.next_attempt_at for each in changed],
        [each.attempts for each in changed],
        [each.quota_month for each in changed],
        [each.reason for each in changed],
        [each.line_request_id for each in changed],
    ]
