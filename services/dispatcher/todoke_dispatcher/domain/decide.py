"""Whether a due delivery goes out: first is it still worth sending, then may its channel send it now."""

from dataclasses import dataclass, replace
from datetime import datetime

from todoke_dispatcher.domain.conclude import stand_still
from todoke_dispatcher.domain.delivery import Delivery, Event
from todoke_dispatcher.domain.quota import QuotaBook


@dataclass(frozen=True, slots=True)
class Channel:
    """A LINE account as the decision sees it. `stopped`: why LINE takes nothing from it, or None."""

    account: str
    stopped: str | None = None


def worth_sending(delivery: Delivery, *, now: datetime, wall: datetime, has_blocked: bool) -> Delivery | None:
    """The delivery as it ends without being sent, or None when it is still worth sending.

    `now` is the shop's time, for what a campaign calls expired; `wall` is LINE's, for the life of its retry key.
    A message that LINE may have is neither dropped nor expired: only LINE knows (RELIABILITY: dispatcher).
    """
    if delivery.ambiguous:
        if not delivery.key_is_over(wall):
            return None
        return _end(delivery, Event.GIVE_UP, "LINE may have it, and its retry key's life is over: an operator decides")
    expires_at = delivery.request.expires_at
    if expires_at is not None and expires_at < now:
        return _end(delivery, Event.DROP, "expired")
    if has_blocked:
        return _end(delivery, Event.DROP, "blocked")
    return None


def cannot_render(delivery: Delivery, reason: str) -> Delivery:
    """The delivery, failed for its own content's sake."""
    return _end(delivery, Event.FAIL, reason)


def must_stand(delivery: Delivery, channel: Channel, book: QuotaBook, *, wall: datetime) -> Delivery | None:
    """The delivery as it waits for its channel, or None when it may go out now."""
    if (stands := must_stand_by(delivery, channel, wall=wall)) is not None:
        return stands
    if book.parks(delivery.lane) or not (book.holds(delivery) or book.admits(delivery.lane)):
        return stand_still(delivery, wall, "monthly limit")
    return None


def must_stand_by(delivery: Delivery, channel: Channel, *, wall: datetime) -> Delivery | None:
    """The same for what costs nothing of the month: only a channel that is stopped holds it."""
    if channel.stopped is None:
        return None
    return stand_still(delivery, wall, f"channel stopped: {channel.stopped}")


def _end(delivery: Delivery, event: Event, reason: str) -> Delivery:
    # What LINE may have stays counted: the month's ledger is never below LINE's own.
    quota_month = delivery.quota_month if event is Event.GIVE_UP else None
    return replace(delivery, state=delivery.apply(event), reason=reason, quota_month=quota_month, next_attempt_at=None)
