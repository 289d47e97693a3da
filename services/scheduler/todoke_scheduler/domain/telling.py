"""What a campaign tells the shop's other systems: an event about the person, in the vocabulary of docs/events.md."""

from todoke_scheduler.domain.effects import Publish
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.contracts.envelope import CloudEvent
from todoke_shared.ids import effect_id

COUPON_ISSUED = "custom.coupon.issued"


def event_of(run: Enrolment, told: Publish, subject: str) -> CloudEvent:
    """The event, about whom `subject` names. Its id is of the run and the step: told twice, it is one event."""
    return CloudEvent(
        specversion="1.0",
        id=str(effect_id(run.id, told.step)),
        source=f"todoke:campaign:{run.campaign}",
        type=told.type,
        time=told.due_at,
        subject=subject,
        shop=run.shop,
        data=dict(told.data),
    )
