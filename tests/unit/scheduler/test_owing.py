"""What is owed becomes a request that anybody can tell apart, and that ends when it is of no use."""

from datetime import timedelta

import pytest

from tests.support.random_campaigns import PERSON, START, run_of, written
from todoke_scheduler.domain.effects import LinkRichMenu, Owed
from todoke_scheduler.domain.owing import menu_request, message_request
from todoke_scheduler.domain.recipient import PersonNow
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import OwnRequest
from todoke_shared.ids import message_id

HANA = PersonNow(PERSON, {"main": "U1", "second": "U2"})
CARE = written([{"send": "hello"}])
NOW = START + timedelta(minutes=3)


def asked(campaign: Campaign = CARE) -> OwnRequest:
    """The request for a message that asks a question, owed since the start."""
    owed = Owed("hello", "4:hello", START, question="skin")
    return message_request(run_of(), owed, campaign, HANA, frozenset({"event"}), NOW)


def test_a_message_is_told_by_its_run_and_step_and_the_step_by_its_name() -> None:
    """Twice in one run it is two messages; reports add them up by the name."""
    request = asked()
    assert request.template is not None
    assert (request.id, request.step) == (message_id(run_of().id, "4:hello"), "hello")
    assert (request.to, request.person, request.enrolment) == ("U1", PERSON, run_of().id)
    assert (request.due_at, request.expires_at, request.rich_menu) == (START, None, None)
    assert (request.template.message, request.template.question) == ("hello", "skin")
    assert request.template.variables == {"event": {}}


def test_it_goes_to_the_campaigns_account_and_ends_so_long_after_it_was_due() -> None:
    """Not after it was carried out."""
    request = asked(written([{"send": "hello"}], account="second", expires="1h"))
    assert (request.account, request.to, request.expires_at) == ("second", "U2", START + timedelta(hours=1))


@pytest.mark.parametrize(("menu", "says"), [("member", "member"), (None, "none")])
def test_a_menu_is_linked_or_taken_away_now(menu: str | None, says: str) -> None:
    """By LINE's alias, or the contract's word for none."""
    request = menu_request(run_of(), LinkRichMenu(menu, f"2:{menu}"), CARE, HANA, NOW)
    assert request is not None
    assert (request.rich_menu, request.template, request.due_at, request.step) == (says, None, NOW, str(menu))


def test_no_menu_is_linked_to_who_is_no_friend_of_the_account() -> None:
    """Of another they may be; messages the guards have kept from them."""
    stranger = PersonNow(PERSON, {"second": "U2"})
    assert menu_request(run_of(), LinkRichMenu("member", "2:member"), CARE, stranger, NOW) is None
