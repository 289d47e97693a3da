"""Triggers as records, and as numbers."""

from collections import Counter
from collections.abc import Iterable

from todoke_segmenter.domain.segments import Change, is_hidden
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import MadeTrigger
from todoke_shared.kafka.records import Outgoing
from todoke_shared.telemetry import metrics


def outgoing(trigger: MadeTrigger) -> Outgoing:
    """A trigger as the outbox takes it."""
    return Outgoing(CUSTOMER_TRIGGERS.name, str(trigger.person).encode(), trigger.to_json())


def count_changes(changes: Iterable[Change], triggers: Iterable[MadeTrigger]) -> None:
    """Once they are committed. What a campaign asks for its own entries is no segment of the shop's."""
    shown = ((change.segment, change.entered) for change in changes if not is_hidden(change.segment))
    for (segment, entered), number in Counter(shown).items():
        metrics.SEGMENT_CHANGES.labels(segment, "entered" if entered else "left").inc(number)
    for (campaign, kind), number in Counter((trigger.campaign, trigger.kind) for trigger in triggers).items():
        metrics.TRIGGERS.labels(campaign, kind).inc(number)
