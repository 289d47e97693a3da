"""Identities: the same cause, the same id; another cause, another id; today's ids are tomorrow's."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from hypothesis import example, given
from hypothesis import strategies as st

from todoke_shared import ids
from todoke_shared.postgres.stream import OUTBOX_SHARDS, shard_of

PERSON = ids.person_id("main", "customer:1")
RUN = ids.enrolment_id("welcome", PERSON, "", datetime(2026, 2, 3, tzinfo=UTC))
MESSAGE = ids.message_id(RUN, "0:welcome")
parts = st.text("ab|\\", max_size=4)


def test_ids_of_today_are_ids_of_tomorrow() -> None:
    """A changed rule would send every message of the last day again; these were made by the first version."""
    chain = (PERSON, RUN, MESSAGE, ids.retry_key(MESSAGE, 0), ids.outcome_id(MESSAGE, "held"))
    assert [str(made) for made in chain] == [
        "09e3f9bf-51e0-5123-b3d2-22fba73aa211",
        "b953a332-83b0-52a0-87b8-fa531a49fccc",
        "c80b30ef-3081-5514-8975-49dbb6430555",
        "14951dc1-04d4-5c3f-8c74-5d62bad2f42c",
        "11441f5f-1c11-5fca-bdc2-c59dca394cb5",
    ]
    assert str(ids.event_key("main", "https://shop.example", "evt-1")) == "cf7e75bf-88d3-577e-8640-8b469ca535d9"
    assert str(ids.trigger_id(PERSON, "welcome", "enter", PERSON)) == "cde95a6b-b427-5325-bda0-8acbd9be3bba"


@given(st.text(max_size=9))
def test_an_id_is_a_uuid_of_version_5(name: str) -> None:
    """As any other system can make it from its parts, by the standard's own rule."""
    people = uuid5(UUID("0f1d7f3e-58f1-5c4e-9b0a-7d0d0ce0e001"), "person")
    made, expected = ids.person_id("main", name), uuid5(people, f"main|{name}")
    assert made == expected and hash(made) == hash(expected)
    assert (repr(made), made.version, made.is_safe) == (repr(expected), 5, expected.is_safe)


@example([("a|b", "c"), ("a", "b|c")])
@example([("a\\", "b|c"), ("a|b", "c")])
@example([("a\\|b", "c"), ("a", "b|c")])
@given(st.lists(st.tuples(parts, parts), min_size=2, max_size=2, unique=True))
def test_two_events_are_never_one(pairs: list[tuple[str, str]]) -> None:
    """Whatever characters a source and its ids are made of."""
    (source, source_id), (other, other_id) = pairs
    assert ids.event_key("main", source, source_id) != ids.event_key("main", other, other_id)
    assert ids.event_key("main", source, source_id) == ids.event_key("main", source, source_id)


def test_every_part_of_an_id_counts() -> None:
    """Another shop, person, campaign, key, instant, step, epoch or state is another thing."""
    at = datetime(2026, 2, 3, tzinfo=UTC)
    made: list[UUID] = [
        *(ids.person_id(shop, name) for shop in ("main", "second") for name in ("customer:1", "visitor:1")),
        *(ids.enrolment_id(c, PERSON, k, at) for c in ("a", "b") for k in ("", "x")),
        ids.enrolment_id("a", PERSON, "", at + timedelta(microseconds=1)),
        ids.enrolment_id("a", RUN, "", at),
        *(ids.trigger_id(MESSAGE, "a", kind, PERSON) for kind in ("enter", "exit")),
        *(ids.message_id(RUN, step) for step in ("0:a", "1:a")),
        *(ids.retry_key(MESSAGE, epoch) for epoch in (0, 1)),
        *(ids.outcome_id(MESSAGE, state) for state in ("held", "accepted")),
        *(ids.multicast_id(MESSAGE, claim) for claim in (1, 2)),
        *(ids.half_id(MESSAGE, half) for half in (0, 1)),
    ]
    assert len(set(made)) == len(made)


def test_an_instant_is_one_whatever_its_offset() -> None:
    """09:00 in Tokyo and 00:00 UTC start the same run."""
    assert ids.enrolment_id("welcome", PERSON, "", datetime.fromisoformat("2026-02-03T09:00:00+09:00")) == RUN


def test_a_person_keeps_their_outbox_shard() -> None:
    """Across processes and versions: two relays may never publish one person's records side by side."""
    assert [shard_of(key) for key in (b"", b"a", str(PERSON).encode(), "届け".encode())] == [0, 1, 2, 5]
    assert shard_of(None) == 0


@given(st.binary(max_size=40))
def test_a_shard_is_one_of_those_that_relays_own(key: bytes) -> None:
    """A record in any other would never leave."""
    assert 0 <= shard_of(key) < OUTBOX_SHARDS
