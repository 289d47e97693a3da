"""What a step does that others notice."""

from datetime import datetime

from todoke_scheduler.domain.effects import Action, AssignCoupon, LinkRichMenu, Owed, Publish
from todoke_shared.campaigns.steps import Ask, Coupon, Emit, RichMenu, Send, Set, Step, Tag


def action_of(step: Step, position: int, due_at: datetime) -> Action:
    """The action of a step that has one. TypeError for one that only leads on."""
    match step:
        case Send():
            return Owed(step.send, f"{position}:{step.send}", due_at)
        case Ask():
            return Owed(step.message, f"{position}:{step.message}", due_at, question=step.ask)
        case Coupon():
            return AssignCoupon(step.coupon, f"{position}:{step.coupon}")
        case RichMenu():
            return LinkRichMenu(step.menu, f"{position}:{step.menu}")
        case Tag() | Set() | Emit():
            type_, data = _event(step)
            return Publish(type_, data, f"{position}:{type_}", due_at)
    raise TypeError(f"a step `{type(step).__name__}` does nothing that others notice")


def _event(step: Tag | Set | Emit) -> tuple[str, dict[str, object]]:
    """The event that says so, in the words of docs/events.md."""
    match step:
        case Tag():
            return ("custom.tag.added" if step.on else "custom.tag.removed"), {"tag": step.tag}
        case Set():
            return "customer.updated", dict(step.values)
        case Emit():
            return step.type, step.data
