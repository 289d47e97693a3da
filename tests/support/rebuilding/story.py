"""A shop's day as it lies in the event topics: told again, out of order, and in part unreadable."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.line_webhooks import line_user_id
from tests.support.shop_events import added, event, line_subject, ordered
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.outcomes import Outcome as Told
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS, OUTCOMES
from todoke_shared.ids import click_id, person_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.topics import create_topics

PEOPLE = 40
NOW = datetime.now(UTC).replace(microsecond=0)
BEGINNING = NOW - timedelta(days=1)
_SMALL = {
    "class": "transactional",
    "steps": [{"send": "text"}],
    "messages": {"text": [{"type": "text", "text": "こんにちは"}]},
}
CARE = Campaign.model_validate(
    {
        **_SMALL,
        "campaign": "consultation",
        "enter": {"on": "call", "again": "always"},
        "goal": [{"on": "order.placed"}, {"on": "line.postback"}],
    }
)
BIRTHDAYS = Campaign.model_validate({**_SMALL, "campaign": "birthdays", "enter": {"date": "birthday", "at": "10:00"}})


async def tell_story(bootstrap: str) -> None:
    """Make the topics and write the day into them."""
    await create_topics(bootstrap)
    await write(bootstrap, story())


async def write(bootstrap: str, records: Sequence[Outgoing]) -> None:
    """Write these in one go."""
    publisher = KafkaPublisher(bootstrap, client_id="rebuild-test")
    await publisher.start()
    try:
        await publisher.publish(records)
    finally:
        await publisher.stop()


def story() -> list[Outgoing]:
    """A shop's day: some hundred events, a third of them told again, all out of order; and two that nobody can read."""
    chance = random.Random(4)
    told: list[Outgoing] = []
    for number in range(PEOPLE):
        told += [shop_record(one) for one in shopping(f"customer:{number}", f"p{number % 5}", chance)]
        told += [shop_record(one) for one in shopping(f"visitor:{number}", f"p{number % 7}", chance)]
        login = {"identifiers": [f"visitor:{number}", line_subject(str(number))]}
        told.append(shop_record(event("customer.identified", f"customer:{number}", minutes(700), login)))
        told.append(line_record("follow", str(number), minutes(chance.randint(0, 300))))
        told += [tap_record(str(number), minutes(chance.randint(0, 800)), answer) for answer in ("はい", "いいえ")]
        called = {"campaign": CARE.campaign, "context": {"number": number}}
        told.append(shop_record(event("campaign.start_requested", f"visitor:{number}", minutes(650), called)))
        known = {"birthday": (NOW + timedelta(days=100)).date().isoformat()}
        told.append(shop_record(event("customer.updated", f"customer:{number}", minutes(660), known)))
        if number % 3 == 0:
            told.append(line_record("unfollow", str(number), minutes(chance.randint(300, 600))))
    for number in range(10):
        product = {"product_id": f"p{number}", "name": f"茶{number}", "price": 980, "stock": number}
        told.append(shop_record(without_subject("product.updated", minutes(number), {"product": product})))
    told += chance.sample(told, len(told) // 3)
    chance.shuffle(told)
    bad = [Outgoing(EC_EVENTS.name, b"x", b"{not JSON"), shop_record({"specversion": "1.0", "type": "nonsense"})]
    clicks = [click_record(str(number), minutes(800 + number)) for number in range(0, PEOPLE, 4)]
    return [*told, *bad, *clicks, *clicks]


def shopping(subject: str, product: str, chance: random.Random) -> list[dict[str, Any]]:
    """What one person does in a day; every fourth has bought before, long ago."""
    at = minutes(chance.randint(0, 600))
    one = {"product_id": product, "name": product}
    done = [event("product.viewed", subject, at, {"product": one}), *added(subject, at + timedelta(minutes=5), product)]
    if chance.random() < 0.5:
        done.append(ordered(subject, at + timedelta(minutes=9), f"A-{subject}", product))
    if chance.random() < 0.25:
        done.append(ordered(subject, BEGINNING - timedelta(days=200), f"old-{subject}", product))
    return done


def minutes(number: int) -> datetime:
    """So many minutes into the day."""
    return BEGINNING + timedelta(minutes=number)


def without_subject(type_: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """A product's event."""
    return {name: value for name, value in event(type_, "", at, data).items() if name != "subject"}


def shop_record(one: dict[str, Any]) -> Outgoing:
    """As a shop's own system writes it."""
    return Outgoing(EC_EVENTS.name, str(one.get("subject", "")).encode(), dumps(one))


def tap_record(name: str, at: datetime, answer: str) -> Outgoing:
    """A tap on a button of a question."""
    data = f"todoke:ask:{CARE.campaign}:skin-type:{answer}"
    return line_record("postback", name, at, postback={"data": data}, id_=f"{len(answer)}{name}")


def line_record(kind: str, name: str, at: datetime, *, id_: str = "", **more: Any) -> Outgoing:
    """As ingest writes LINE's webhook events."""
    user = line_user_id(name)
    told = {"type": kind, "mode": "active", "source": {"type": "user", "userId": user}, **more}
    value = {
        "account": "main",
        "webhook_event_id": f"{kind}{id_}{user}"[:26],
        "received_at": at,
        "occurred_at": at,
        "event": told,
    }
    return Outgoing(LINE_EVENTS.name, line_subject(name).encode(), dumps(value))


def click_record(name: str, at: datetime) -> Outgoing:
    """As ingest writes a click on a message's link; the person may be another one by now."""
    told = Told(
        id=click_id(name, at),
        message=click_id(f"message-{name}", at),
        state="clicked",
        account="main",
        lane="marketing",
        person=person_id("main", line_subject(name)),
        at=at,
    )
    return Outgoing(OUTCOMES.name, name.encode(), told.to_json())
