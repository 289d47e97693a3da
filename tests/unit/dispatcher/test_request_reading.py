"""Records of the request topics: into the ledger, or to the dead letters with a reason."""

import pytest

from tests.support.deliveries import NOON, delivery, message_named, record, request, user_named
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.handlers import outcome, read_requests
from todoke_shared.contracts.outcomes import Outcome
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
