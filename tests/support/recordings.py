"""The real recording that lies beside the project (it is not ours to copy in), and how it is fed to a pipeline."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.cart_oracle import Row
from tests.support.pipeline import Pipeline
from tests.support.shop_events import event, line_subject
from todoke_scheduler.adapters.timers import next_due

RECORDING = Path(
    os.environ.get("TODOKE_TEST_RECORDING")
    or Path(__file__).parents[2].parent / "shared" / "data" / "taobao-user-behavior-10k.csv"
)
"""Alibaba's public "User Behavior" sample; TODOKE_TEST_RECORDING names another copy."""

STRETCH = 600
"""Seconds of arrivals that may be posted together: no timer that they start is due sooner than 3,000 s after them."""


def shop_event(row: Row) -> dict[str, Any]:
    """A row as the event that a shop would send. Written apart from `todoke replay`, which it helps to judge."""
    at = datetime.fromtimestamp(row.unix_seconds, UTC)
    event_id = f"{row.user_id}/{row.item_id}/{row.behavior}/{row.unix_seconds}"
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "pv": ("product.viewed", {"product": {"product_id": row.item_id}}),
        "fav": ("custom.favourited", {"product_id": row.item_id}),
        "cart": ("cart.item_added", {"item": {"product_id": row.item_id}}),
        "buy": ("order.placed", {"order_id": event_id, "items": [{"product_id": row.item_id}]}),
    }
    type_, data = kinds[row.behavior]
    return event(type_, line_subject(row.user_id), at, data, event_id=event_id)


async def feed(pipeline: Pipeline, arrivals: Sequence[tuple[int, Row]]) -> None:
    """Post each row when it arrives. What arrives between two timers is posted together: nothing happens in between."""
    index = 0
    while index < len(arrivals):
        first = arrivals[index][0]
        due = await next_due(pipeline.pool)
        until = min(first + STRETCH, int(due.timestamp())) if due else first + STRETCH
        if until < first:
            await pipeline.run_until(datetime.fromtimestamp(until, UTC))
            continue
        end = index
        while end < len(arrivals) and end - index < 1000 and arrivals[end][0] <= until:
            end += 1
        pipeline.clock.move_to(datetime.fromtimestamp(arrivals[end - 1][0], UTC))
        answer = await pipeline.post(*(shop_event(row) for _, row in arrivals[index:end]))
        assert answer.status == 202, answer
        index = end
