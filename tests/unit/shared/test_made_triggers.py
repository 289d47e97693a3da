"""A trigger that is made without being judged says what the contract's own would say."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.contracts.triggers import Cause, MadeCause, MadeTrigger, Trigger
from todoke_shared.jsons import loads

NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,9}\Z")
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=9)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
START = datetime(2000, 1, 2, tzinfo=UTC)
SECONDS = st.integers(0, 10**9) | st.floats(0, 10**9)
OFFSETS = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))])
FIELDS = st.fixed_dictionaries(
    {
        "id": st.uuids(),
        "kind": st.sampled_from(["enter", "exit", "goal", "answer", "refused"]),
        "shop": NAMES,
        "campaign": NAMES,
        "person": st.uuids(),
        "key": TEXTS,
        "at": st.builds(
            lambda seconds, offset: START.astimezone(offset) + timedelta(seconds=seconds), SECONDS, OFFSETS
        ),
        "context": st.dictionaries(TEXTS, VALUES, max_size=3),
    }
)


@given(FIELDS, TEXTS, st.uuids())
def test_it_is_written_as_the_contract_writes_it(fields: dict[str, Any], type_: str, key: Any) -> None:
    """Field for field, in the contract's order; and the contract reads it."""
    made = MadeTrigger(**fields, cause=MadeCause(type_, key))
    judged = Trigger(**fields, cause=Cause(type=type_, key=key))
    assert list(loads(made.to_json()).items()) == list(loads(judged.to_json()).items())
    assert Trigger.from_json(made.to_json()).to_json() == judged.to_json()


def test_it_has_every_field_of_the_contract() -> None:
    """A field that the contract gains is one that somebody has to fill in; we know the person, so that there is no
    subject."""
    assert MadeTrigger.__struct_fields__ == tuple(name for name in Trigger.model_fields if name != "subject")
    assert MadeCause.__struct_fields__ == tuple(Cause.model_fields)
