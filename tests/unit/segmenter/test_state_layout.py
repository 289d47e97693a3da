"""What is stored of people, by the number that keeps an older release away from it (docs/adr/0021)."""

import msgspec

from todoke_segmenter.domain.identity import Identity
from todoke_shared.people import LAYOUT, PersonState

LAYOUTS = {
    1: {
        "Cart": "lines snapshot_at closed_at changed_at",
        "CartLine": "at quantity name price",
        "Coupon": "issued_at expires_at redeemed_at",
        "Day": "visits product_views searches clicks orders returns amount",
        "Friendship": "at friend",
        "Identity": "first links",
        "Link": "at by person leaves",
        "PersonState": "profile tags tags_at consents answers points expiring coupons subscriptions carts"
        " carts_closed_at friendships days before products stores first_seen_at last_seen_at first_order_at"
        " last_order_at last_visit_at last_return_at last_click_at registered_at",
        "ProductUse": "viewed bought last_viewed_at last_bought_at",
        "Register": "at value source",
        "StoreVisits": "last_visit_at days",
        "Subscription": "at value source renews_at",
    },
}
LAYOUTS[2] = LAYOUTS[1]  # the same fields, in another column (docs/adr/0032)
"""By number, the fields of each struct: add one beside the others, and never change one that was released."""


def test_what_is_stored_has_the_number_of_its_layout() -> None:
    """Whoever adds a field raises LAYOUT, so that a release that does not know the field stops, and drops nothing."""
    _, structs = msgspec.json.schema_components([PersonState, Identity])
    stored = {name: " ".join(struct["properties"]) for name, struct in structs.items()}
    assert stored == LAYOUTS[LAYOUT]
    assert max(LAYOUTS) == LAYOUT
