"""How a question is put in LINE: each answer is a quick-reply button under the message's last object.

LINE shows the buttons under the newest message only, and they go when the person writes or taps; one tap sends the
answer as the person's own words (`displayText`) and our data to the webhook
(https://developers.line.biz/en/docs/messaging-api/using-quick-reply/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from todoke_shared.campaigns.steps import Ask

_DATA = "todoke:ask:"


@dataclass(frozen=True)
class Tapped:
    """Which answer a button stands for: its place among the question's answers, from 0."""

    campaign: str
    question: str
    index: int


def with_answers(messages: Sequence[Mapping[str, Any]], campaign: str, ask: Ask) -> list[dict[str, Any]]:
    """The message objects with a button for each answer, before those that the last object may have of its own."""
    *before, last = map(dict, messages)
    own = last.get("quickReply") or {}
    buttons = [_button(answer, answer_data(campaign, ask.ask, index)) for index, answer in enumerate(ask.answers)]
    return [*before, {**last, "quickReply": {**own, "items": [*buttons, *own.get("items", [])]}}]


def answer_data(campaign: str, question: str, index: int) -> str:
    """The postback data of an answer's button."""
    return f"{_DATA}{campaign}:{question}:{index}"


def tapped(data: str) -> Tapped | None:
    """What a postback's data says, None when it is of no question."""
    if not data.startswith(_DATA):
        return None
    campaign, _, rest = data.removeprefix(_DATA).partition(":")
    question, _, index = rest.partition(":")
    if not (campaign and question and index.isascii() and index.isdigit() and len(index) <= 2):
        return None
    return Tapped(campaign, question, int(index))


def _button(answer: str, data: str) -> dict[str, Any]:
    # `ask` holds answers to LINE's limit of a label, so that what is tapped is what is shown.
    return {
        "type": "action",
        "action": {"type": "postback", "label": answer, "data": data, "displayText": answer},
    }
