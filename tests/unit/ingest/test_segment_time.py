"""When it happened: the sender's clock is put right by the moment of sending, and nothing happens in the future."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ingest.stand_ins import NOW
from todoke_ingest.domain.segment_time import occurred_at
from todoke_shared.errors import BadMessageError

PAST = st.datetimes(datetime(2001, 1, 1), datetime(2026, 1, 30), timezones=st.just(UTC))  # noqa: DTZ001
WAITS = st.timedeltas(timedelta(0), timedelta(days=300))
SKEWS = st.timedeltas(timedelta(days=-4000), timedelta(days=4000))
ANY = st.none() | st.integers() | st.text() | st.booleans() | st.datetimes().map(datetime.isoformat)


@given(WAITS, SKEWS)
def test_a_wrong_clock_is_taken_out(waited: timedelta, skew: timedelta) -> None:
    """However far the sender's clock is off, what waited that long to be sent happened that long ago."""
    happened, sent = NOW - waited + skew, NOW + skew
    assert occurred_at({"timestamp": happened.isoformat()}, sent.isoformat(), NOW) == NOW - waited


@given(PAST)
def test_history_stays_where_it_was(happened: datetime) -> None:
    """An import with a right clock keeps its dates, with sentAt and without."""
    assert occurred_at({"timestamp": happened.isoformat()}, NOW.isoformat(), NOW) == happened
    assert occurred_at({"timestamp": happened.isoformat()}, None, NOW) == happened


@given(PAST, PAST)
def test_a_sending_before_the_happening_corrects_nothing(one: datetime, two: datetime) -> None:
    """No message is sent before what it tells: the two are not of one clock."""
    sent, happened = sorted((one, two))
    expected = happened if happened - sent >= timedelta(seconds=1) else NOW
    assert occurred_at({"timestamp": happened.isoformat()}, sent.isoformat(), NOW) == expected


def test_whole_seconds_are_no_sending_before_the_happening() -> None:
    """PHP's library cuts the fraction off sentAt; its clock, an hour ahead, is put right all the same."""
    assert occurred_at({"timestamp": "2026-01-31T01:00:00.700Z"}, "2026-01-31T01:00:00Z", NOW) == NOW


@pytest.mark.parametrize(
    "nonsense", [None, 5, "", "soon", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2099-01-01T00:00:00Z", [], {}]
)
def test_a_nonsense_sent_at_changes_nothing(nonsense: object) -> None:
    """The timestamp counts as it is."""
    assert occurred_at({"timestamp": "2026-01-30T12:00:00Z"}, nonsense, NOW) == datetime(2026, 1, 30, 12, tzinfo=UTC)


def test_the_original_timestamp_stands_in() -> None:
    """RudderStack's name for it counts where there is no timestamp, or none that can be read."""
    expected = datetime(2026, 1, 30, 12, tzinfo=UTC)
    assert occurred_at({"originalTimestamp": "2026-01-30T12:00:00Z"}, None, NOW) == expected
    assert occurred_at({"timestamp": "?", "originalTimestamp": "2026-01-30T12:00:00Z"}, None, NOW) == expected


def test_a_time_without_an_offset_is_utc() -> None:
    """As Segment has it."""
    assert occurred_at({"timestamp": "2026-01-30T12:00:00"}, None, NOW) == datetime(2026, 1, 30, 12, tzinfo=UTC)


@given(ANY.filter(lambda value: value is None or isinstance(value, str)), ANY)
def test_nothing_happens_in_the_future(timestamp: object, sent_at: object) -> None:
    """Whatever the two say."""
    try:
        time = occurred_at({"timestamp": timestamp}, sent_at, NOW)
    except BadMessageError:
        return
    assert time <= NOW
