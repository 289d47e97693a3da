"""What LINE's events may start, and how little of them is carried on."""

from typing import Any

import pytest

from tests.unit.segmenter.happenings import PERSON, USER, line
from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import fold_all
from todoke_segmenter.domain.triggers import TriggerRules
from todoke_shared.campaigns.model import Campaign

SECRET = "わたしの電話番号は090"


def campaign(*on: str, when: dict[str, Any] | None = None, exit_on: str = "order.placed") -> Campaign:
    """A campaign of which only the door matters."""
    return Campaign.model_validate(
        {
            "campaign": "care",
            "class": "transactional",
            "enter": {"on": list(on), "again": "always", **({"when": when} if when else {})},
            "exit": {"on": exit_on},
            "steps": [{"send": "hello"}],
            "messages": {"hello": [{"type": "text", "text": "hello"}]},
        }
    )


def kinds(rules: Campaign, *history: Happening) -> list[str]:
    """What the last of these starts and ends."""
    triggers = TriggerRules([rules]).decide(history[-1], PERSON, fold_all(list(history)))
    return [trigger.kind for trigger in triggers]


@pytest.mark.parametrize("type_", ["message", "postback", "follow", "accountLink"])
def test_while_another_tool_speaks_nothing_starts(type_: str) -> None:
    """`mode: standby` means: do not send (LINE's page on channel modes); the same event in active mode starts it."""
    rules = campaign(f"line.{type_}")
    assert kinds(rules, line(type_, 1, mode="standby")) == []
    assert kinds(rules, line(type_, 1, mode="active")) == ["enter"]
    assert kinds(rules, line(type_, 1)) == ["enter"]


def test_in_standby_facts_count_and_campaigns_end() -> None:
    """Whoever blocks or befriends the account has done so, whoever speaks for it; and what stops a message stops it."""
    followed = line("follow", 1, mode="standby")
    assert fold_all([followed]).is_friend("main") is True
    left = line("unfollow", 2, mode="standby")
    assert fold_all([followed, left]).is_friend("main") is False
    assert kinds(campaign("line.follow", exit_on="line.unfollow"), followed, left) == ["exit"]


@pytest.mark.parametrize(
    "content",
    [
        {"message": {"type": "text", "id": "1", "text": SECRET, "quoteToken": SECRET, "mention": {"x": SECRET}}},
        {"message": {"type": "location", "id": "1", "title": SECRET, "address": SECRET, "latitude": 35.6}},
        {"message": {"type": "file", "id": "1", "fileName": SECRET, "fileSize": 9}},
        {"message": {"type": "sticker", "id": "1", "keywords": [SECRET], "text": SECRET}},
        {"message": SECRET},
        {"newField": {"text": SECRET}},
    ],
)
def test_a_trigger_carries_nothing_that_a_person_wrote(content: dict[str, Any]) -> None:
    """Of a message its type alone, not even its id; and nothing at all of what LINE may add one day."""
    said = line("message", 1, replyToken="reply", **content)
    [trigger] = TriggerRules([campaign("line.message")]).decide(said, PERSON, fold_all([said]))
    told = trigger.to_json().decode()
    assert SECRET not in told
    assert "35.6" not in told
    assert USER not in told
    assert "replyToken" not in trigger.context["event"], "whoever has it could speak for the account"
    assert trigger.context["event"]["type"] == "message"
    if isinstance(content.get("message"), dict):
        assert trigger.context["event"]["message"] == {"type": content["message"]["type"]}


def test_a_condition_still_sees_what_was_written() -> None:
    """In the moment: that is what a keyword campaign lives on."""
    rules = campaign("line.message", when={"event.message.text": "メニュー"})
    assert kinds(rules, line("message", 1, message={"type": "text", "text": "メニュー"})) == ["enter"]
    assert kinds(rules, line("message", 1, message={"type": "text", "text": "べつの話"})) == []


def test_a_buttons_own_data_is_carried() -> None:
    """The shop wrote it, and the answer to a question is in it."""
    tapped = line("postback", 1, postback={"data": "answer=tea", "params": {"date": "2026-05-01"}})
    [trigger] = TriggerRules([campaign("line.postback")]).decide(tapped, PERSON, fold_all([tapped]))
    assert trigger.context["event"]["postback"] == {"data": "answer=tea", "params": {"date": "2026-05-01"}}


@pytest.mark.parametrize(
    ("happening", "unsent"),
    [
        (line("unsend", 1, unsend={"messageId": "325708"}), "325708"),
        (line("unsend", 1, unsend={"messageId": '3" OR'}), None),
        (line("unsend", 1, unsend={"messageId": ""}), None),
        (line("unsend", 1, unsend="325708"), None),
        (line("unsend", 1), None),
        (line("message", 1, unsend={"messageId": "325708"}), None),
    ],
)
def test_an_unsend_names_its_message(happening: Happening, unsent: str | None) -> None:
    """And only an unsend does, by an id as LINE makes them."""
    assert happening.unsent == unsent
