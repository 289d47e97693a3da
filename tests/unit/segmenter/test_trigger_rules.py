"""What an event makes true of a person: entries and exits, campaign by campaign."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.segmenter.happenings import PERSON, added, at, imported, line, ordered, removed, shop, snapshot
from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.segments import Change
from todoke_segmenter.domain.state import fold_all
from todoke_segmenter.domain.triggers import TriggerRules, latest_of_each
from todoke_shared.campaigns.model import Campaign
from todoke_shared.conditions import parse_condition
from todoke_shared.contracts.triggers import MadeTrigger, Trigger
from todoke_shared.ids import segment_change_id, trigger_id
from todoke_shared.people import PersonState


def campaign(enter: dict[str, Any], *exits: dict[str, Any], name: str = "care", account: str = "main") -> Campaign:
    """A campaign of which only the door matters."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "account": account,
            "enter": enter,
            "exit": list(exits),
            "steps": [{"send": "hello"}],
            "messages": {"hello": [{"type": "text", "text": "こんにちは"}]},
        }
    )


def decide(campaigns: list[Campaign], *history: Happening) -> list[MadeTrigger]:
    """The triggers of the last happening of a history."""
    return TriggerRules(campaigns).decide(history[-1], PERSON, fold_all(list(history)))


def kinds(campaigns: list[Campaign], *history: Happening) -> list[tuple[str, str]]:
    """The same, in short."""
    return [(trigger.campaign, trigger.kind) for trigger in decide(campaigns, *history)]


CART = campaign(
    {"on": "cart.changed", "when": {"cart.items": {"at_least": 1}}, "again": "restart"},
    {"on": "order.placed"},
    {"on": "cart.changed", "when": {"cart.items": 0}},
    name="cart",
)


def test_a_group_is_entered_by_each_of_its_events() -> None:
    """`cart.changed` hears additions, removals and snapshots, and looks at the cart as it is after them."""
    assert kinds([CART], added(1, "tea")) == [("cart", "enter")]
    assert kinds([CART], snapshot(1, "tea")) == [("cart", "enter")]
    assert kinds([CART], added(1, "tea"), added(2, "cup"), removed(3, "cup")) == [("cart", "enter")]
    assert kinds([CART], added(1, "tea"), removed(2, "tea")) == [("cart", "exit")]
    assert kinds([CART], added(1, "tea"), ordered(2)) == [("cart", "exit")]
    assert kinds([CART], shop("page.viewed", 1)) == []


def test_only_campaigns_that_listen_are_asked() -> None:
    """Each campaign decides for itself, in the order given."""
    welcome = campaign({"on": "line.follow"}, name="welcome")
    thanks = campaign({"on": "order.placed"}, name="thanks")
    assert kinds([welcome, thanks, CART], ordered(1)) == [("thanks", "enter"), ("cart", "exit")]
    assert kinds([welcome, thanks, CART], line("follow", 1)) == [("welcome", "enter")]


def test_an_event_that_ends_and_starts_ends_first() -> None:
    """Or the new run would die of the old one's exit."""
    again = campaign({"on": "order.placed", "again": "always"}, {"on": ["order.cancelled", "order.placed"]})
    assert kinds([again], ordered(1)) == [("care", "exit"), ("care", "enter")]


def test_two_exits_by_one_event_are_one() -> None:
    """One event, one campaign, one kind: one trigger."""
    twice = campaign(
        {"on": "line.follow"}, {"on": "order.placed"}, {"on": "order.placed", "when": {"orders.ever": True}}
    )
    assert kinds([twice], ordered(1)) == [("care", "exit")]


@pytest.mark.parametrize(
    ("per", "entered", "left"),
    [("person", "", ""), ("order", "R-1", "R-1"), ("cart", "c-1", "c-1")],
)
def test_runs_are_kept_apart_by_what_the_campaign_is_per(per: str, entered: str, left: str) -> None:
    """An order's campaign ends with that order; a person's with any."""
    data = {"order_id": "R-1", "cart_id": "c-1"}
    rules = [campaign({"on": "order.placed", "per": per}, {"on": "order.cancelled"})]
    assert [trigger.key for trigger in decide(rules, shop("order.placed", 1, data))] == [entered]
    assert [trigger.key for trigger in decide(rules, shop("order.cancelled", 2, data))] == [left]


def test_per_event_every_event_is_a_run_and_an_exit_means_all_of_them() -> None:
    """No later event can name an earlier one."""
    rules = [campaign({"on": "custom.asked", "per": "event", "again": "always"}, {"on": "order.placed"})]
    asked = shop("custom.asked", 1)
    assert [trigger.key for trigger in decide(rules, asked)] == [str(asked.key)]
    assert [trigger.key for trigger in decide(rules, ordered(2))] == [""]


def test_an_event_without_the_id_that_runs_are_per_means_the_person() -> None:
    """A producer that does not know the cart's id still closes it."""
    rules = [campaign({"on": "cart.updated", "per": "cart"}, {"on": "order.placed"})]
    assert [trigger.key for trigger in decide(rules, shop("order.placed", 1, {"order_id": "R-1"}))] == [""]


@pytest.mark.parametrize(
    ("when", "data", "enters"),
    [
        ({"event.amount": {"at_least": 3000}}, {"amount": 3000}, True),
        ({"event.amount": {"at_least": 3000}}, {"amount": 2999.5}, False),
        ({"event.amount": {"at_least": 3000}}, {}, False),
        ({"event.shipping.prefecture": "京都府"}, {"shipping": {"prefecture": "京都府"}}, True),
        ({"event.shipping.prefecture": "京都府"}, {"shipping": "京都府"}, False),
        ({"not": {"event.coupon": {"known": True}}}, {}, True),
        ({"event.coupon": {"one_of": ["A", "B"]}}, {"coupon": "B"}, True),
    ],
)
def test_a_condition_may_ask_about_the_events_own_data(
    when: dict[str, Any], data: dict[str, Any], enters: bool
) -> None:
    """Whatever the shop sends, at any depth; what it does not send satisfies no comparison."""
    rules = [campaign({"on": "order.placed", "when": when})]
    assert bool(decide(rules, shop("order.placed", 1, {"order_id": "R-1", **data}))) is enters


def test_friendship_is_that_of_the_campaigns_own_account() -> None:
    """A friend of one brand is no friend of the other."""
    rules = [campaign({"on": "page.viewed", "when": {"friend": True}}, name=name, account=name) for name in ("a", "b")]
    assert kinds(rules, line("follow", 1, account="b"), shop("page.viewed", 2)) == [("b", "enter")]


def test_a_trigger_says_who_when_why_and_what_the_message_needs() -> None:
    """And says it with the same id however often it is told."""
    placed = shop("order.placed", 2, {"order_id": "R-1", "amount": 5240})
    [entry] = decide([campaign({"on": "order.placed", "per": "order"})], placed)
    assert entry.cause is not None
    assert (entry.person, entry.at, entry.cause.type, entry.cause.key) == (PERSON, placed.at, placed.type, placed.key)
    assert entry.context == {"event": {"order_id": "R-1", "amount": 5240}, "cart": []}
    assert decide([campaign({"on": "order.placed", "per": "order"})], placed) == [entry]
    assert Trigger.from_json(entry.to_json()).to_json() == entry.to_json()


def test_an_exit_carries_no_context() -> None:
    """It ends a run; there is nothing to fill in."""
    assert [trigger.context for trigger in decide([CART], added(1, "tea"), ordered(2))] == [{}]


def test_the_cart_in_a_trigger_is_the_one_just_after_the_event() -> None:
    """The item that was just added is named."""
    [entry] = decide([CART], added(1, "tea", name="煎茶"), added(2, "cup"))
    assert [item["name"] for item in entry.context["cart"]] == ["煎茶", "cup"]


def test_no_campaign_no_trigger() -> None:
    """A shop without campaigns still keeps state."""
    assert TriggerRules(()).decide(ordered(1), PERSON, PersonState()) == []


EVERYTHING = campaign(
    {"on": ["order.placed", "line.follow", "cart.changed", "customer.registered"]},
    {"on": ["order.placed", "cart.changed"]},
    name="everything",
)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("order.placed", {"order_id": "A-1"}),
        ("cart.updated", {"items": [{"product_id": "tea"}]}),
        ("customer.registered", {}),
    ],
)
def test_history_starts_and_ends_nothing(type_: str, data: dict[str, Any]) -> None:
    """The same event as news is heard; as history no campaign hears of it, by entry or by exit."""
    assert decide([EVERYTHING], shop(type_, 1, data)) != []
    assert decide([EVERYTHING], shop(type_, 1, data, history=True)) == []


def test_an_imported_friend_is_history_without_saying_so() -> None:
    """A campaign cannot even name it; one built by hand is not asked."""
    with pytest.raises(ValueError, match=r"`friend\.imported` is history"):
        campaign({"on": "friend.imported"})
    entry = campaign({"on": "line.follow"}).enter.model_copy(update={"on": ("friend.imported",)})
    by_hand = EVERYTHING.model_copy(update={"enter": entry})
    assert decide([by_hand], imported(1)) == []


def test_a_campaign_may_ask_for_all_that_is_known_of_the_person() -> None:
    """Counts, recency and the profile, as of the event's own instant and with the event itself counted."""
    third = campaign(
        {"on": "order.placed", "when": {"orders": {"is": 3, "within": "1d"}, "last_order": {"within": "1m"}}}
    )
    assert kinds([third], ordered(1), ordered(2)) == []
    assert kinds([third], ordered(1), ordered(2), ordered(3)) == [("care", "enter")]
    of_tokyo = campaign({"on": "page.viewed", "when": {"region": "関東", "event.prefecture": {"known": False}}})
    told = shop("customer.updated", 1, {"prefecture": "東京都"})
    assert kinds([of_tokyo], told, shop("page.viewed", 2)) == [("care", "enter")]
    assert kinds([of_tokyo], shop("page.viewed", 2)) == []


JUST_AFTER = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("known", "late", "told"),
    [
        ([added(0, "tea"), removed(20, "tea")], added(10, "cup"), [("enter", at(20) + JUST_AFTER)]),
        ([added(0, "tea"), added(1, "cup"), removed(20, "cup")], ordered(10), [("exit", at(20) + JUST_AFTER)]),
        ([added(0, "tea"), removed(20, "cup")], removed(10, "tea"), [("exit", at(20) + JUST_AFTER)]),
        ([added(0, "tea"), added(20, "cup")], added(10, "pot"), [("enter", at(10))]),
        ([added(0, "tea"), added(20, "cup")], ordered(10), [("exit", at(10))]),
        ([added(0, "tea"), ordered(20)], added(10, "cup"), [("exit", at(10))]),
        ([added(0, "tea")], removed(20, "tea"), [("exit", at(20))]),
    ],
    ids=[
        *("it-was-not-empty", "an-order-emptied-it", "it-was-empty"),
        *("nothing-new", "not-emptied", "ordered-since", "not-late"),
    ],
)
def test_late_news_of_a_cart_is_told_as_of_just_after_its_last_change(
    known: list[Happening], late: Happening, told: list[tuple[str, datetime]]
) -> None:
    """Where it shows that the last change was decided on too little, and only there; by one trigger."""
    before, after = fold_all(known), fold_all([*known, late])
    triggers = TriggerRules([CART]).decide(late, PERSON, after, before)
    assert [(trigger.kind, trigger.at) for trigger in triggers] == told


def test_history_is_no_late_news() -> None:
    """An imported order of yesterday leaves the cart of today alone."""
    known = [added(0, "tea"), added(1, "cup"), removed(20, "cup")]
    order = shop("order.placed", 10, {"order_id": "o"}, history=True)
    assert TriggerRules([CART]).decide(order, PERSON, fold_all([*known, order]), fold_all(known)) == []


def test_of_two_triggers_with_one_id_the_one_that_ends_more_counts() -> None:
    """An order ends a run by itself, and as it makes its person leave a segment later, every run."""
    [first] = decide([campaign({"on": "order.placed", "per": "order"}, {"on": "order.refunded"})], ordered(1))
    later = replace(first, at=at(2))
    of_all = replace(first, key="")
    assert latest_of_each([first, later]) == latest_of_each([later, first]) == [later]
    assert latest_of_each([of_all, later]) == latest_of_each([later, of_all]) == [of_all]


SLEEPERS = campaign(
    {"on": "segment.entered", "segment": "sleepers", "when": {"orders.ever": True}},
    {"on": ["segment.left", "order.placed"], "segment": "sleepers"},
    name="win-back",
)
CAUSE = segment_change_id("sleepers", PERSON, at(9))


def changed(*, entered: bool, segment: str = "sleepers") -> Change:
    """A change of a segment by the clock."""
    return Change(segment, entered=entered, at=at(9), cause=CAUSE, by_clock=True)


def test_a_segment_is_entered_and_left() -> None:
    """By campaigns that name it, where the rest of their condition holds; the trigger says which and when."""
    rules, buyer = TriggerRules([SLEEPERS]), fold_all([ordered(1)])
    [entry] = rules.decide_change(changed(entered=True), PERSON, "main", buyer)
    assert (entry.kind, entry.at, entry.key, entry.context["event"]) == ("enter", at(9), "", {"segment": "sleepers"})
    assert entry.id == trigger_id(CAUSE, "win-back", "enter", PERSON)
    [end] = rules.decide_change(changed(entered=False), PERSON, "main", buyer)
    assert (end.kind, end.at, end.context) == ("exit", at(9), {})
    assert rules.decide_change(changed(entered=True), PERSON, "main", PersonState()) == []
    assert rules.decide_change(changed(entered=True, segment="others"), PERSON, "main", buyer) == []
    assert rules.decide_change(changed(entered=True), PERSON, "main", buyer, may_start=False) == []
    assert [trigger.kind for trigger in rules.decide(ordered(1), PERSON, buyer)] == ["exit"]


def test_a_campaign_asks_whether_somebody_is_in_a_segment() -> None:
    """As of the event's own time; a segment that there is not makes no campaign of it, and stops nobody else's."""
    conditions = {"sleepers": parse_condition({"last_order": {"before": "60d"}})}
    asks = campaign({"on": "page.viewed", "when": {"segment": "sleepers"}})
    other = campaign({"on": "page.viewed"}, name="other")
    late = shop("page.viewed", 61 * 86_400)
    state = fold_all([ordered(0), late])
    assert [t.campaign for t in TriggerRules([asks, other], conditions).decide(late, PERSON, state)] == [
        "care",
        "other",
    ]
    assert [t.campaign for t in TriggerRules([asks, other]).decide(late, PERSON, state)] == ["other"]


@pytest.mark.parametrize(("told", "key"), [("r-1", "r-1"), (0, "0"), (17, "17"), ("x" * 300, "x" * 255), (None, "")])
def test_a_run_by_a_field_has_a_key_that_the_contract_takes(told: object, key: str) -> None:
    """Zero is a number like any other, not "every run"; what is too long is cut, for it would be refused."""
    booked = campaign({"on": "reservation.booked", "per": {"field": "reservation.id"}}, name="booked")
    [trigger] = decide([booked], shop("reservation.booked", 1, {"reservation": {"id": told}}))
    assert Trigger.from_json(trigger.to_json()).key == trigger.key == key
