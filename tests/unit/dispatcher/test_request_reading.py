"""Records of the request topics: into the ledger, or to the dead letters with a reason."""

import json

import pytest

from tests.support.deliveries import NOON, crowd, delivery, message_named, record, request, user_named
from todoke_dispatcher.adapters.stored_requests import read_stored
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.handlers import outcome, read_requests
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.kafka.dead_letters import dead_letters

GOOD = request().to_json()
BAD: dict[str, tuple[bytes, str, str]] = {
    "not JSON": (b"{", "", "Invalid JSON"),
    "empty": (b"", "", "no value"),
    "no content": (GOOD.replace(b'"messages"', b'"letters"'), "", "exactly one of template, messages and rich_menu"),
    "user id": (GOOD.replace(user_named("one").encode(), b"somebody"), "to", "match pattern"),
    "account": (GOOD.replace(b'"main","to"', b'"other","to"'), "account", "TODOKE_CONFIG"),
    "deep": (GOOD.replace(b'"text":"', b'"x":' + b"[" * 500 + b"]" * 500 + b',"text":"'), "", "Invalid JSON"),
    "NaN": (GOOD.replace(b'"type":"text"', b'"type":"text","size":NaN'), "", "finite number"),
    "year": (GOOD[:-1] + b',"expires_at":"9999-12-31T23:59:59-14:00"}', "expires_at", "2000 and 2199"),
    "NUL": (request(text="a\x00b").to_json(), "", "U+0000"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_a_dead_letter_and_the_rest_flows_on(case: str) -> None:
    """The letter is the untouched record with field and reason; the requests around it are taken."""
    value, field, reason = BAD[case]
    records = [record(GOOD, 0), record(value, 1), record(request("two"), 2)]
    found = read_requests(records, {"main"})
    [letter] = dead_letters(found.bad, service="dispatcher", unless=lambda _: False)
    assert [each.request.id for each in found.messages] == [message_named("one"), message_named("two")]
    assert (letter.topic, letter.key, letter.value) == ("message.requests.marketing.v1.dlq", b"key", value)
    assert field in letter.headers["todoke-field"]
    assert reason in letter.headers["todoke-reason"]
    assert user_named("one") not in str(dict(letter.headers))


NEWS = {"campaign": "news", "version": "3", "message": "hello", "variables": {"points": 12}}
ODD: list[tuple[bool, dict[str, object]]] = [
    (False, {"due_at": 1_795_230_000}),
    (True, {"due_at": "2026-11-21T10:00Z"}),
    (False, {"person": f"urn:uuid:{message_named('person')}"}),
    (False, {"template": NEWS, "messages": None}),
    (True, {"template": NEWS, "messages": None}),
]
"""For one or for many: good by the contract, and none of it in the form that we write ourselves."""


@pytest.mark.parametrize(("of_many", "odd"), ODD)
def test_what_the_contract_takes_can_be_read_in_the_ledger(of_many: bool, odd: dict[str, object]) -> None:
    """Whatever form a producer writes it in: else it would lie there unread for ever, or stop all recording."""
    asked = json.loads((crowd("one", "two") if of_many else request()).to_json()) | odd
    found = read_requests([record(json.dumps(asked).encode())], {"main"})
    assert not found.bad
    [value] = [each.value for each in found.messages] + [each.request_of(each.members[0]) for each in found.crowds]
    kept = read_stored(value)
    meant = MessageRequest.from_json(json.dumps(asked | {"id": str(message_named("one")), "to": kept.to}).encode())
    assert (kept.due_at, kept.person, kept.to) == (meant.due_at, meant.person, user_named("one"))
    assert MessageRequest.from_json(value).template == meant.template


def test_what_can_be_read_is_kept_to_the_letter() -> None:
    """The producer's own words, and its fields that we do not know."""
    value = GOOD[:-1] + b', "added_in_v9": 1}'
    [found] = read_requests([record(value)], {"main"}).messages
    assert found.value == value


def test_an_outcome_tells_whose_message_it_was_and_why() -> None:
    """Its id depends on message and state only, so that telling it twice is telling it once."""
    person = message_named("person")
    asked = request(person=person, campaign="welcome", step="hello")
    held = delivery(state=State.HELD, reason="monthly limit", request=asked)
    first, second = outcome(held, NOON), outcome(held, NOON)
    assert first is not None
    assert first == second
    told = Outcome.from_json(first.value)
    assert (told.state, told.reason, told.campaign, told.step) == ("held", "monthly limit", "welcome", "hello")
    assert (first.topic, first.key) == ("message.outcomes.v1", str(person).encode())


def test_an_outcome_without_a_person_is_keyed_by_the_line_user() -> None:
    """So that all outcomes of one recipient keep their order."""
    told = outcome(delivery(state=State.ACCEPTED), NOON)
    assert told is not None
    assert told.key == f"line:main:{user_named('one')}".encode()


@pytest.mark.parametrize("state", [State.WAITING, State.ATTEMPTING])
def test_there_is_nothing_to_tell_while_a_message_is_on_its_way(state: State) -> None:
    """Outcomes are for what has come to something."""
    assert outcome(delivery(state=state), NOON) is None
