"""Dead letters: the record untouched, the reason beside it, and a limit for our own mistakes."""

import pytest

from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.kafka.dead_letters import FEW, LARGEST_VALUE, BadRecord, DeadLetterLimit, dead_letter
from todoke_shared.kafka.publish import MAX_RECORD_BYTES
from todoke_shared.kafka.records import Record


def test_a_dead_letter_is_the_record_untouched_with_its_reason() -> None:
    """Whoever repairs it finds the bytes, where they came from, and what was wrong."""
    letter = dead_letter(
        Record("t.v1", 3, 41, b"key", b"\xff"), BadMessageError("is not JSON", field="data"), service="segmenter"
    )
    assert (letter.topic, letter.key, letter.value) == ("t.v1.dlq", b"key", b"\xff")
    assert letter.headers == {
        "todoke-service": "segmenter",
        "todoke-reason": "is not JSON",
        "todoke-field": "data",
        "todoke-origin": "t.v1/3/41",
    }


def test_a_dead_letter_keeps_the_records_own_headers() -> None:
    """In binary mode the event stands there; what is not text is spelled out, and our own words cannot be forged."""
    headers = (("ce_id", b"1"), ("ce_subject", b"\xff\x00"), ("todoke-reason", b"forged"), ("a\x00", b"b"))
    letter = dead_letter(
        Record("t.v1", 0, 0, None, b"{}", headers), BadMessageError("must be UTF-8", field="ce_subject"), service="x"
    )
    assert letter.headers == {
        "ce_id": "1",
        "ce_subject": "\\xff\N{REPLACEMENT CHARACTER}",
        "a\N{REPLACEMENT CHARACTER}": "b",
        "todoke-service": "x",
        "todoke-reason": "must be UTF-8",
        "todoke-field": "ce_subject",
        "todoke-origin": "t.v1/0/0",
    }


def test_a_letter_always_fits_into_its_topic() -> None:
    """A record just under Kafka's limit has no room for headers; a letter that cannot be written would block all."""
    record = Record("t.v1", 0, 7, b"k", b"x" * 1_048_000, tuple((f"h{n}", b"\xff" * 9_000) for n in range(9)))
    letter = dead_letter(record, BadMessageError("r" * 10_000, field="f" * 10_000), service="segmenter")
    assert letter.value is None
    assert letter.headers["todoke-left-out"] == "1048000 bytes"
    assert sum(map(len, letter.headers.values())) + LARGEST_VALUE < MAX_RECORD_BYTES


def bad(number: int, *, gibberish: bool = False) -> list[BadRecord]:
    """So many records that cannot be read."""
    error = BadMessageError("cannot be read", gibberish=gibberish)
    return [(Record("t.v1", 0, offset, None, b"{"), error) for offset in range(number)]


def test_a_process_that_never_read_well_stops_instead_of_draining_the_topic() -> None:
    """A bad deploy finds everything bad from its first batch on."""
    limit = DeadLetterLimit()
    limit.check(good=0, bad=bad(FEW))
    with pytest.raises(SlowDownError, match="Roll it back"):
        limit.check(good=0, bad=bad(FEW + 1))
    with pytest.raises(SlowDownError):
        limit.check(good=30, bad=bad(70))


def test_a_bad_producer_does_not_stop_the_others() -> None:
    """Once a process has read well, what is bad is the producer's: it is dead-lettered, however much of it comes."""
    limit = DeadLetterLimit()
    limit.check(good=2, bad=bad(1))
    limit.check(good=0, bad=bad(500))


def test_gibberish_stops_nobody() -> None:
    """No release of ours could have read it, so a flood of it says nothing about this one."""
    limit = DeadLetterLimit()
    limit.check(good=0, bad=bad(500, gibberish=True))


@pytest.mark.parametrize("value", [None, b"", b"\xff\x00", b"{", b"[1, 2"])
def test_what_is_no_json_is_known_as_gibberish(value: bytes | None) -> None:
    """And only that: a JSON value of the wrong shape may be our own mistake."""
    with pytest.raises(BadMessageError) as error:
        EcEvent.from_json(value)
    assert error.value.gibberish
    with pytest.raises(BadMessageError) as error:
        EcEvent.from_json(b'{"specversion": "1.0"}')
    assert not error.value.gibberish
