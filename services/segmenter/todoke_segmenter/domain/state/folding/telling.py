"""What a shop tells of its customers, or they of themselves."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from todoke_segmenter.domain.state import profile
from todoke_segmenter.domain.state.folding.seen import Change, Seen, was_seen, was_told
from todoke_segmenter.domain.state.joining import newer_points
from todoke_shared.contracts.ec_events import (
    CouponIssued,
    CustomerTold,
    PointsChanged,
    PointsExpiring,
    SubscriptionTold,
    SurveyAnswered,
    TagTold,
)
from todoke_shared.people import coupons, registers, tags
from todoke_shared.people.coupons import Coupon
from todoke_shared.people.instants import earliest, latest
from todoke_shared.people.person import (
    MAX_ANSWERS,
    MAX_ATTRIBUTES,
    MAX_CONSENTS,
    MAX_EXPIRIES,
    MAX_SUBSCRIPTIONS,
    PersonState,
)
from todoke_shared.people.registers import Register, Subscription


def customer_told(state: PersonState, seen: Seen) -> Change:
    """customer.updated: attributes, consents, tags, the balance of points."""
    data, at, source = seen.happening.data, seen.at, seen.source
    assert isinstance(data, CustomerTold)  # noqa: S101
    change = was_told(state, seen)
    if told := profile.attributes(data, seen.happening.raw, at, source):
        change["profile"] = registers.put(state.profile, told, MAX_ATTRIBUTES)
    if agreed := profile.consents(data, at, source):
        change["consents"] = registers.put(state.consents, agreed, MAX_CONSENTS)
    if data.tags is not None:
        whole_at = latest(state.tags_at, at)
        change |= {"tags_at": whole_at, "tags": tags.told(state.tags, whole_at, data.tags, at, source)}
    if data.registered_at is not None:
        change["registered_at"] = earliest(state.registered_at, data.registered_at.astimezone(UTC))
    return change | _balance(state, seen, data.points)


def registered(state: PersonState, seen: Seen) -> Change:
    """customer.registered: the same, and since when they are a member."""
    change = customer_told(state, seen)
    return change | {"registered_at": earliest(change.get("registered_at", state.registered_at), seen.at)}


def points_changed(state: PersonState, seen: Seen) -> Change:
    """points.changed: the balance."""
    data = seen.happening.data
    assert isinstance(data, PointsChanged)  # noqa: S101
    return was_seen(state, seen) | _balance(state, seen, data.balance)


def points_expiring(state: PersonState, seen: Seen) -> Change:
    """points.expiring: how many run out on a day."""
    data = seen.happening.data
    assert isinstance(data, PointsExpiring)  # noqa: S101
    change = was_seen(state, seen) | _balance(state, seen, data.balance)
    points = data.expiring if data.points is None else data.points
    if data.expires_on is not None and points is not None:
        told = {data.expires_on: Register(seen.at, points, seen.source)}
        change["expiring"] = registers.put(state.expiring, told, MAX_EXPIRIES)
    return change


def subscription(state: PersonState, seen: Seen) -> Change:
    """subscription.*: whether it goes on, and when."""
    data = seen.happening.data
    assert isinstance(data, SubscriptionTold)  # noqa: S101
    is_over = seen.happening.type == "subscription.cancelled"
    renews_at = None if is_over else _renewal(data, seen.zone)
    told = Subscription(seen.at, "cancelled" if is_over else "active", seen.source, renews_at)
    known = registers.put(state.subscriptions, {data.subscription_id or "": told}, MAX_SUBSCRIPTIONS)
    return {**was_seen(state, seen), "subscriptions": known}


def answered(state: PersonState, seen: Seen) -> Change:
    """custom.survey.answered: the last answer to a question."""
    data, change = seen.happening.data, was_seen(state, seen)
    assert isinstance(data, SurveyAnswered)  # noqa: S101
    answer = seen.happening.raw.get("answer")
    if data.question is not None and answer is not None and profile.is_value(answer):
        told = {data.question[: profile.LONGEST_NAME]: Register(seen.at, profile.cut(answer), seen.source)}
        change["answers"] = registers.put(state.answers, told, MAX_ANSWERS)
    return change


def tapped(state: PersonState, seen: Seen) -> Change:
    """line.postback: a button that is an answer's says which question it answers, and with what."""
    change, tap = was_seen(state, seen), seen.happening.tapped
    if tap is not None:
        told = {tap.question: Register(seen.at, tap.answer, seen.source)}
        change["answers"] = registers.put(state.answers, told, MAX_ANSWERS)
    return change


def requested(state: PersonState, seen: Seen) -> Change:  # noqa: ARG001 - as all that fold
    """campaign.start_requested, campaign.stop_requested: somebody else's wish says nothing of the person."""
    return {}


def coupon_issued(state: PersonState, seen: Seen) -> Change:
    """custom.coupon.issued: a coupon held."""
    data, change = seen.happening.data, was_seen(state, seen)
    assert isinstance(data, CouponIssued)  # noqa: S101
    if data.code is not None:
        expires_at = None if data.expires_at is None else data.expires_at.astimezone(UTC)
        change["coupons"] = coupons.join(state.coupons, {data.code: Coupon(seen.at, expires_at)})
    return change


def tagged(state: PersonState, seen: Seen) -> Change:
    """custom.tag.added, custom.tag.removed: one tag."""
    data, change = seen.happening.data, was_seen(state, seen)
    assert isinstance(data, TagTold)  # noqa: S101
    if data.tag is not None:
        told = Register(seen.at, seen.happening.type == "custom.tag.added", seen.source)
        change["tags"] = tags.set_some(state.tags, state.tags_at, {data.tag: told})
    return change


def _balance(state: PersonState, seen: Seen, balance: int | None) -> Change:
    if balance is None:
        return {}
    return {"points": newer_points(state.points, Register(seen.at, balance, seen.source))}


def _renewal(data: SubscriptionTold, zone: ZoneInfo) -> datetime | None:
    if data.renews_at is not None:
        return data.renews_at.astimezone(UTC)
    if data.next_on is None:
        return None
    return datetime.combine(date.fromisoformat(data.next_on), time(), zone).astimezone(UTC)
