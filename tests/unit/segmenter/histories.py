"""Histories for property tests: every type of event that has a meaning for a person, in few instants and few names.

So few that much happens in one instant, to one product, by two sources, and each tie has to be broken.
"""

from typing import Any

from hypothesis import strategies as st

from tests.unit.segmenter.happenings import USER, added, imported, line, ordered, removed, shop, snapshot
from todoke_segmenter.domain.happening import Happening

HOURS = 3600
seconds = st.sampled_from([0, 1, 2, 20 * HOURS, 20 * HOURS + 1, 500 * 24 * HOURS])
products = st.sampled_from(["tea", "coffee", "cup"])
cart_ids = st.sampled_from([{}, {"cart_id": "c1"}, {"cart_id": "c2"}])
texts = st.sampled_from(["x", "京都府", ""])
told_values = st.sampled_from(["f", 3, 2.5, True, None, ["tea", "cup"], [], {"not": "a value"}, ["text", 1]])
DATES = ["2026-02-28", "2026-03-31", "2026-02-30", 20260228, None]
_MOMENT = "2026-03-01T00:00:00+09:00"


def _with(type_: str, at: float, data: dict[str, Any], more: dict[str, Any], history: bool = False) -> Happening:
    return shop(type_, at, {**data, **more}, history=history)


customers = st.fixed_dictionaries(
    {},
    optional={
        "gender": told_values,
        "nickname": told_values,
        "birthday": st.sampled_from(DATES),
        "accepts_marketing": st.sampled_from([True, False, "perhaps", None]),
        "points": st.sampled_from([10, "20", "many", None]),
        "tags": st.sampled_from([["a"], ["b", "a"], [], "a", ["a", 5]]),
        "consents": st.sampled_from([{"sms": True}, {"sms": False, "post": True}, "all", {"sms": 1}]),
        "registered_at": st.sampled_from([_MOMENT, "2020-01-01T00:00:00Z", "long ago", None]),
    },
)
orders = st.fixed_dictionaries(
    {"order_id": st.just("o")},
    optional={
        "amount": st.sampled_from([0, 980, 1980.55, 1e300]),
        "items": st.lists(products.map(lambda product: {"product_id": product, "quantity": 2}), max_size=3),
        "coupons": st.sampled_from([["C1"], ["C1", "C2"], "C1", [7]]),
        "cart_id": st.sampled_from(["c1", "c2"]),
    },
)
cart_events = st.one_of(
    st.builds(
        lambda at, product, quantity, cart: _with(
            "cart.item_added", at, {"item": {"product_id": product, "quantity": quantity, "price": 980}}, cart
        ),
        seconds,
        products,
        st.integers(1, 3),
        cart_ids,
    ),
    st.builds(lambda at, p, cart: _with("cart.item_removed", at, {"product_id": p}, cart), seconds, products, cart_ids),
    st.builds(
        lambda at, found, cart: _with("cart.updated", at, {"items": [{"product_id": p} for p in found]}, cart),
        seconds,
        st.lists(products, unique=True),
        cart_ids,
    ),
    st.builds(lambda at, data: shop("order.placed", at, data), seconds, orders),
)
without_carts = st.one_of(
    st.builds(
        shop, st.sampled_from(["page.viewed", "products.searched", "store.visited", "checkout.started"]), seconds
    ),
    st.builds(
        lambda at, store: shop("store.visited", at, {"store_id": store}),
        seconds,
        st.sampled_from(["kyoto", "uji", 7, None]),
    ),
    st.builds(shop, st.sampled_from(["order.refunded", "custom.link.clicked", "custom.favourited"]), seconds),
    st.builds(lambda at, p: shop("product.viewed", at, {"product": {"product_id": p}}), seconds, products),
    st.builds(
        shop,
        st.sampled_from(["customer.registered", "customer.updated"]),
        seconds,
        customers,
        history=st.booleans(),
        source=st.sampled_from(["shop", "crm"]),
    ),
    st.builds(shop, st.just("customer.updated"), seconds, history=st.booleans()),
    st.builds(
        lambda at, balance: shop("points.changed", at, {"balance": balance}), seconds, st.sampled_from([1, 2, "x"])
    ),
    st.builds(
        lambda at, day, points: shop("points.expiring", at, {"expires_on": day, "expiring": points, "balance": 5}),
        seconds,
        st.sampled_from(DATES),
        st.sampled_from([30, 40, None]),
    ),
    st.builds(
        lambda type_, at, id_, more: shop(f"subscription.{type_}", at, {"subscription_id": id_, **more}),
        st.sampled_from(["started", "renewed", "cancelled"]),
        seconds,
        st.sampled_from(["s1", 5, None]),
        st.sampled_from([{}, {"next_on": "2026-03-05"}, {"renews_at": _MOMENT}, {"next_on": "soon"}]),
    ),
    st.builds(
        lambda at, q, answer: shop("custom.survey.answered", at, {"question": q, "answer": answer}),
        seconds,
        texts,
        told_values,
    ),
    st.builds(
        lambda at, data, account: line("postback", at, account=account, postback={"data": data}),
        seconds,
        st.sampled_from(["todoke:ask:care:x:はい", "todoke:ask:care:x:いいえ", "todoke:ask:gift:x:はい", "menu=1"]),
        st.sampled_from(["main", "second"]),
    ),
    st.builds(lambda at: shop("campaign.start_requested", at, {"campaign": "care"}), seconds),
    st.builds(
        lambda at, code: shop("custom.coupon.issued", at, {"code": code, "expires_at": _MOMENT}),
        seconds,
        st.sampled_from(["C1", "C2", None]),
    ),
    st.builds(
        lambda kind, at, tag: shop(f"custom.tag.{kind}", at, {"tag": tag}),
        st.sampled_from(["added", "removed"]),
        seconds,
        st.sampled_from(["a", "c", None]),
    ),
    st.builds(imported, seconds, friend=st.booleans(), user=st.sampled_from([USER, "U" + "0" * 32])),
    st.builds(
        line,
        st.sampled_from(["follow", "unfollow", "message"]),
        seconds,
        account=st.sampled_from(["main", "second"]),
        user=st.sampled_from([USER, "U" + "0" * 32]),
    ),
)
happenings = st.one_of(cart_events, without_carts, without_carts)
histories = st.lists(happenings, max_size=14)

# Of one cart without an id, as `cart_by_the_book` knows it.
few = st.integers(0, 6)
one_cart = st.one_of(
    st.builds(added, few, products, st.integers(1, 3), name=st.sampled_from([None, "茶", "珈琲"]), price=st.none()),
    st.builds(added, few, products, st.just(1), price=st.sampled_from([0, 980, 1980.5])),
    st.builds(removed, few, products),
    st.builds(lambda at_, found: snapshot(at_, *found), few, st.lists(products, unique=True)),
    st.builds(ordered, few),
)
