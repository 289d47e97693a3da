"""Instants made to confuse, at every door that takes one: refused, put right or set aside, and never written."""

import json

import pytest

from tests.unit.ingest.knocking import to_collect, to_events, to_line, to_segment
from tests.unit.ingest.stand_ins import (
    BOT,
    NOW,
    USER,
    CheckedTopics,
    as_bytes,
    event,
    line_event,
)
from todoke_ingest.app import Doorway
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS


@pytest.mark.parametrize(
    "instant",
    [
        *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-23:59", "2200-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "1999-12-31T23:59:59Z"),
        *("2016-12-31T23:59:60Z", "2026-01-31T24:00:00Z", "2026-02-30T00:00:00Z", "2026-01-31T00:60:00Z"),
        *("2026-01-31T00:00:00+99:99", "2026-01-31T00:00:00", "2026-01-31", "20260131T000000Z", "1769817540"),
        *("２０２６-01-31T00:00:00Z", "-2026-01-31T00:00:00Z", "+12026-01-31T00:00:00Z", "2026-01-31T00:00:00Z\n"),
        *("2026-01-31T00:15:00.000001Z", "2026-01-31T09:15:01+09:00", "2026-01-31T00:00:00.0000000000Z"),
    ],
)
async def test_an_instant_that_is_none_or_nobodys_is_refused(app: Doorway, topics: CheckedTopics, instant: str) -> None:
    """Out of the years 2000 to 2199, off the calendar, ambiguous, or more than 15 minutes ahead: 400 names `time`."""
    told = await to_events(app, as_bytes(event(time=instant)))
    assert (told.status, json.loads(told.body)["errors"][0]["field"]) == (400, "time")
    assert topics.records == []


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        ("2026-01-31T00:15:00Z", "2026-01-31T00:15:00+00:00"),
        ("2026-01-31T09:15:00+09:00", "2026-01-31T00:15:00+00:00"),
        ("2026-01-31t00:00:00z", "2026-01-31T00:00:00+00:00"),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00+00:00"),
    ],
)
async def test_a_clock_somewhat_wrong_is_borne(app: Doorway, topics: CheckedTopics, instant: str, written: str) -> None:
    """15 minutes ahead to the microsecond, and any time ago: taken as told."""
    assert (await to_events(app, as_bytes(event(time=instant)))).status == 202
    [record] = topics.records
    assert EC_EVENTS.model.from_json(record.value).model_dump(mode="json")["time"].replace("Z", "+00:00") in (
        written,
        instant,
    )


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z"])
@pytest.mark.parametrize("sent_at", [None, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "rubbish", 5])
async def test_segments_clocks_may_say_anything(
    app: Doorway, topics: CheckedTopics, instant: str, sent_at: object
) -> None:
    """Never a 5xx, and nothing in the topic that lies ahead of us or before the year 2000."""
    traits = {"birthday": instant, "createdAt": instant, "registered_at": instant}
    message = {"type": "identify", "userId": "1", "timestamp": instant, "traits": traits}
    told = await to_segment(app, as_bytes({"batch": [message], "sentAt": sent_at}))
    assert told.status in (200, 400)
    for value in topics.values():
        assert "2000" <= str(value["time"]) <= NOW.isoformat()


@pytest.mark.parametrize("millis", [0, -1, 10**18, 253402300799999, 946_684_799_999, 1.5, "1769817540000", None, True])
async def test_a_line_event_out_of_time_is_a_dead_letter(app: Doorway, topics: CheckedTopics, millis: object) -> None:
    """LINE is answered 200, and the event is kept where a person sees it."""
    body = as_bytes({"destination": BOT, "events": [{**line_event(), "timestamp": millis}]})
    assert (await to_line(app, body)).status == 200
    [letter] = topics.records
    assert (letter.topic, letter.headers["todoke-field"]) == (LINE_EVENTS.dead_letters, "timestamp")
    assert USER.encode() in (letter.value or b"")


@pytest.mark.parametrize("time_ms", [0, -1, 1e300, 10**14, 10**15, 1.5, "1", None, True])
async def test_a_browsers_clock_may_say_anything(app: Doorway, topics: CheckedTopics, time_ms: object) -> None:
    """What is taken lies within a week before now, and never ahead."""
    seen = {"id": "i" * 20, "type": "page.viewed", "time": time_ms, "data": {}}
    for sent_at in (time_ms, 0, 10**14):
        told = await to_collect(app, as_bytes({"visitor": "v" * 20, "sent_at": sent_at, "events": [seen]}))
        assert told.status in (202, 400)
    assert all("2026-01-24" <= str(value["time"]) <= NOW.isoformat() for value in topics.values())
