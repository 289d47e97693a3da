"""What we write ourselves, by the million and by shorter ways, is what the contracts and Kafka's clients say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiokafka.partitioner import murmur2 as aiokafkas
from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.contracts.requests import MessageRequest, OwnRequest, OwnTemplateRef
from todoke_shared.kafka.murmur2 import murmur2

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VARIABLES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(TEXT, st.integers(-9, 9) | TEXT | st.lists(TEXT))


CONTENTS = st.builds(
    lambda variables, question: {"template": OwnTemplateRef("care", 3, "hello", variables, question)},
    VARIABLES,
    st.sampled_from([None, "skin-type"]),
) | st.sampled_from([{"rich_menu": "member"}, {"rich_menu": "none"}])


@given(st.uuids(), INSTANTS, st.none() | st.timedeltas(timedelta(), timedelta(9)), CONTENTS)
def test_our_own_request_is_the_contracts_on_the_wire(
    id_: UUID, due: datetime, expires: timedelta | None, content: dict[str, Any]
) -> None:
    """Every field, an absent end too: read as a MessageRequest nothing is unknown, and that writes the same JSON."""
    own = OwnRequest(
        schema_version=1,
        id=id_,
        shop="tea",
        account="main",
        to=f"U{id_.hex}",
        person=id_,
        campaign="care",
        step="hello",
        enrolment=id_,
        due_at=due,
        expires_at=None if expires is None else due + expires,
        **content,
    )
    read = MessageRequest.from_json(own.to_json())
    assert not read.model_extra
    assert json.loads(read.to_json()) == json.loads(own.to_json())
    assert (read.id, read.shop, read.due_at, read.expires_at) == (own.id, own.shop, own.due_at, own.expires_at)
    given_fields = set(OwnRequest.__struct_fields__) - {"template", "rich_menu"} | set(content)
    assert read.model_fields_set == given_fields - ({"expires_at"} if expires is None else set())
    if read.template is not None:
        assert not read.template.model_extra


@given(st.binary(max_size=100))
def test_a_key_is_hashed_as_kafkas_clients_do(key: bytes) -> None:
    """A person's records share a partition, whoever writes them."""
    assert murmur2(key) == aiokafkas(key) & 0xFFFFFFFF
