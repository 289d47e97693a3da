"""How a question is put in LINE: each answer is a quick-reply button under the message's last object.

LINE shows the buttons under the newest message only, and they go when the person writes or taps; one tap sends the
answer as the person's own words (`displayText`) and our data to the webhook
(https://developers.line.biz/en/docs/messaging-api/using-quick-reply/).

The data says which question, and the answer itself: a tap means the same for ever, whatever version of the campaign is
in force when it comes, or when the topics are folded once more. Two names and an answer take half of LINE's 300
characters at most.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from todoke_shared.campaigns.steps import LONGEST_ANSWER, Ask, utf16_length

_DATA = "todoke:ask:"
_NAME = "[a-z0-9][a-z0-9_-]{0,62}"
_TAPPED = re.compile(f"{_DATA}(?P<campaign>{_NAME}):(?P<question>{_NAME}):(?P<answer>.+)", re.DOTALL)
"""Answers may hold anything, colons too: they come last."""


@dataclass(frozen=True)
class Tapped:
    """Which answer a button stands for, to which question of which campaign."""

    campaign: str
    question: str
    answer: str


def with_answers(messages: Sequence[Mapping[str, Any]], campaign: str, ask: Ask) -> list[dict[str, Any]]:
    """The message objects with a button for each answer, before those that the last object may have of its own."""
    *before, last = map(dict, messages)
    own = last.get("quickReply") or {}
    buttons = [_button(answer, answer_data(campaign, ask.ask, answer)) for answer in ask.answers]
    return [*before, {**last, "quickReply": {**own, "items": [*buttons, *own.get("items", [])]}}]


def answer_data(campaign: str, question: str, answer: str) -> str:
    """The postback data of an answer's button."""
    return f"{_DATA}{campaign}:{question}:{answer}"


def tapped(data: str) -> Tapped | None:
    """What a postback's data says, None when it is of no question."""
    found = _TAPPED.fullmatch(data)
    return None if found is None or utf16_length(found["answer"]) > LONGEST_ANSWER else Tapped(**found.groupdict())


def _button(answer: str, data: str) -> dict[str, Any]:
    # `ask` holds answers to LINE's limit of a label, so that what is tapped is what is shown.
    return {
        "type": "action",
        "action": {"type": "postback", "label": answer, "data": data, "displayText": answer},
    }
