"""What is said of a record that cannot be read: storable everywhere, and never the input itself."""

import json
from uuid import uuid4

import pytest

from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.dead_letters import dead_letter
from todoke_shared.kafka.records import Record

TRIGGER = {
    "id": str(uuid4()),
    "kind": "enter",
    "campaign": "care",
    "person": str(uuid4()),
    "at": "2026-04-01T03:00:00Z",
}


@pytest.mark.parametrize("field", ["id", "person"])
@pytest.mark.parametrize("wrong", ["\x00", "秘密", "0f0e0d0c-0000-4000-8000-00000000000\x00"])
def test_what_is_wrong_with_a_uuid_is_said_without_its_characters(field: str, wrong: str) -> None:
    """pydantic quotes the wrong character: a U+0000 would make the letter unstorable, and another is personal."""
    with pytest.raises(BadMessageError) as caught:
        Trigger.from_json(json.dumps(TRIGGER | {field: wrong}).encode())
    assert (caught.value.field, caught.value.reason) == (field, "must be a UUID")


def test_a_dead_letters_headers_hold_no_nul() -> None:
    """Whatever made the reason: PostgreSQL's jsonb could not hold the letter, and its batch would never end."""
    error = BadMessageError("found \x00 where none may be", field="data.\x00")
    letter = dead_letter(Record("t.v1", 0, 0, b"\x00", b"\x00"), error, service="segmenter")
    assert (letter.key, letter.value) == (b"\x00", b"\x00")
    assert letter.headers["todoke-reason"] == "found \ufffd where none may be"
    assert letter.headers["todoke-field"] == "data.\ufffd"


@pytest.mark.parametrize("model", [Trigger, MessageRequest])
def test_a_tombstone_is_a_bad_message_and_its_letter_has_neither_key_nor_value(
    model: type[Trigger] | type[MessageRequest],
) -> None:
    """Nothing is invented for it; the reason says what it was."""
    with pytest.raises(BadMessageError, match="no value") as caught:
        model.from_json(None)
    letter = dead_letter(Record("t.v1", 2, 5, None, None), caught.value, service="scheduler")
    assert (letter.key, letter.value) == (None, None)
    assert letter.headers["todoke-origin"] == "t.v1/2/5"
