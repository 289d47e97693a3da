"""The Idempotency-Key header: what is one, and what it makes of a request."""

import pytest

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, event, new_door
from todoke_ingest.answers import Problem
from todoke_ingest.domain.cloudevents import BATCH, SINGLE
from todoke_ingest.domain.idempotency import digest_of, with_ids


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def door(topics: CheckedTopics) -> Doors:
    """The doors, without PostgreSQL."""
    return new_door(topics)


@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "x" * 256, "鍵", "\x7f", "a\x00"])
async def test_what_is_no_key_is_refused(door: Doors, topics: CheckedTopics, key: str) -> None:
    """400 that names the header; nothing is published."""
    answer = await door.take_events(as_bytes(event()), SINGLE, {"Idempotency-Key": key})
    assert answer.status == 400
    assert isinstance(answer.body, Problem)
    assert answer.body.errors[0].field == "Idempotency-Key"
    assert topics.records == []


async def test_a_request_of_which_nothing_is_taken_claims_no_key(door: Doors) -> None:
    """Put right, it may come again under the same key: PostgreSQL (which is not there) is not even asked."""
    answer = await door.take_events(as_bytes([event(type=None)]), BATCH, {"Idempotency-Key": "a"})
    assert answer.status == 400


def test_an_event_without_an_id_has_one_of_its_key_and_place() -> None:
    """The same at each repeat; another under another key, shop or place. Its own id stays, and so does what is none."""
    events: list[object] = [event(id=None), {**event(), "id": None}, event(id="own"), 7]

    def ids(shop: str = "main", key: str = "k") -> list[object]:
        return [one["id"] if isinstance(one, dict) else one for one in with_ids(events, shop, key)]

    first = ids()
    assert first == ids()
    assert first[2:] == ["own", 7]
    made = [*first[:2], *ids(key="k2")[:2], *ids(shop="outlet")[:2]]
    assert len(set(made)) == 6
    assert events[0] == event(id=None)


def test_the_ids_of_keys_never_change() -> None:
    """A repeat after an upgrade of ours is still a repeat."""
    assert with_ids([{}], "main", "order-1") == [{"id": "f1c9fd09-8b67-5f77-b3c3-1bdfac1aec62"}]


def test_another_body_or_another_attribute_is_another_request() -> None:
    """In binary mode the headers are the event; other headers, which proxies change, do not count."""
    plain = digest_of(b"{}", {"x-request-id": "1"})
    assert plain == digest_of(b"{}", {"x-request-id": "2"})
    others = [
        digest_of(b"{} ", {}),
        digest_of(b"{}", {"ce-id": "1"}),
        digest_of(b"{}", {"ce-id": "2"}),
        digest_of(b"ce-id:1\n{}", {}),
    ]
    assert len({plain, *others}) == 5
    assert digest_of(b"", {"ce-a": "1", "ce-b": "2"}) == digest_of(b"", {"ce-b": "2", "ce-a": "1"})
