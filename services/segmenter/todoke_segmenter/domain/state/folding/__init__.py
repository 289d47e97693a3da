"""Which event changes what of a person. In any order of the events: the same state (docs/adr/0004).

A function per type gives the fields that change, and no others: a person's state may be large, an event touches little.
Each event is folded once; the inbox sees to that, and counters rely on it.
"""

from collections.abc import Callable, Iterable
from datetime import UTC
from functools import reduce
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from todoke_segmenter.domain.happening import LINK_CLICKED, POSTBACK, Happening
from todoke_segmenter.domain.state.folding import befriending, browsing, buying, telling
from todoke_segmenter.domain.state.folding.seen import Change, Seen, was_seen, was_told
from todoke_shared.contracts.ec_events import CAMPAIGN_REQUESTS
from todoke_shared.people.person import TOKYO, PersonState


def fold(state: PersonState, happening: Happening, zone: ZoneInfo = TOKYO) -> PersonState:
    """The state once it has seen what happened."""
    seen = Seen(happening, happening.at.astimezone(UTC), zone)
    change = _CHANGES.get(happening.type, was_seen)(state, seen)
    return replace(state, **change) if change else state


def fold_all(happenings: Iterable[Happening], zone: ZoneInfo = TOKYO) -> PersonState:
    """A person from their whole history."""
    return reduce(lambda state, happening: fold(state, happening, zone), happenings, PersonState())


_CHANGES: dict[str, Callable[[PersonState, Seen], Change]] = {
    "page.viewed": browsing.visited,
    "product.viewed": browsing.viewed,
    "products.searched": browsing.searched,
    "store.visited": browsing.came_to_store,
    "cart.updated": buying.cart_updated,
    "cart.item_added": buying.item_added,
    "cart.item_removed": buying.item_removed,
    "order.placed": buying.ordered,
    "order.refunded": buying.refunded,
    "customer.registered": telling.registered,
    "customer.updated": telling.customer_told,
    "customer.identified": was_told,
    "customer.unidentified": was_told,
    "points.changed": telling.points_changed,
    "points.expiring": telling.points_expiring,
    "subscription.started": telling.subscription,
    "subscription.renewed": telling.subscription,
    "subscription.cancelled": telling.subscription,
    POSTBACK: telling.tapped,
    **dict.fromkeys(CAMPAIGN_REQUESTS, telling.requested),
    LINK_CLICKED: browsing.clicked,
    "custom.survey.answered": telling.answered,
    "custom.coupon.issued": telling.coupon_issued,
    "custom.tag.added": telling.tagged,
    "custom.tag.removed": telling.tagged,
    "friend.imported": befriending.friend_imported,
    "line.follow": befriending.followed,
    "line.unfollow": befriending.unfollowed,
}
"""Any other event says that the person was seen."""
