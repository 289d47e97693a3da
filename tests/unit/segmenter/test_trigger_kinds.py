"""Goals, words and buttons, answers, and what other systems start: who is asked, and what is told."""

from typing import Any

import pytest

from tests.unit.segmenter.happenings import PERSON, added, line, ordered, removed, shop
from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import fold_all
from todoke_segmenter.domain.triggers import TriggerRules
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.triggers import MadeTrigger, Trigger
from todoke_shared.ids import trigger_id
from todoke_shared.people import PersonState

Rules = dict[str, Any]


def campaign(enter: Rules, *, name: str = "care", **more: Any) -> Campaign:
    """A campaign of which only the doors matter."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "enter": enter,
            "steps": [{"send": "hello"}],
            "messages": {"hello": [{"type": "text", "text": "こんにちは"}]},
            **more,
        }
    )


def decide(campaigns: list[Campaign], *history: Happening) -> list[MadeTrigger]:
    """The triggers of the last happening of a history, each as the contract reads it too."""
    triggers = TriggerRules(campaigns).decide(history[-1], PERSON, fold_all(list(history)))
    for trigger in triggers:
        assert Trigger.from_json(trigger.to_json()).to_json() == trigger.to_json()
    return triggers


def kinds(campaigns: list[Campaign], *history: Happening) -> list[tuple[str, str]]:
    """The same, in short."""
    return [(trigger.campaign, trigger.kind) for trigger in decide(campaigns, *history)]


def bought(seconds: float = 1, **data: Any) -> Happening:
    """An order and what it was worth."""
    return shop("order.placed", seconds, {"order_id": "R-1", **data})


GOALS = campaign(
    {"on": "line.follow"},
    exit=[{"on": "order.placed"}],
    goal=[
        {"on": "review.posted"},
        {"on": "order.placed", "when": {"event.amount": {"at_least": 3000}}},
        {"on": "order.placed"},
    ],
)


def test_goals_are_told_each_by_its_place() -> None:
    """Two reached by one order are two triggers, with what the order was worth, and the exit is told besides."""
    placed = bought(amount=5240, cart_id="c-1")
    triggers = decide([GOALS], placed)
    worth = {"event": {"order_id": "R-1", "amount": 5240}}
    assert [(trigger.kind, trigger.context) for trigger in triggers] == [
        ("goal", {"goal": 1, **worth}),
        ("goal", {"goal": 2, **worth}),
        ("exit", {}),
    ]
    assert len({trigger.id for trigger in triggers}) == 3
    assert decide([GOALS], placed) == triggers
    assert [trigger.context for trigger in decide([GOALS], bought(amount=980))][:1] == [
        {"goal": 2, "event": {"order_id": "R-1", "amount": 980}}
    ]


def test_a_goal_that_is_no_order_carries_nothing_of_its_event() -> None:
    """The report counts it; what was written in a review is nobody's business there."""
    [goal] = decide([GOALS], shop("review.posted", 1, {"text": "よかった", "amount": 5}))
    assert (goal.kind, goal.context) == ("goal", {"goal": 0})


def test_a_goal_is_reached_while_another_tool_speaks_but_not_by_history() -> None:
    """As exits are: it starts nothing."""
    blocked = campaign({"on": "line.follow"}, goal={"on": "line.postback"})
    assert kinds([blocked], line("postback", 1, mode="standby", postback={"data": "a"})) == [("care", "goal")]
    assert kinds([GOALS], shop("order.placed", 1, {"order_id": "R-1"}, history=True)) == []


@pytest.mark.parametrize(
    ("per", "happening", "key"),
    [
        ("person", bought(), ""),
        ("event", bought(), ""),
        ("cart", bought(cart_id="c-1"), "c-1"),
        ("order", shop("order.paid", 1, {"order_id": "R-1"}), "R-1"),
        ("order", bought(), ""),
        ({"field": "reservation.id"}, shop("order.paid", 1, {"reservation": {"id": 7}}), "7"),
    ],
    ids=["person", "event", "cart", "the-orders-own", "another-order", "field"],
)
def test_a_goal_means_the_run_that_its_event_names(per: Any, happening: Happening, key: str) -> None:
    """As an exit does; but an order that is placed is never the order that a run is about: it means all of them."""
    care = campaign({"on": "custom.asked", "per": per}, goal={"on": ["order.placed", "order.paid"]})
    assert [(trigger.kind, trigger.key) for trigger in decide([care], happening)] == [("goal", key)]


def test_a_goal_of_the_cart_is_late_news_too() -> None:
    """An order that is heard of late has emptied the cart before its last change."""
    emptied = campaign({"on": "line.follow"}, goal={"on": "cart.changed", "when": {"cart.items": 0}})
    known, late = [added(0, "tea"), added(1, "cup"), removed(20, "cup")], ordered(10)
    rules = TriggerRules([emptied])
    [goal] = rules.decide(late, PERSON, fold_all([*known, late]), fold_all(known))
    assert (goal.kind, goal.context["goal"]) == ("goal", 0)


def said(text: Any, account: str = "main", **more: Any) -> Happening:
    """A text message."""
    return line("message", 1, account=account, message={"type": "text", "id": "1", "text": text}, **more)


WORDS = campaign({"on": "line.message", "keyword": ["クーポン", "Coupon", "ＣＯＵＰＯＮ"]}, name="words")
ANY_WORDS = campaign({"on": "line.message"}, name="any-words")


@pytest.mark.parametrize(
    ("text", "enters"),
    [("クーポン", True), ("ｸｰﾎﾟﾝ", True), ("  coupon\n", True), ("ＣｏＵＰＯＮ", True),
     ("クーポンください", False), ("くーぽん", False), ("", False), (None, False)],
)  # fmt: skip
def test_a_keyword_is_the_whole_text_however_it_is_typed(text: Any, enters: bool) -> None:
    """In any width and case, with blanks around it; and never a part of what somebody says."""
    entered = [("words", "enter")] if enters else []
    assert kinds([WORDS, ANY_WORDS], said(text)) == [("any-words", "enter"), *entered]


def test_a_keyword_is_said_to_the_campaigns_own_account() -> None:
    """Two brands may both have coupons. Nothing starts while another tool speaks, nor by what is no text."""
    assert kinds([WORDS], said("クーポン", "second")) == []
    of_second = [campaign({"on": "line.message", "keyword": "クーポン"}, account="second")]
    assert kinds(of_second, said("クーポン", "second")) == [("care", "enter")]
    assert kinds(of_second, said("クーポン")) == []
    assert kinds([WORDS], said("クーポン", mode="standby")) == []
    sticker = line("message", 1, message={"type": "sticker", "text": "クーポン"})
    assert kinds([WORDS], sticker) == []


@pytest.mark.parametrize("event", ["follow", "unfollow", "message", "postback", "accountLink"])
def test_what_comes_to_an_account_concerns_its_own_campaigns(event: str) -> None:
    """Who follows one brand is welcomed by it alone; a block of one ends nothing of the other, nor reaches its goal."""
    on = {"on": f"line.{event}"}
    brands = [campaign(on, name=name, account=name, goal=on, exit=on) for name in ("tea", "coffee")]
    assert sorted(kinds(brands, line(event, 1, account="tea"))) == [("tea", "enter"), ("tea", "exit"), ("tea", "goal")]
    assert kinds(brands, line(event, 1, account="third")) == []


def test_a_keyword_campaign_has_its_filter_and_its_exit_like_any_other() -> None:
    """Both are asked of the same message; the end comes first."""
    filtered = campaign(
        {"on": "line.message", "keyword": "クーポン", "when": {"tags": {"has": "vip"}}}, exit={"on": "line.message"}
    )
    vip = shop("custom.tag.added", 0, {"tag": "vip"})
    assert kinds([filtered], said("クーポン")) == [("care", "exit")]
    assert kinds([filtered], vip, said("クーポン")) == [("care", "exit"), ("care", "enter")]


def tap(data: Any, account: str = "main", **more: Any) -> Happening:
    """A button that was tapped."""
    return line("postback", 1, account=account, postback={"data": data}, **more)


@pytest.mark.parametrize(
    ("data", "account", "enters"),
    [("menu=coupon", "main", True), ("menu=Coupon", "main", False), ("menu=coupon ", "main", False),
     ("menu=coupon", "second", False), (None, "main", False)],
)  # fmt: skip
def test_a_button_is_known_by_its_data_exactly(data: Any, account: str, enters: bool) -> None:
    """The shop wrote both; of the campaign's own account."""
    button = campaign({"on": "line.postback", "postback": "menu=coupon"})
    assert kinds([button], tap(data, account)) == ([("care", "enter")] if enters else [])


ASKS = campaign({"on": "line.follow"})
YES = "todoke:ask:care:skin-type:乾燥肌"


def test_an_answer_is_told_to_every_run_that_waits_for_it() -> None:
    """With the question and the answer as the button says them, and an id of its own."""
    tapped = tap(YES)
    [answer] = decide([ASKS], tapped)
    assert (answer.kind, answer.key, answer.at) == ("answer", "", tapped.at)
    assert answer.context == {"question": "skin-type", "answer": "乾燥肌"}
    assert answer.id == trigger_id(tapped.key, "care", "answer", PERSON)
    assert answer.cause.type == "line.postback"


def test_an_answer_counts_while_another_tool_speaks_and_starts_what_listens_to_taps() -> None:
    """It moves on what is under way; an entry it is only for a campaign that says so."""
    listens = campaign({"on": "line.postback"}, name="listens")
    assert kinds([ASKS, listens], tap(YES)) == [("care", "answer"), ("listens", "enter")]
    assert kinds([ASKS, listens], tap(YES, mode="standby")) == [("care", "answer")]


def test_an_answer_to_a_campaign_that_is_not_here_is_known_and_told_to_nobody() -> None:
    """A button of an installation that is no more."""
    assert decide([WORDS], tap(YES)) == []
    assert fold_all([tap(YES)]).answers["skin-type"].value == "乾燥肌"


def test_a_tap_is_the_answer_whatever_campaigns_there_are() -> None:
    """The button says it all, so that folding the topics once more gives the same person."""
    state = fold_all([tap(YES)])
    assert (state.answers["skin-type"].at, state.answers["skin-type"].source) == (tap(YES).at, "line.main")
    assert fold_all([tap("menu=1"), line("postback", 2), line("postback", 3, postback="x")]).answers == {}


CALLED = campaign({"on": "call", "when": {"friend": True}}, name="called", exit={"on": "order.placed"})
FRIEND = line("follow", 0)


def request(kind: str = "start", seconds: float = 1, **data: Any) -> Happening:
    """Another system's word."""
    return shop(f"campaign.{kind}_requested", seconds, data)


def test_no_event_starts_a_campaign_that_is_called() -> None:
    """But events end it."""
    assert kinds([CALLED], line("follow", 1), ordered(2)) == [("called", "exit")]
    assert kinds([CALLED], line("follow", 1)) == []


def test_a_schedule_is_no_event_of_anybody() -> None:
    """Who comes in by it is for the scheduler to say."""
    weekly = campaign({"schedule": {"every": "friday", "at": "12:00"}}, goal={"on": "order.placed"})
    assert kinds([weekly], line("follow", 1), ordered(2)) == [("care", "goal")]
    assert kinds([weekly], line("follow", 1)) == []


def test_another_system_starts_any_campaign_that_it_names() -> None:
    """Its context is the event that the messages speak of; the filter is asked; others are left alone."""
    asked = request(campaign="called", context={"coupon": "SPRING"})
    [entry] = decide([CALLED, ASKS], FRIEND, asked)
    assert (entry.campaign, entry.kind, entry.key, entry.at) == ("called", "enter", "", asked.at)
    assert entry.context == {"event": {"coupon": "SPRING"}, "cart": []}
    assert (entry.cause.type, entry.cause.key) == ("campaign.start_requested", asked.key)
    assert kinds([CALLED], asked) == [("called", "refused")]  # no friend
    assert kinds([CALLED, ASKS], request(campaign="care")) == [("care", "enter")]


def test_a_filter_on_the_events_data_is_asked_of_the_context() -> None:
    """As if the event had come."""
    rich = campaign({"on": "order.placed", "when": {"event.amount": {"at_least": 3000}}})
    assert kinds([rich], request(campaign="care", context={"amount": 3000})) == [("care", "enter")]
    assert kinds([rich], request(campaign="care", context={"amount": 2999})) == [("care", "refused")]
    assert kinds([rich], request(campaign="care")) == [("care", "refused")]


@pytest.mark.parametrize(
    ("per", "data", "key"),
    [
        ("person", {}, ""),
        ("person", {"key": "second-try"}, "second-try"),
        ("order", {"context": {"order_id": "R-7"}}, "R-7"),
        ("order", {"context": {"order_id": "R-7"}, "key": "R-8"}, "R-8"),
        ({"field": "visit.id"}, {"context": {"visit": {"id": "v-1"}}}, "v-1"),
    ],
)
def test_a_start_names_its_run_by_the_key_or_by_the_context(per: Any, data: Rules, key: str) -> None:
    """The key first."""
    care = campaign({"on": "order.placed", "per": per})
    assert [trigger.key for trigger in decide([care], request(campaign="care", **data))] == [key]


def test_every_start_of_a_campaign_per_event_is_a_run() -> None:
    """The request is the event."""
    care, asked = campaign({"on": "custom.asked", "per": "event"}), request(campaign="care")
    assert [trigger.key for trigger in decide([care], asked)] == [str(asked.key)]


@pytest.mark.parametrize(("data", "key"), [({}, ""), ({"key": "R-7"}, "R-7"), ({"context": {"order_id": "R-7"}}, "")])
def test_a_stop_ends_the_run_it_names_or_all_of_them(data: Rules, key: str) -> None:
    """Whatever the campaign is per; no filter is asked."""
    care = campaign({"on": "order.placed", "per": "order", "when": {"friend": True}})
    [end] = decide([care], request("stop", campaign="care", **data))
    assert (end.kind, end.key, end.context) == ("exit", key, {})


def test_a_campaign_that_nobody_knows_is_for_the_scheduler_to_refuse() -> None:
    """Its dead letter says so; nothing is lost in silence."""
    assert kinds([CALLED], request(campaign="spring")) == [("spring", "enter")]
    assert kinds([CALLED], request("stop", campaign="spring")) == [("spring", "exit")]


def test_a_campaign_whose_filter_cannot_be_read_is_not_started_without_it() -> None:
    """A segment that only a newer release can read."""
    asks = campaign({"on": "call", "when": {"segment": "unknown"}})
    assert kinds([asks], request(campaign="care")) == [("care", "refused")]


def test_a_request_is_no_sign_of_life() -> None:
    """And none by history is heard."""
    assert fold_all([request(campaign="care")]) == PersonState()
    old = shop("campaign.start_requested", 1, {"campaign": "care"}, history=True)
    assert decide([ASKS], old) == []


def test_no_campaign_can_listen_to_other_campaigns_being_called() -> None:
    """Or one call would start many."""
    with pytest.raises(ValueError, match="unknown event"):
        campaign({"on": "campaign.start_requested"})
