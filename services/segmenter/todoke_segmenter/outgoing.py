"""Triggers as records, and as numbers."""

from collections.abc import Iterable

from todoke_segmenter.domain.segments import Change
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.kafka.records import Outgoing
from todoke_shared.telemetry import metrics


def outgoing(trigger: Trigger) -> Outgoing:
    """A trigger as the outbox takes it."""
    return Outgoing(CUSTOMER_TRIGGERS.name, str(trigger.person).encode(), trigger.to_json())


def count_changes(changes: Iterable[Change], triggers: Iterable[Trigger]) -> None:
    """Once they are committed."""
    for change in changes:
        metrics.SEGMENT_CHANGES.labels(change.segment, "entered" if change.entered else "left").inc()
    for trigger in triggers:
        metrics.TRIGGERS.labels(trigger.campaign, trigger.kind).inc()
