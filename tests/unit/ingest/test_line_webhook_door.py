"""POST /webhooks/line/{account}: only LINE gets in, and one bad event never holds up the others."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import (
    BOT,
    NOW,
    OLD_SECRET,
    SECRET,
    USER,
    CheckedTopics,
    as_bytes,
    delivery,
    line_event,
    new_door,
    sign,
)
from todoke_ingest.answers import Answer, Problem
from todoke_ingest.handlers.intake import Intake
from todoke_shared.accounts import Account, Config
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.topics import LINE_EVENTS
from todoke_shared.telemetry.seldom import Seldom


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def door(topics: CheckedTopics) -> Doors:
    """A door with one account, whose bot is known."""
    return new_door(topics, destination=BOT)


async def deliver(door: Doors, body: bytes) -> Answer:
    """As LINE does it."""
    return await door.take_line_webhook("main", body, sign(body))


def field_of(answer: Answer) -> str:
    """The field that a problem names."""
    assert isinstance(answer.body, Problem)
    [error] = answer.body.errors
    return error.field


async def test_each_event_is_a_record_under_its_user(door: Doors, topics: CheckedTopics) -> None:
    """200 {} once all is durable, each event untouched with account, shop and times."""
    message = line_event(
        type="message", webhookEventId="01KG8Q9V7ZJ3V8C1S6T4R2M0XB", message={"type": "text", "text": "茶"}
    )
    answer = await deliver(door, delivery(line_event(), message))
    assert (answer.status, answer.content()) == (200, b"{}")
    assert [record.key for record in topics.records] == [f"line:main:{USER}".encode()] * 2
    follow, said = (LineEvent.from_json(record.value) for record in topics.records)
    assert (follow.account, follow.shop, follow.event) == ("main", "main", line_event())
    assert (follow.webhook_event_id, follow.received_at) == ("01KG8Q9V7ZJ3V8C1S6T4R2M0XA", NOW)
    assert follow.occurred_at == datetime(2026, 1, 30, 23, 59, tzinfo=UTC)
    assert said.event == message


@pytest.mark.parametrize("secret", [OLD_SECRET, SECRET])
async def test_both_secrets_open_while_one_is_replaced(door: Doors, secret: str) -> None:
    """A reissued secret needs no moment of silence."""
    body = delivery(line_event())
    assert (await door.take_line_webhook("main", body, sign(body, secret))).status == 200


@pytest.mark.parametrize(
    "signature", [None, "", "署名", "caf\xe9", "\udcff", sign(b"another body"), sign(delivery(line_event()), "guessed")]
)
async def test_nobody_else_gets_in(door: Doors, topics: CheckedTopics, signature: str | None) -> None:
    """A missing, foreign or wrong signature is 401 and leaves nothing in any topic."""
    answer = await door.take_line_webhook("main", delivery(line_event()), signature)
    assert (answer.status, field_of(answer), topics.records) == (401, "x-line-signature", [])


async def test_a_signature_by_another_secret_is_logged_once_a_minute(
    topics: CheckedTopics, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a mistyped channel secret looks like silence; and a stranger cannot fill the log."""
    minutes = [0.0]
    intake = replace(new_door(topics).intake, seldom=Seldom(now=lambda: minutes[0] * 60))
    told = "LINE webhook for main refused: the signature is not by one of channel_secrets"
    for at, lines in ((0.0, 1), (0.9, 1), (1.1, 2)):
        minutes[0] = at
        answer = await Doors(intake).take_line_webhook("main", delivery(line_event()), "bm9ib2R5")
        assert answer.status == 401
        assert [record.getMessage() for record in caplog.records] == [told] * lines
    missing = await Doors(intake).take_line_webhook("main", delivery(line_event()), None)
    assert b"is missing" in missing.content()
    assert len(caplog.records) == 2


async def test_an_empty_secret_opens_nothing(topics: CheckedTopics) -> None:
    """A secret variable that is set to nothing must not let everybody in."""
    config = Config(accounts={"main": Account(channel_secrets=("",), access_token="token")})
    door = Doors(Intake(topics, new_door(topics).intake.clock, config))
    body = delivery(line_event())
    assert (await door.take_line_webhook("main", body, sign(body, ""))).status == 401


async def test_an_unknown_account_is_not_found(door: Doors, topics: CheckedTopics) -> None:
    """404, signed or not."""
    body = delivery(line_event())
    answer = await door.take_line_webhook("other", body, sign(body))
    assert (answer.status, field_of(answer), topics.records) == (404, "account", [])


async def test_another_bots_delivery_is_refused(door: Doors, topics: CheckedTopics) -> None:
    """A webhook URL entered at the wrong account is 400; where no bot is configured, any is right."""
    body = delivery(line_event(), destination=USER)
    answer = await deliver(door, body)
    assert (answer.status, field_of(answer), topics.records) == (400, "destination", [])
    assert (await deliver(new_door(topics), body)).status == 200


async def test_lines_test_delivery_is_answered(door: Doors, topics: CheckedTopics) -> None:
    """LINE's console sends an empty list to check the URL."""
    answer = await deliver(door, delivery())
    assert (answer.status, topics.records) == (200, [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "(the whole body)"),
        (b"[]", "(the whole body)"),
        (as_bytes({"destination": BOT}), "events"),
        (as_bytes({"destination": BOT, "events": {}}), "events"),
    ],
)
async def test_what_is_no_delivery_is_refused(door: Doors, body: bytes, field: str) -> None:
    """Even signed, a body that is no delivery is 400 and names the field."""
    answer = await deliver(door, body)
    assert (answer.status, field_of(answer)) == (400, field)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (line_event(timestamp=None), "timestamp"),
        (line_event(timestamp=True), "timestamp"),
        (line_event(timestamp="1769817540000"), "timestamp"),
        (line_event(timestamp=10**30), "timestamp"),
        (line_event(timestamp=7258118400000), "timestamp"),
        (line_event(type=None), "type"),
        (line_event(webhookEventId=""), "webhookEventId"),
        (line_event(webhookEventId=5), "webhookEventId"),
        (line_event(source={"type": "user", "userId": "U1"}), "source.userId"),
        (line_event(message={"text": "a\x00"}), "message.text"),
        (line_event(message={"n": float("nan")}), "message.n"),
        ("no event", ""),
        (None, ""),
        (line_event(message={"text": "x" * 300_000}), ""),
    ],
)
async def test_a_bad_event_becomes_a_dead_letter_and_the_rest_flows(
    door: Doors, topics: CheckedTopics, bad: object, field: str
) -> None:
    """The delivery is 200; the bad event is in the dead-letter topic, as it came, with field and reason."""
    answer = await deliver(door, delivery(line_event(), bad, line_event(webhookEventId="last")))
    assert answer.status == 200
    first, letter, last = topics.records
    assert (first.topic, letter.topic, last.topic) == (LINE_EVENTS.name, LINE_EVENTS.dead_letters, LINE_EVENTS.name)
    assert letter.value is not None
    assert letter.headers["todoke-reason"]
    assert letter.headers["todoke-origin"] == "POST /webhooks/line/main"
    assert letter.headers["todoke-field"] == field
    assert json.loads(letter.value) == bad or "NaN" in letter.value.decode()


async def test_an_event_too_large_for_any_topic_does_not_stop_the_rest(door: Doors, topics: CheckedTopics) -> None:
    """Its dead letter says so without it: an answer of 503 would make LINE deliver it for ever."""
    huge = line_event(message={"text": "x" * 1_500_000})
    assert (await deliver(door, delivery(huge, line_event()))).status == 200
    letter, good = topics.records
    assert (letter.topic, letter.value, good.topic) == (LINE_EVENTS.dead_letters, None, LINE_EVENTS.name)


async def test_unknown_types_and_fields_are_carried(door: Doors, topics: CheckedTopics) -> None:
    """What LINE invents tomorrow goes through; an event of nobody has its own id as key."""
    new = line_event(type="teleport", source={"type": "group", "groupId": "C1"}, teleport={"to": None})
    assert (await deliver(door, delivery(new))).status == 200
    [record] = topics.records
    assert record.key == b"01KG8Q9V7ZJ3V8C1S6T4R2M0XA"
    assert LineEvent.from_json(record.value).event == new


async def test_an_event_without_id_is_known_again_when_redelivered(door: Doors, topics: CheckedTopics) -> None:
    """The derived id is the same for the same event, redelivered or written in another order; another event differs."""
    plain = line_event(webhookEventId=None)
    again = dict(reversed({**plain, "deliveryContext": {"isRedelivery": True}}.items()))
    other = {**plain, "timestamp": 1769817540001}
    await deliver(door, delivery(plain, again, other))
    first, second, third = (LineEvent.from_json(record.value) for record in topics.records)
    assert first.webhook_event_id.startswith("sha256:")
    assert first.key == second.key != third.key


async def test_no_delivery_is_confirmed_while_kafka_is_away(door: Doors, topics: CheckedTopics) -> None:
    """503 makes LINE deliver again."""
    topics.away = True
    answer = await deliver(door, delivery(line_event()))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})
