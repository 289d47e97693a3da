"""Whether a due delivery, or group of them, goes out: is it still worth sending, then may its channel send it now."""

from dataclasses import dataclass, replace
from datetime import datetime

from todoke_dispatcher.domain.conclude import Sent, stand_still
from todoke_dispatcher.domain.delivery import Delivery, Event
from todoke_dispatcher.domain.multicast import Multicast
from todoke_dispatcher.domain.quota import QuotaBook
from todoke_shared.contracts.requests import Lane


@dataclass(frozen=True, slots=True)
class Channel:
    """A LINE account as the decision sees it. `stopped`: why LINE takes nothing from it, or None."""

    account: str
    stopped: str | None = None


def worth_sending(
    delivery: Delivery, *, now: datetime, wall: datetime, has_blocked: bool, is_recalled: bool = False
) -> Delivery | None:
    """The delivery as it ends without being sent, or None when it is still worth sending.

    `now` is the shop's time, for what a campaign calls expired; `wall` is LINE's, for the life of its retry key.
    A message that LINE may have is neither dropped nor expired: only LINE knows (RELIABILITY: dispatcher).
    """
    if delivery.ambiguous:
        return _end(delivery, Event.GIVE_UP, _key_over(delivery)) if delivery.key_is_over(wall) else None
    reason = useless(delivery.request.expires_at, now=now, has_blocked=has_blocked, is_recalled=is_recalled)
    return _end(delivery, Event.DROP, reason) if reason else None


def useless(expires_at: datetime | None, *, now: datetime, has_blocked: bool, is_recalled: bool = False) -> str | None:
    """Why a message that LINE cannot have is not worth sending by the shop's time `now`, or None when it is."""
    if is_recalled:
        return "cancelled"
    if expires_at is not None and expires_at < now:
        return "expired"
    return "blocked" if has_blocked else None


def worth_asking(multicast: Multicast, *, now: datetime, wall: datetime, is_recalled: bool = False) -> Multicast | None:
    """The group as it ends without being sent, or None when it is still worth sending as it is.

    With a member that has expired, or is no longer wanted, it is dissolved, and each is decided on for itself. Who has
    blocked the account since the group was formed stays: LINE delivers and counts nothing for them.
    """
    if multicast.ambiguous:
        return _end(multicast, Event.GIVE_UP, _key_over(multicast)) if multicast.key_is_over(wall) else None
    reason = useless(multicast.expires_at, now=now, has_blocked=False, is_recalled=is_recalled)
    return _end(multicast, Event.DROP, reason) if reason else None


def cannot_render(delivery: Delivery, reason: str) -> Delivery:
    """The delivery, failed for its own content's sake."""
    return _end(delivery, Event.FAIL, reason)


def must_stand(delivery: Delivery, channel: Channel, book: QuotaBook, *, wall: datetime) -> Delivery | None:
    """The delivery as it waits for its channel, or None when it may go out now."""
    return _must_stand(delivery, channel, book, wall, lane=delivery.lane, messages=1)


def group_must_stand(multicast: Multicast, channel: Channel, book: QuotaBook, *, wall: datetime) -> Multicast | None:
    """The group as it waits for its channel, or as it is dissolved because of it, or None when it may go out now."""
    return _must_stand(multicast, channel, book, wall, lane="marketing", messages=multicast.size)


def _must_stand(  # noqa: PLR0913 - the whole of a decision
    sent: Sent, channel: Channel, book: QuotaBook, wall: datetime, *, lane: Lane, messages: int
) -> Sent | None:
    if (stands := must_stand_by(sent, channel, wall=wall)) is not None:
        return stands
    reason = book.refuses(sent, lane, messages)
    return stand_still(sent, wall, reason) if reason else None


def must_stand_by(sent: Sent, channel: Channel, *, wall: datetime) -> Sent | None:
    """The same for what costs nothing of the month: only a channel that is stopped holds it."""
    if channel.stopped is None:
        return None
    return stand_still(sent, wall, f"channel stopped: {channel.stopped}")


def _key_over(sent: Delivery | Multicast) -> str:
    last = sent.reason or "its dispatcher ended before there was an answer"
    return f"LINE may have it, and its retry key's life is over: an operator decides. Last: {last}"


def _end(sent: Sent, event: Event, reason: str) -> Sent:
    # What LINE may have stays counted: the month's ledger is never below LINE's own.
    quota_month = sent.quota_month if event is Event.GIVE_UP else None
    return replace(sent, state=sent.apply(event), reason=reason, quota_month=quota_month, next_attempt_at=None)
