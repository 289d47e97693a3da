"""What `campaigns check` says of a right campaign: what it comes to, and what its author may not have meant."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.shared.campaign_files import SMALL, campaign_of
from todoke_shared.campaigns.limits import QuietHours
from todoke_shared.campaigns.remarks import length_of, most_messages, remarks

HELLO = {"send": "hello"}
ASK = {"ask": "skin", "message": "hello", "answers": ["乾燥肌", "脂性肌"]}
STOP = {"stop": True}


def choice(then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    """One way or the other."""
    return {"if": {"friend": True}, "then": then, "else": otherwise}


def said(**told: Any) -> list[str]:
    """What is said of a small campaign besides its cost."""
    cost, *rest = remarks(campaign_of(**told))
    assert "message" in cost
    return rest


@pytest.mark.parametrize(
    ("steps", "most"),
    [
        ([HELLO], 1),
        ([{"tag": "a"}], 0),
        ([HELLO, {"wait": "1d"}, ASK], 2),
        ([choice([HELLO, HELLO], [HELLO]), HELLO], 3),
        ([choice([HELLO, HELLO, HELLO, STOP], [HELLO]), HELLO], 3),
        ([choice([HELLO, HELLO, HELLO, STOP], [HELLO]), HELLO, HELLO, HELLO], 4),
        ([choice([STOP], [HELLO, STOP])], 1),
        ([{"split": {"a": 1, "b": 1}, "a": [HELLO, choice([HELLO], [])], "b": []}], 2),
    ],
)
def test_the_most_messages_of_a_run_are_those_of_its_longest_way(steps: list[Any], most: int) -> None:
    """Ways that stop are not added to what comes after them."""
    assert most_messages(campaign_of(steps=steps).steps) == most


def test_the_cost_is_told_for_a_person() -> None:
    """In messages, and in yen beyond the quota."""
    assert next(remarks(campaign_of(steps=[HELLO, HELLO], holdout=10))) == (
        "at most 2 messages to each who comes in, but to 10% of them nothing; each counts towards the month's quota, "
        "and beyond it LINE asks at most about 6 yen a person"
    )
    assert next(remarks(campaign_of(steps=[{"tag": "a"}]))) == "it sends no messages, and so costs nothing"


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"messages": 5000}, "5,000 messages"),
        ({"yen": 10_000}, "10,000 yen at its account's `price_yen`"),
        ({"messages": 5000, "yen": 10_000}, "5,000 messages or 10,000 yen at its account's `price_yen`"),
    ],
)
def test_a_budget_is_told_with_what_it_does(budget: dict[str, int], words: str) -> None:
    """It stops, and loses nothing."""
    assert said(budget=budget) == [f"in a month it stops at {words}; what is beyond is held"]


def test_nothing_more_is_said_of_a_plain_campaign() -> None:
    """Remarks are for what is unusual."""
    assert said() == []


@pytest.mark.parametrize(
    ("told", "remark"),
    [
        (
            {"enter": {"schedule": {"at": "2026-12-24 10:00"}}},
            "without `when` the audience is everybody who is a friend of main",
        ),
        (
            {"enter": {"schedule": {"at": "2026-12-24 10:00"}, "rate": 3, "when": {"friend": True}}},
            "10,000 people take 3334s at this `rate`",
        ),
        (
            {"messages": {**SMALL["messages"], "other": SMALL["messages"]["hello"]}},
            "no step sends the message `other`",
        ),
        (
            {"class": "transactional", "holdout": 5},
            "5% of people will not get these transactional messages, for the sake of comparison",
        ),
        (
            {"expires": "6h", "quiet_hours": {"from": "21:00", "to": "09:00"}},
            "messages that fall early into the quiet hours (12h) are dropped, for they expire after 6h",
        ),
        (
            {"steps": [ASK, {"send": "hello", "if": {"not": {"answer.skin": {"one_of": ["乾燥肌", "普通"]}}}}]},
            "`answer.skin` is held against `普通`, which is none of the answers here: 乾燥肌, 脂性肌",
        ),
    ],
)
def test_what_an_author_may_not_have_meant_is_said(told: dict[str, Any], remark: str) -> None:
    """It is right, and still worth a word."""
    assert said(**told) == [remark]


def test_what_lives_longer_than_the_night_is_not_dropped() -> None:
    """Held until morning, and still of use."""
    assert said(expires="12h", quiet_hours={"from": "21:00", "to": "09:00"}) == []
    assert said(expires="1h", quiet_hours="none") == []


def test_quiet_hours_go_over_midnight() -> None:
    """From nine in the evening to nine in the morning are twelve hours, as from one to thirteen."""
    assert length_of(QuietHours.model_validate({"from": "21:00", "to": "09:00"})) == timedelta(hours=12)
    assert length_of(QuietHours.model_validate({"from": "01:00", "to": "13:30"})) == timedelta(hours=12.5)


def test_an_event_about_a_product_brings_in_hardly_anybody() -> None:
    """A restock names no person; an author who waits for one hears of it before nothing happens."""
    assert said(enter={"on": ["order.placed", "product.restocked"]}) == [
        "`product.restocked` is about a product: it brings in only whom the shop names as its `subject`, and so mostly "
        "nobody"
    ]
    assert said(enter={"on": "product.viewed"}) == []
