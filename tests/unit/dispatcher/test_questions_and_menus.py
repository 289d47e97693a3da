"""A question's answers become buttons of the rendered message; a rich menu costs nothing and is asked for by alias."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import NOON, delivery, record, request
from tests.unit.shared.campaign_files import SMALL
from todoke_dispatcher.domain.asking import with_question
from todoke_dispatcher.domain.decide import Channel, must_stand_by
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.menus import alias_of, judge_menu, menu_body
from todoke_dispatcher.domain.rendering import RenderError
from todoke_dispatcher.domain.verdict import Answer, Refused, is_lines, judge
from todoke_dispatcher.handlers import read_requests
from todoke_shared.campaigns.model import Campaign

ASKING = Campaign.model_validate(
    {
        **SMALL,
        "steps": [
            {"if": {"friend": True}, "then": [{"ask": "size", "message": "hello", "answers": ["S", "{{ x }}"]}]},
            {"ask": "colour", "message": "hello", "answers": ["赤", "青"]},
        ],
    }
)
FILLED = [{"type": "text", "text": "こんにちは"}, {"type": "text", "text": "どれ？"}]


def labels(messages: object) -> list[str]:
    """The buttons' words under the last object."""
    assert isinstance(messages, list)
    return [item["action"]["label"] for item in messages[-1]["quickReply"]["items"]]


def test_the_answers_of_the_question_asked_stand_under_the_message() -> None:
    """Wherever its step stands, and not those of another question; an answer is no template."""
    assert labels(with_question(FILLED, ASKING, "size")) == ["S", "{{ x }}"]
    assert labels(with_question(FILLED, ASKING, "colour")) == ["赤", "青"]
    assert "quickReply" not in FILLED[-1]


def test_a_question_that_the_campaign_does_not_ask_fails_the_message() -> None:
    """A message without its buttons would wait for an answer that nobody can give."""
    with pytest.raises(RenderError, match="asks no question weight"):
        with_question(FILLED, ASKING, "weight")


def test_a_menu_is_asked_for_by_its_alias_and_none_unlinks() -> None:
    """What the ledger keeps says both."""
    link = request(rich_menu="member", messages=None)
    unlink = request(rich_menu="none", messages=None)
    assert (alias_of(link), alias_of(unlink)) == ("member", None)
    assert json.loads(menu_body(link)) == {"to": link.to, "richMenu": "member"}
    assert json.loads(menu_body(unlink)) == {"to": unlink.to, "richMenu": None}


def test_a_menu_in_the_marketing_lane_is_a_dead_letter_that_says_where_it_belongs() -> None:
    """There it would wait behind a broadcast, for a place in the month that it does not need."""
    menu = request(rich_menu="member", messages=None)
    [(_, error)] = read_requests([record(menu)], {"main"}).bad
    assert "message.requests.transactional.v1" in str(error)
    assert error.field == "rich_menu"
    [taken] = read_requests([record(menu, lane="transactional")], {"main"}).messages
    assert taken.request == menu


def test_only_a_stopped_channel_holds_a_menu() -> None:
    """The month does not count it."""
    menu = delivery(lane="transactional", request=request(rich_menu="member", messages=None))
    assert must_stand_by(menu, Channel("main"), wall=NOON) is None
    held = must_stand_by(menu, Channel("main", stopped="LINE 401"), wall=NOON)
    assert held is not None
    assert (held.state, held.reason) == (State.HELD, "channel stopped: LINE 401")


@given(st.integers(100, 599), st.binary(max_size=40), st.none() | st.just("id"), st.sampled_from(["member", None]))
def test_what_line_says_of_a_menu_means_what_it_means_of_a_message(
    status: int, body: bytes, request_id: str | None, alias: str | None
) -> None:
    """But for 404: of a message it is not LINE's word, of a menu it is the last one."""
    answer = Answer(status, body, request_id)
    verdict = judge_menu(answer, alias)
    assert isinstance(verdict, Refused) if status == 404 and is_lines(answer) else verdict == judge(answer)
