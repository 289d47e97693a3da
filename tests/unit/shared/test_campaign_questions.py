"""How a question is put in LINE: a button for each answer under the last object, and what a tap says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.shared.campaign_files import SMALL
from todoke_line_simulator.validation import messages_problems
from todoke_shared.campaigns.asking import Tapped, answer_data, tapped, with_answers
from todoke_shared.campaigns.steps import Ask, utf16_length
from todoke_shared.jsons import dumps

ASK = Ask(ask="skin-type", message="skin", answers=("乾燥肌", "脂性肌"))
LONGEST = "n" * 63
OWN = {"type": "action", "action": {"type": "message", "label": "やめる", "text": "やめる"}}


def button(answer: str, data: str) -> dict[str, object]:
    """What LINE takes for one answer."""
    action = {"type": "postback", "label": answer, "data": data, "displayText": answer}
    return {"type": "action", "action": action}


BUTTONS = [button("乾燥肌", "todoke:ask:care:skin-type:乾燥肌"), button("脂性肌", "todoke:ask:care:skin-type:脂性肌")]


def test_the_last_object_bears_the_buttons() -> None:
    """LINE shows quick replies under the newest message only; the other objects stay as they are."""
    messages = ({"type": "text", "text": "こんにちは"}, {"type": "text", "text": "お肌は？"})
    assert with_answers(messages, "care", ASK) == [messages[0], {**messages[1], "quickReply": {"items": BUTTONS}}]
    assert "quickReply" not in messages[1]


def test_the_buttons_that_a_message_has_of_its_own_come_after() -> None:
    """A way out beside the answers."""
    message = {"type": "text", "text": "お肌は？", "quickReply": {"items": [OWN]}}
    assert with_answers([message], "care", ASK)[0]["quickReply"] == {"items": [*BUTTONS, OWN]}
    assert message["quickReply"] == {"items": [OWN]}


def test_line_takes_the_longest_question_there_can_be() -> None:
    """13 answers of 20 characters, the longest names: within LINE's limits by its own models."""
    answers = tuple(chr(ord("あ") + index) * 20 for index in range(13))
    ask = Ask(ask=LONGEST, message="hello", answers=answers)
    assert messages_problems(dumps(with_answers(SMALL["messages"]["hello"], LONGEST, ask))) == ()


NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,62}\Z")


@given(
    NAMES,
    NAMES,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda a: utf16_length(a) <= 20),
)
def test_a_tap_says_which_answer_of_which_question(campaign: str, question: str, answer: str) -> None:
    """Whatever the names and the answer: what goes into a button comes out of its postback, by itself."""
    assert tapped(answer_data(campaign, question, answer)) == Tapped(campaign, question, answer)


@pytest.mark.parametrize(
    "data",
    ["", "menu=1", "todoke:ask:", "todoke:ask:care", "todoke:ask:care:skin", "todoke:ask:care:skin:",
     "todoke:ask::skin:はい", "todoke:ask:care::はい", "todoke:ask:Care:skin:はい", "todoke:ask:care:s kin:はい",
     " todoke:ask:care:skin:はい", "todoke:ask:care:skin:" + "は" * 21, "todoke:ask:care:skin:" + "😀" * 11],
)  # fmt: skip
def test_other_buttons_answer_nothing(data: str) -> None:
    """A shop's own postbacks, and what no button of ours says: answers are as long as LINE shows them."""
    assert tapped(data) is None
