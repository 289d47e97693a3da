"""A person's state is a join: order and repetition of what happened are of no consequence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.segmenter.happenings import START, USER, added, at, imported, line, ordered, removed, shop, snapshot
from tests.unit.segmenter.histories import histories, one_cart
from todoke_segmenter.domain.happening import Happening, from_ec_event, from_line_event
from todoke_segmenter.domain.state import fold_all, join, published_facts
from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.errors import BadMessageError
from todoke_shared.people import PersonState, decode_state, encode_state
from todoke_shared.people.carts import MAX_LINES

states = histories.map(fold_all)


def in_cart(*history: Happening) -> list[tuple[str, int]]:
    """What lies in the cart after a history: product and quantity, oldest first."""
    return [(product, line_.quantity) for product, line_ in fold_all(list(history)).cart.items()]


@given(states, states, states)
def test_joining_people_knows_no_order(a: PersonState, b: PersonState, c: PersonState) -> None:
    """Commutative, associative, and a stranger adds nothing."""
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, PersonState()) == join(PersonState(), a) == a


@given(histories, st.randoms(use_true_random=False))
def test_late_events_give_the_same_person(history: list[Happening], chance: Any) -> None:
    """Shuffled: the state is that of the history in order. (That each is folded once is the inbox's work.)"""
    arrived = list(history)
    chance.shuffle(arrived)
    assert fold_all(arrived) == fold_all(sorted(history, key=lambda h: h.at))


@given(histories, histories)
def test_linking_two_people_is_having_known_them_as_one(visitor: list[Happening], member: list[Happening]) -> None:
    """What the visitor did before the login counts as the member's."""
    assert join(fold_all(visitor), fold_all(member)) == fold_all(visitor + member)


@given(states)
def test_a_person_survives_being_stored(state: PersonState) -> None:
    """PostgreSQL gives back what it was given."""
    assert decode_state(encode_state(state)) == state


def cart_by_the_book(history: list[Happening]) -> dict[str, int]:
    """The cart by looking through the whole history for each product, with no state kept at all.

    The last word on a product counts (in one instant, the larger quantity), where a snapshot later than every such word
    says that the product is gone, and nothing said up to an order outlives it.
    """
    words: dict[str, list[tuple[Any, int]]] = {}
    for happening in history:
        for product, quantity in _words(happening):
            words.setdefault(product, []).append((happening.at, quantity))
    snapshots = [happening.at for happening in history if happening.type == "cart.updated"]
    orders = [happening.at for happening in history if happening.type == "order.placed"]
    cart = {}
    for product, said in words.items():
        instant, quantity = max(said)
        if quantity and not any(other > instant for other in snapshots) and not any(o >= instant for o in orders):
            cart[product] = quantity
    return cart


def _words(happening: Happening) -> list[tuple[str, int]]:
    match happening.type:
        case "cart.item_added":
            return [(happening.raw["item"]["product_id"], happening.raw["item"]["quantity"])]
        case "cart.item_removed":
            return [(happening.raw["product_id"], 0)]
        case "cart.updated":
            return [(item["product_id"], 1) for item in happening.raw["items"]]
    return []


@given(st.lists(one_cart, max_size=25))
def test_the_cart_is_the_one_that_the_whole_history_tells(history: list[Happening]) -> None:
    """What was dropped on the way would not have mattered."""
    assert dict(in_cart(*history)) == cart_by_the_book(history)


def test_a_snapshot_hides_what_is_older_and_nothing_else() -> None:
    """The whole picture at an instant; lines of that instant and later ones stand."""
    assert in_cart(added(1, "tea"), snapshot(2, "cup")) == [("cup", 1)]
    assert in_cart(snapshot(2, "cup"), added(1, "tea")) == [("cup", 1)]
    assert in_cart(snapshot(2, "cup"), added(3, "tea")) == [("cup", 1), ("tea", 1)]
    assert in_cart(added(2, "tea"), snapshot(2, "cup")) == [("cup", 1), ("tea", 1)]
    assert in_cart(added(1, "tea"), snapshot(2)) == []


def test_an_order_closes_the_cart_up_to_its_own_instant() -> None:
    """A change in the very second of the order came before it; what is put in later is a new cart."""
    assert in_cart(added(1, "tea"), ordered(1)) == []
    assert in_cart(ordered(1), added(1, "tea")) == []
    assert in_cart(ordered(1), added(2, "tea")) == [("tea", 1)]
    assert in_cart(added(2, "tea"), ordered(1)) == [("tea", 1)]
    assert in_cart(snapshot(1, "tea"), ordered(1)) == []


def test_a_product_can_go_and_come_back() -> None:
    """The latest word on a product counts, whenever it arrives."""
    assert in_cart(added(1, "tea"), removed(2, "tea")) == []
    assert in_cart(removed(2, "tea"), added(1, "tea")) == []
    assert in_cart(added(1, "tea"), removed(2, "tea"), added(3, "tea", 5)) == [("tea", 5)]
    assert in_cart(removed(2, "tea"), added(3, "tea", 5), added(1, "tea")) == [("tea", 5)]
    assert in_cart(added(1, "tea", 2), added(3, "tea", 1)) == [("tea", 1)]


def test_a_cart_keeps_its_newest_lines() -> None:
    """A robot that fills a cart for ever fills no database; order of arrival makes no difference here either."""
    history = [added(number, f"p{number}") for number in range(MAX_LINES + 20)]
    newest = [(f"p{number}", 1) for number in range(20, MAX_LINES + 20)]
    assert in_cart(*history) == in_cart(*reversed(history)) == newest


def test_a_cart_names_its_items_as_they_were_put_in() -> None:
    """What other rooms read: name (else the id), quantity, price, oldest first."""
    facts = published_facts(fold_all([added(2, "cup"), added(1, "tea", 2, name="煎茶", price=1080)]))
    assert facts == {
        "cart": [
            {"product_id": "tea", "name": "煎茶", "quantity": 2, "price": 1080},
            {"product_id": "cup", "name": "cup", "quantity": 1, "price": None},
        ],
        "last_order_at": None,
    }


def test_a_friend_is_who_followed_last_by_lines_own_time() -> None:
    """An unfollow that arrives late does not undo a newer follow; in one instant, nobody is bothered."""
    assert fold_all([]).is_friend("main") is None
    assert fold_all([line("follow", 1)]).is_friend("main") is True
    assert fold_all([line("follow", 3), line("unfollow", 2)]).is_friend("main") is True
    assert fold_all([line("unfollow", 3), line("follow", 2)]).is_friend("main") is False
    assert fold_all([line("unfollow", 2), line("follow", 2)]).is_friend("main") is False
    assert fold_all([line("follow", 1, account="second")]).is_friend("main") is None


def test_first_and_last_order_are_by_their_own_time() -> None:
    """A late report of an early order moves the first, never the last."""
    state = fold_all([ordered(5), ordered(2)])
    assert (state.first_order_at, state.last_order_at, state.last_seen_at) == (at(2), at(5), at(5))


TEA = {"product": {"product_id": "tea"}}


def test_a_product_event_happens_to_nobody() -> None:
    """It has no subject, so it changes no person; with one that names nobody it is refused."""
    event = EcEvent(specversion="1.0", id="1", source="s", type="product.restocked", time=START, data=TEA)
    assert from_ec_event(event) is None
    with pytest.raises(BadMessageError, match="subject"):
        from_ec_event(event.model_copy(update={"subject": "tea"}))


def test_a_login_ties_the_visitor_to_the_member() -> None:
    """customer.identified names the same person by other names."""
    told = shop("customer.identified", 1, {"identifiers": ["visitor:a", f"line:main:{USER}"]})
    assert told.identifiers == ("customer:1", "visitor:a", f"line:main:{USER}")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"source": {"userId": USER}}, "event.type"),
        ({"type": "follow", "source": {"userId": "x" * 3000}}, "event.source.userId"),
        ({"type": "follow", "source": {"userId": USER}, "order_id": "x" * 256}, "event.order_id"),
    ],
)
def test_a_line_event_that_line_never_sends_is_a_dead_letter(event: dict[str, Any], field: str) -> None:
    """Anybody may write to the topic; nothing there may stop a partition."""
    with pytest.raises(BadMessageError) as error:
        from_line_event(
            LineEvent(account="main", webhook_event_id="1", received_at=START, occurred_at=START, event=event)
        )
    assert error.value.field == field


@pytest.mark.parametrize("source", [None, {"type": "group", "groupId": "C1"}, {"userId": 5}])
def test_a_line_event_of_nobody_changes_nobody(source: Any) -> None:
    """Groups and channels on standby name no user."""
    event = {"type": "join", "source": source}
    assert (
        from_line_event(
            LineEvent(account="main", webhook_event_id="1", received_at=START, occurred_at=START, event=event)
        )
        is None
    )


def test_an_imported_friend_is_one_from_that_day_on() -> None:
    """Newer news from LINE wins over the list, the list over older news, whichever is told first."""
    assert fold_all([imported(5)]).is_friend("main") is True
    assert fold_all([imported(5, friend=False)]).is_friend("main") is False
    assert fold_all([line("unfollow", 6), imported(5)]).is_friend("main") is False
    assert fold_all([line("unfollow", 4), imported(5)]).is_friend("main") is True
    assert fold_all([imported(5)]).last_seen_at is None


def test_an_imported_friend_with_a_member_number_is_that_member() -> None:
    """The row of the list ties both identifiers in one event."""
    assert imported(5, customer_id="77").identifiers == (f"line:main:{USER}", "customer:77")
    assert imported(5).identifiers == (f"line:main:{USER}",)


def test_an_imported_friend_must_be_a_line_user() -> None:
    """A member of the shop is nobody's friend on LINE; the refusal names the subject."""
    with pytest.raises(BadMessageError) as refusal:
        shop("friend.imported", 1, {"friend": True}, subject="customer:1")
    assert refusal.value.field == "subject"


def test_history_is_state_like_news() -> None:
    """An imported order closes the cart before it and is the last order; a shop's record alone is no visit."""
    order = shop("order.placed", 5, {"order_id": "A-1"}, history=True)
    assert fold_all([added(4, "tea"), order]) == fold_all(
        [added(4, "tea"), shop("order.placed", 5, {"order_id": "A-1"})]
    )
    assert fold_all([shop("customer.updated", 9, history=True)]).last_seen_at is None
    assert fold_all([shop("customer.updated", 9)]).last_seen_at == at(9)
