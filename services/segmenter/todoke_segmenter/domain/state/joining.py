"""Two people who turn out to be one: registers, sets, firsts and lasts are joined, and what was counted is added.

No event is counted in both: each was folded into one of them, once.
"""

from msgspec.structs import replace

from todoke_shared.people import carts, coupons, days, products, registers, stores, tags
from todoke_shared.people.instants import earliest, latest
from todoke_shared.people.person import (
    MAX_ANSWERS,
    MAX_ATTRIBUTES,
    MAX_CONSENTS,
    MAX_EXPIRIES,
    MAX_SUBSCRIPTIONS,
    Friendship,
    PersonState,
)
from todoke_shared.people.registers import Register


def join(a: PersonState, b: PersonState) -> PersonState:
    """The person who did what either did and of whom is known what is known of either."""
    closed_at = latest(a.carts_closed_at, b.carts_closed_at)
    by_day, before = days.join(a.days, a.before, b.days, b.before)
    return PersonState(
        profile=registers.put(a.profile, b.profile, MAX_ATTRIBUTES),
        tags=tags.join(a.tags, a.tags_at, b.tags, b.tags_at),
        tags_at=latest(a.tags_at, b.tags_at),
        consents=registers.put(a.consents, b.consents, MAX_CONSENTS),
        answers=registers.put(a.answers, b.answers, MAX_ANSWERS),
        points=newer_points(a.points, b.points),
        expiring=registers.put(a.expiring, b.expiring, MAX_EXPIRIES),
        coupons=coupons.join(a.coupons, b.coupons),
        subscriptions=registers.put(a.subscriptions, b.subscriptions, MAX_SUBSCRIPTIONS),
        carts=carts.join_all(a.carts, b.carts, closed_at),
        carts_closed_at=closed_at,
        friendships=join_friendships(a.friendships, b.friendships),
        days=by_day,
        before=before,
        products=products.join(a.products, b.products),
        stores=stores.join(a.stores, b.stores),
        first_seen_at=earliest(a.first_seen_at, b.first_seen_at),
        last_seen_at=latest(a.last_seen_at, b.last_seen_at),
        first_order_at=earliest(a.first_order_at, b.first_order_at),
        last_order_at=latest(a.last_order_at, b.last_order_at),
        last_visit_at=latest(a.last_visit_at, b.last_visit_at),
        last_return_at=latest(a.last_return_at, b.last_return_at),
        last_click_at=latest(a.last_click_at, b.last_click_at),
        registered_at=earliest(a.registered_at, b.registered_at),
    )


def newer_points(a: Register | None, b: Register | None) -> Register | None:
    """The balance told last."""
    return a or b if a is None or b is None else registers.newer(a, b)


def join_friendships(a: dict[str, Friendship], b: dict[str, Friendship]) -> dict[str, Friendship]:
    """Each LINE user's own last word; the very same dict where `b` says nothing new."""
    # In one instant, "no friend" wins: a message too few is better than one to somebody who has left.
    news = {key: told for key, told in b.items() if key not in a or _rank(told) > _rank(a[key])}
    return {**a, **news} if news else a


def hand_over(giver: PersonState, taker: PersonState, user: str) -> tuple[PersonState, PersonState]:
    """Both once the LINE user `account:userId` is the taker's: its friendships go along, all else stays."""
    status = giver.friendships.get(user)
    if status is None:
        return giver, taker
    left = {key: known for key, known in giver.friendships.items() if key != user}
    gained = join_friendships(taker.friendships, {user: status})
    return replace(giver, friendships=left), replace(taker, friendships=gained)


def _rank(status: Friendship) -> tuple[object, bool]:
    return status.at, not status.friend
