"""What cannot be read, by anybody or by this release, is out of the others' way, and never lost."""

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from tests.support.deliveries import NOON, message_named, record, request, user_named
from tests.support.dispatching import Bench
from tests.support.memory_topics import MemoryTopics
from tests.support.pipeline import CLUSTER, Pipeline, open_pipeline
from tests.support.shop_events import added, line_subject
from todoke_dispatcher import dispatcher as dispatching
from todoke_dispatcher import rounds
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.handlers import Scheduler
from todoke_scheduler.looking import UNREADABLE_REST
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, LANES
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.jsons import dumps, loads
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Publisher, Record
from todoke_shared.kafka.relay import Relay
from todoke_shared.kafka.topics import create_topics

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRIGGERS = CUSTOMER_TRIGGERS.name
HANA = line_subject("hana")
BOTH = ("first", "second")


def campaign(name: str, text: str = "") -> Campaign:
    """A text an hour after the cart was last changed."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "enter": {"on": "cart.changed", "again": "never"},
            "steps": [{"wait": "1h"}, {"send": "hello"}],
            "messages": {"hello": [{"type": "text", "text": text or name}]},
        }
    )


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """Two campaigns, in both of which Hana has just begun a run."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign("fine"), campaign("odd")]) as opened:
        await opened.follow("hana")
        await opened.post(*added(HANA, NOON, "抹茶"))
        yield opened


async def restart(pipeline: Pipeline) -> None:
    """A scheduler that knows of campaigns what the database tells it now."""
    catalogue = CampaignCatalogue(pipeline.pool)
    await catalogue.refresh()
    pipeline.scheduler = Scheduler(pipeline.pool, pipeline.clock, catalogue, cluster=CLUSTER, wake=lambda: None)


async def letters_of(publisher: Publisher, bench_or_pipeline: Bench | Pipeline, room: str) -> None:
    """Publish all that lies in a room's outbox; ends, or raises."""
    async with Relay(bench_or_pipeline.pool, room, publisher) as relay:
        while await relay.publish_some():
            pass


def trigger(**fields: object) -> Trigger:
    """An entry into a campaign that sends an hour later."""
    made = {"id": uuid4(), "kind": "enter", "campaign": "fine", "person": uuid4(), "at": NOON}
    return Trigger.model_validate(made | fields)


async def test_a_nul_in_a_uuid_of_a_trigger_becomes_a_dead_letter(pipeline: Pipeline) -> None:
    """In whichever field it is; the others of the batch start their runs, and the letters can be published."""
    good = [trigger(), trigger()]
    bad = [dumps(loads(trigger().to_json()) | {field: "\x00"}) for field in ("id", "person")]
    values = [good[0].to_json(), *bad, good[1].to_json()]
    await pipeline.scheduler.take_triggers([Record(TRIGGERS, 7, n, b"k", value) for n, value in enumerate(values)])
    await pipeline.settle()
    assert [letter.value for letter in pipeline.topics.logs[TRIGGERS + ".dlq"]] == bad
    runs = await pipeline.pool.fetch("SELECT person_id FROM enrolments")
    assert {one.person for one in good} <= {row["person_id"] for row in runs}


@pytest.mark.parametrize("field", ["id", "person", "enrolment"])
async def test_a_nul_in_a_uuid_of_a_request_becomes_a_dead_letter(bench: Bench, field: str) -> None:
    """The requests around it are sent, and the letter names the field and not what stood in it."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    bad = loads(request("bad", person=uuid4(), enrolment=uuid4()).to_json()) | {field: "\x00"}
    batch = [record(request("one"), 0), record(dumps(bad), 1), record(request("two"), 2)]
    await dispatcher.take_requests("marketing")(batch)
    assert await dispatcher.send_some() == 2
    topics = MemoryTopics()
    await letters_of(topics, bench, "dispatcher")
    [letter] = topics.logs[LANES["marketing"].name + ".dlq"]
    assert letter.value == dumps(bad)
    headers = dict(letter.headers)
    assert (headers["todoke-field"], headers["todoke-reason"]) == (field.encode(), b"must be a UUID")


async def test_a_tombstone_becomes_a_dead_letter_that_kafka_takes(bench: Bench, kafka_bootstrap: str) -> None:
    """A record without key and value: its letter has neither, too, and leaves the outbox all the same."""
    await create_topics(kafka_bootstrap)
    dispatcher = bench.dispatcher(MemoryLine())
    await dispatcher.take_requests("marketing")([Record(LANES["marketing"].name, 0, 0, None, None)])
    assert await bench.pool.fetchval("SELECT count(*) FROM outbox") == 1
    publisher = KafkaPublisher(kafka_bootstrap, client_id="test")
    await letters_of(publisher, bench, "dispatcher")
    await publisher.stop()
    assert await bench.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def make_unreadable(pipeline: Pipeline, name: str) -> object:
    """A newer release published it, say; gives the document as it was."""
    document: object = await pipeline.pool.fetchval("SELECT document FROM campaign_versions WHERE campaign = $1", name)
    await rewrite(pipeline, name, {"steps": "of a kind that nobody knows yet"})
    return document


async def rewrite(pipeline: Pipeline, name: str, document: object) -> None:
    """Behind everybody's back."""
    await pipeline.pool.execute("UPDATE campaign_versions SET document = $2 WHERE campaign = $1", name, document)


async def test_a_run_that_this_release_cannot_read_waits_and_holds_up_nobody(pipeline: Pipeline) -> None:
    """The other runs' timers fire in time; this one is looked at every minute, and goes on, once, when it can be."""
    document = await make_unreadable(pipeline, "odd")
    await restart(pipeline)
    await pipeline.run_until(NOON + HOUR)
    assert [(message.text, message.at) for message in pipeline.sent] == [("fine", NOON + HOUR)]
    timers = await pipeline.pool.fetch("SELECT due_at FROM timers")
    assert [row["due_at"] for row in timers] == [NOON + HOUR + UNREADABLE_REST]
    await pipeline.run_until(NOON + HOUR + 5 * UNREADABLE_REST)
    assert await pipeline.pool.fetchval("SELECT count(*) FROM timers") == 1
    await rewrite(pipeline, "odd", document)
    await restart(pipeline)
    await pipeline.run_until(NOON + 3 * DAY)
    assert [(message.text, message.at) for message in pipeline.sent[1:]] == [("odd", NOON + HOUR + 6 * UNREADABLE_REST)]
    assert await pipeline.pool.fetchval("SELECT count(*) FROM enrolments WHERE status = 'active'") == 0


async def test_a_run_ends_on_the_version_it_began_with(pipeline: Pipeline) -> None:
    """Another version came into force and the scheduler was restarted: the run goes on with its own."""
    await publish(pipeline.pool, [campaign("odd", "version two")])
    await restart(pipeline)
    await pipeline.run_until(NOON + DAY)
    assert sorted(pipeline.sent_to("hana")) == ["fine", "odd"]


async def test_an_exit_is_heard_though_the_version_in_force_cannot_be_read(pipeline: Pipeline) -> None:
    """A newer release has published its own; who bought meanwhile is not reminded by a run on the old one."""
    person = await pipeline.pool.fetchval("SELECT person_id FROM enrolments WHERE campaign = 'odd'")
    await pipeline.pool.execute(
        "INSERT INTO campaign_versions (campaign, version, document) VALUES ('odd', 2, $1)", {"steps": "unknown"}
    )
    await restart(pipeline)
    exits = trigger(kind="exit", campaign="odd", person=person, at=NOON + HOUR / 2)
    enters = trigger(campaign="odd", person=uuid4())
    records = [Record(TRIGGERS, 7, offset, None, each.to_json()) for offset, each in enumerate((exits, enters))]
    await pipeline.scheduler.take_triggers(records)
    await pipeline.run_until(NOON + 3 * DAY)
    assert pipeline.sent_to("hana") == ["fine"]
    told = await pipeline.pool.fetchval("SELECT decision FROM decisions WHERE person_id = $1", enters.person)
    assert told == "the version in force needs a newer release of Todoke"


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a bad page, say'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.account = 'second') EXECUTE FUNCTION refuse()
"""


async def test_an_account_whose_claim_fails_strands_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round after round the other's messages go out, whoever's turn is first; later its own do, once each."""
    watch = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(dispatching, "monotonic", lambda: watch.seconds)
    line = MemoryLine(accounts=frozenset(BOTH))
    dispatcher = bench.dispatcher(line, accounts=BOTH)
    await bench.pool.execute(REFUSE)
    for number in range(4):
        await bench.take(dispatcher, *(request(f"{name}-{number}", account=name) for name in BOTH))
        assert await dispatcher.send_some() == 1
        watch.seconds += dispatching.ACCOUNT_REST_SECONDS
    assert [push.account for push in line.accepted] == ["first"] * 4
    assert await bench.states() == {"accepted": 4, "waiting": 4}
    await bench.pool.execute("DROP TRIGGER refuse ON deliveries")
    assert await dispatcher.send_some() == 4
    assert sorted(push.account for push in line.accepted) == ["first"] * 4 + ["second"] * 4


async def test_an_account_whose_claim_failed_is_left_alone_for_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs the others a failed claim every five seconds, and not one a round."""
    watch = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(dispatching, "monotonic", lambda: watch.seconds)
    line = MemoryLine(accounts=frozenset(BOTH))
    dispatcher = bench.dispatcher(line, accounts=BOTH)
    await bench.pool.execute(REFUSE)
    await bench.take(dispatcher, request("one", account="second"))
    assert await dispatcher.send_some() == 0
    await bench.pool.execute("DROP TRIGGER refuse ON deliveries")
    watch.seconds += dispatching.ACCOUNT_REST_SECONDS - 0.1
    assert await dispatcher.send_some() == 0
    watch.seconds += 0.1
    assert await dispatcher.send_some() == 1


async def test_a_stored_message_that_cannot_be_read_is_put_off_and_not_lost(bench: Bench) -> None:
    """Its account's and the other account's messages flow; when it can be read again it is sent, once."""
    line = MemoryLine(accounts=frozenset(BOTH))
    dispatcher = bench.dispatcher(line, accounts=BOTH)
    odd = request("odd", account="first")
    await bench.take(dispatcher, odd, request("one", account="first"), request("two", account="second"))
    await overwrite(bench, odd.id, b"\x00 of a newer release")
    assert await dispatcher.send_some() == 2
    assert {loads(push.body)["to"] for push in line.accepted} == {user_named("one"), user_named("two")}
    row = await bench.row(message_named("odd"))
    assert (row["state"], row["next_attempt_at"]) == ("waiting", NOON + rounds.UNREADABLE_REST)
    bench.clock.move_to(NOON + rounds.UNREADABLE_REST)
    assert await dispatcher.send_some() == 0
    await overwrite(bench, odd.id, odd.to_json())
    assert await dispatcher.send_some() == 0
    bench.clock.move_to(NOON + 2 * rounds.UNREADABLE_REST)
    assert await dispatcher.send_some() == 1
    assert await bench.states() == {"accepted": 3}


async def overwrite(bench: Bench, message: UUID, value: bytes) -> None:
    """A stored request, behind everybody's back."""
    await bench.pool.execute("UPDATE deliveries SET request = $2 WHERE message_id = $1", message, value)
