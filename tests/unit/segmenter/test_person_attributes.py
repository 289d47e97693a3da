"""What shops tell of a customer becomes attributes: the last word counts, what cannot be read costs nothing else."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.segmenter.happenings import START, added, at, line, shop
from todoke_segmenter.domain.state import fold_all, join, published_facts
from todoke_shared.people import PersonState, decode_state, encode_state
from todoke_shared.people.coupons import Coupon
from todoke_shared.people.days import Day
from todoke_shared.people.products import ProductUse
from todoke_shared.people.registers import Register, Subscription
from todoke_shared.people.stores import StoreVisits

TODAY = START.astimezone(ZoneInfo("Asia/Tokyo")).toordinal()


def told(seconds: float, type_: str = "customer.updated", source: str = "shop", **data: Any) -> PersonState:
    """A person of whom this alone is known."""
    return fold_all([shop(type_, seconds, data, source=source)])


def values(state: PersonState) -> dict[str, Any]:
    """The attributes by name."""
    return {name: register.value for name, register in state.profile.items()}


def test_the_last_word_on_an_attribute_counts_with_its_source() -> None:
    """Whichever arrives first; null says that it is known no longer; what is not told stays."""
    old, new = told(1, gender="male", city="京都"), told(5, source="crm", gender="female")
    for state in (join(old, new), join(new, old)):
        assert state.profile["gender"] == Register(at(5), "female", "crm")
        assert values(state) == {"gender": "female", "city": "京都"}
    assert values(join(told(1, gender="male"), told(2, gender=None))) == {"gender": None}


def test_whatever_a_shop_tells_is_an_attribute() -> None:
    """Under its own name, where a condition could ask for it; objects and lists of other things could not."""
    state = told(1, tier="gold", height=171.5, member=True, shoes=27, interests=["茶"], order_id="o", a={"b": 1}, c=[1])
    assert values(state) == {"tier": "gold", "height": 171.5, "member": True, "shoes": 27, "interests": ["茶"]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"birthday": "1990-02-29", "gender": "f"}, {"gender": "f"}),
        ({"birthday": 19900228, "gender": "f"}, {"gender": "f"}),
        ({"birthday": "1992-02-29"}, {"birthday": "1992-02-29"}),
        ({"birthday": None}, {"birthday": None}),
        ({"accepts_marketing": "perhaps", "city": "x"}, {"city": "x"}),
        ({"registered_at": "2020-01-01T09:00:00+09:00"}, {"registered_at": "2020-01-01T00:00:00+00:00"}),
        ({"registered_at": "2020"}, {}),
    ],
)
def test_what_cannot_be_read_is_left_out(data: dict[str, Any], expected: dict[str, Any]) -> None:
    """A birthday that no calendar has would break every age; it does not cost what was told beside it."""
    assert values(told(1, **data)) == expected


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("customer.updated", {"tags": 5, "consents": [], "points": "many", "birthday": {}, "registered_at": []}),
        ("points.changed", {"balance": {}}),
        ("points.expiring", {"expires_on": "soon", "points": None}),
        ("subscription.started", {"subscription_id": [], "renews_at": "soon", "next_on": 5}),
        ("order.placed", {"order_id": "o", "coupons": {"a": 1}}),
        ("custom.survey.answered", {"question": {}, "answer": {}}),
        ("custom.coupon.issued", {"code": None, "expires_at": 5}),
        ("custom.tag.added", {"tag": []}),
    ],
)
def test_an_event_that_was_good_stays_good(type_: str, data: dict[str, Any]) -> None:
    """Its fields are not what we would read: it is taken, and says that the person was seen."""
    state = told(1, type_, **data)
    assert state.last_seen_at == at(1)
    assert (state.profile, state.tags, state.consents, state.points, state.expiring) == ({}, {}, {}, None, {})
    assert (state.answers, state.coupons) == ({}, {})


def has(state: PersonState) -> set[str]:
    """The person's tags."""
    return {tag for tag, register in state.tags.items() if register.value is True}


def test_a_list_of_tags_is_all_of_them() -> None:
    """What is older than the list and not on it is the person's no more; what is newer stands."""
    assert has(join(told(1, tags=["a", "b"]), told(2, tags=["b", "c"]))) == {"b", "c"}
    assert has(join(told(2, tags=["b", "c"]), told(1, tags=["a", "b"]))) == {"b", "c"}
    vip, no_vip = told(3, "custom.tag.added", tag="vip"), told(4, "custom.tag.removed", tag="vip")
    assert has(join(told(2, tags=["b"]), vip)) == {"b", "vip"}
    assert has(join(join(told(2, tags=["b"]), vip), no_vip)) == {"b"}
    assert has(join(vip, told(5, tags=[]))) == set()


def test_consent_is_by_purpose() -> None:
    """`accepts_marketing` is the purpose marketing; the last word counts."""
    state = join(told(1, accepts_marketing=True, consents={"sms": True}), told(2, consents={"marketing": False}))
    assert {purpose: register.value for purpose, register in state.consents.items()} == {
        "marketing": False,
        "sms": True,
    }


def test_points_are_the_last_balance_told() -> None:
    """By an event of their own, by a customer's record, or beside what expires, under either name."""
    assert told(1, points=120).points == Register(at(1), 120, "shop")
    late = join(told(5, "points.changed", balance=820), told(3, points=700))
    assert late.points is not None
    assert late.points.value == 820
    state = told(1, "points.expiring", expires_on="2026-02-28", expiring=300, balance=820)
    assert state == told(1, "points.expiring", expires_on="2026-02-28", points=300, balance=820)
    assert state.expiring == {"2026-02-28": Register(at(1), 300, "shop")}


def test_a_coupon_is_redeemed_by_the_order_that_names_it() -> None:
    """Even where the order is told before the coupon is."""
    issued = told(1, "custom.coupon.issued", code="C-1", expires_at="2026-03-01T00:00:00+09:00")
    used = told(9, "order.placed", order_id="o", coupons=["C-1"])
    coupon = Coupon(at(1), datetime(2026, 2, 28, 15, tzinfo=UTC), at(9))
    assert join(issued, used).coupons == join(used, issued).coupons == {"C-1": coupon}


def test_a_subscription_is_active_until_it_is_cancelled() -> None:
    """It goes on at an instant, or at the start of the shop's day."""
    started = told(1, "subscription.started", subscription_id="s", next_on="2026-03-05")
    goes_on = datetime(2026, 3, 4, 15, tzinfo=UTC)
    assert started.subscriptions == {"s": Subscription(at(1), "active", "shop", goes_on)}
    over = told(2, "subscription.cancelled", subscription_id="s")
    assert join(over, started).subscriptions == {"s": Subscription(at(2), "cancelled", "shop")}


def test_days_are_the_shops_own() -> None:
    """Half past midnight in Tokyo is the evening before in London; a visit is a day, a view is a view."""
    midnight = datetime(2026, 2, 3, 15, 30, tzinfo=UTC)
    view = {"product": {"product_id": "tea"}}
    seconds = [0, 1, (midnight - START).total_seconds()]
    state = fold_all([shop("product.viewed", second, view) for second in seconds])
    assert state.days == {TODAY: Day(visits=1, product_views=2), TODAY + 1: Day(visits=1, product_views=1)}
    assert state.products == {"tea": ProductUse({TODAY: 2, TODAY + 1: 1}, {}, midnight, None)}
    in_london = fold_all([shop("product.viewed", second, view) for second in seconds], ZoneInfo("Europe/London"))
    assert in_london.days == {TODAY: Day(visits=1, product_views=3)}


def test_every_kind_of_event_counts_for_what_it_is() -> None:
    """Visits, views, searches, clicks, orders with their money, returns; each with its last time."""
    state = fold_all(
        [
            shop("store.visited", 1),
            shop("products.searched", 2),
            shop("custom.link.clicked", 3),
            shop(
                "order.placed", 4, {"order_id": "1", "amount": 1980.55, "items": [{"product_id": "tea", "quantity": 9}]}
            ),
            shop("order.placed", 5, {"order_id": "2"}),
            shop("order.refunded", 6, {"order_id": "1"}),
            line("message", 7),
        ]
    )
    assert state.days == {TODAY: Day(visits=1, searches=1, clicks=1, orders=2, returns=1, amount=198_055)}
    assert state.products == {"tea": ProductUse({}, {TODAY: 1}, None, at(4))}
    assert (state.last_visit_at, state.last_click_at, state.last_return_at) == (at(2), at(3), at(6))
    assert (state.first_order_at, state.last_order_at) == (at(4), at(5))
    assert (state.first_seen_at, state.last_seen_at) == (at(1), at(7))


def test_when_somebody_registered_is_the_earliest_that_was_told() -> None:
    """By the event, or by the shop's own date."""
    assert told(5, "customer.registered").registered_at == at(5)
    early = told(5, "customer.registered", registered_at="2020-01-01T00:00:00Z")
    assert early.registered_at == datetime(2020, 1, 1, tzinfo=UTC)
    assert told(5, birthday="1990-01-01").registered_at is None


def cart(*events: tuple[str, float, dict[str, Any]]) -> list[str]:
    """The products of the cart that others see."""
    state = fold_all([shop(type_, seconds, data) for type_, seconds, data in events])
    return [item["product_id"] for item in published_facts(state)["cart"]]


def put(seconds: float, product: str, cart_id: str) -> tuple[str, float, dict[str, Any]]:
    """A product put into a cart that has an id."""
    return "cart.item_added", seconds, {"cart_id": cart_id, "item": {"product_id": product}}


def order(seconds: float, **more: Any) -> tuple[str, float, dict[str, Any]]:
    """An order."""
    return "order.placed", seconds, {"order_id": "o", **more}


def test_the_cart_is_the_open_one_that_was_changed_last() -> None:
    """A phone's and a computer's are two carts; the one just filled, or just emptied, is meant."""
    assert cart(put(1, "tea", "phone"), put(2, "cup", "desk")) == ["cup"]
    assert cart(put(2, "cup", "desk"), put(1, "tea", "phone"), put(3, "pot", "phone")) == ["tea", "pot"]
    emptied = ("cart.updated", 3, {"cart_id": "desk", "items": []})
    assert cart(put(1, "tea", "phone"), put(2, "cup", "desk"), emptied) == []
    assert cart(put(2, "tea", "phone"), put(2, "cup", "desk")) == ["cup", "tea"]


def test_an_order_closes_its_cart_or_all_of_them() -> None:
    """One that names a cart leaves the person's other one open; one that names none closes all, told late or not."""
    two = (put(1, "tea", "phone"), put(2, "cup", "desk"))
    assert cart(*two, order(3, cart_id="desk")) == ["tea"]
    assert cart(order(3, cart_id="desk"), *two) == ["tea"]
    assert cart(*two, order(3)) == cart(order(3), *two) == []
    assert cart(order(3), *two, put(4, "pot", "phone")) == ["pot"]


def test_closed_carts_leave_nothing_behind() -> None:
    """An order for all carts makes as if they had never been, and they stay closed."""
    seen = [
        shop(type_, seconds, data) for type_, seconds, data in (put(1, "tea", "phone"), put(2, "cup", "desk"), order(3))
    ]
    assert fold_all(seen).carts == fold_all(reversed(seen)).carts == {}


def test_an_order_with_a_cart_closes_the_cart_without_a_name() -> None:
    """A producer that names carts only in orders had one cart."""
    state = fold_all([added(1, "tea"), shop("order.placed", 2, {"order_id": "o", "cart_id": "c"})])
    assert state.cart.items() == []


OLD = (
    '{"cart": {"lines": {"tea": {"at": "2026-02-03T09:00:01Z", "quantity": 2, "name": "茶"}},'
    ' "closed_at": "2026-02-02T00:00:00Z", "changed_at": "2026-02-03T18:00:01+09:00"},'
    ' "friendships": {"main:U1": {"at": "2026-02-01T00:00:00Z", "friend": true}},'
    ' "first_order_at": "2026-02-02T00:00:00Z", "last_order_at": "2026-02-02T00:00:00Z",'
    ' "last_seen_at": "2026-02-03T18:00:01+09:00"}'
)


def test_a_state_of_the_first_release_is_read() -> None:
    """Its one cart is the cart without an id; nothing else is lost, and an order still closes it."""
    state = decode_state(OLD)
    assert [(product, line_.quantity) for product, line_ in state.cart.items()] == [("tea", 2)]
    assert state.is_friend("main") is True
    assert state.last_seen_at == at(1)
    assert decode_state(encode_state(state)) == state
    bought = join(state, fold_all([shop("order.placed", 2, {"order_id": "o", "cart_id": "c"})]))
    assert bought.cart.items() == []


def test_an_attribute_called_cart_is_no_cart() -> None:
    """Whatever a shop names its fields."""
    state = told(1, cart="full", carts="many")
    assert decode_state(encode_state(state)) == state
    assert decode_state("{}") == PersonState()


def test_a_prefecture_is_one_however_it_is_told() -> None:
    """As conditions write it; what is no prefecture stays as it was told, and null says that none is known."""
    tellings = ["東京", "東京都", "Tokyo", "tokyo-to", "ＴＯＫＹＯ", "JP-13", "13", 13]
    told = [fold_all([shop("customer.updated", 1, {"prefecture": one})]) for one in tellings]
    assert {state.profile["prefecture"].value for state in told} == {"東京都"}
    for odd in ("Nevada", "東京県", "", 99, True, ["東京"], None):
        state = fold_all([shop("customer.updated", 1, {"prefecture": odd})])
        assert state.profile["prefecture"].value == odd


def test_a_visit_to_a_store_is_a_visit_and_the_stores() -> None:
    """Once a day however often; without a store's id it is a visit alone; two people's visits are one's."""
    visits = [shop("store.visited", n, {"store_id": "kyoto"}) for n in (1, 2, 3)]
    other = [shop("store.visited", 4, {"store_id": "kyoto"}), shop("store.visited", 5, {"store_id": 7})]
    unnamed = shop("store.visited", 6, {"by": "beacon"})
    state = join(fold_all(visits), fold_all([*other, unnamed]))
    assert state.stores == {
        "kyoto": StoreVisits(at(4), {TODAY: 1}),
        "7": StoreVisits(at(5), {TODAY: 1}),
    }
    assert (state.days[TODAY].visits, state.last_visit_at) == (1, at(6))
    assert decode_state(encode_state(state)) == state
