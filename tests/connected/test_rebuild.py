"""`todoke rebuild`: the topics, folded once more beside a running installation, tell exactly what is not as it was."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.conftest import run
from tests.support.brokers import start_broker
from tests.support.line_webhooks import line_user_id
from tests.support.shop_events import added, event, line_subject, ordered
from todoke_local.rooms import migrate_rooms
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_scheduler.handlers import Scheduler
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.handlers import Segmenter
from todoke_segmenter.rebuilding import SCHEMA, Outcome, rebuild
from todoke_segmenter.rebuilding.sides import LIVE
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.outcomes import Outcome as Told
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LINE_EVENTS, OUTCOMES, REQUESTS_MARKETING
from todoke_shared.contracts.triggers import Cause, Trigger
from todoke_shared.ids import click_id, person_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka import retained
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.kafka.retained import RetainedTopics, retention_of
from todoke_shared.kafka.topics import cluster_id, create_topics
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.source import load_segments

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker whose event topics hold what this module writes: a rebuild reads all that there is."""
    broker = run(start_broker(tmp_path_factory.mktemp("rebuild-kafka")))
    run(_prepare(broker.bootstrap_servers))
    yield broker.bootstrap_servers
    run(broker.stop())


async def _prepare(bootstrap: str) -> None:
    await create_topics(bootstrap)
    publisher = KafkaPublisher(bootstrap, client_id="rebuild-test")
    await publisher.publish(story())
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


@dataclass
class Watched:
    """What was told; `stop_after` so many steps it is interrupted."""

    steps: int = 0
    stop_after: int | None = None

    def stage(self, words: str, total: int | None) -> None:
        """Nobody looks."""

    def step(self, steps: int) -> None:
        """Count, or stop."""
        self.steps += steps
        if self.stop_after is not None and self.steps >= self.stop_after:
            raise asyncio.CancelledError


@dataclass
class Installation:
    """A live system that has taken the topics in another order than they were written in."""

    kafka: str
    dsn: str
    pool: Pool

    async def rebuild(self, watch: Watched | None = None, **choices: bool) -> Outcome:
        """As the command does."""
        return await rebuild(self.dsn, self.kafka, watch or Watched(), **choices)

    async def take_topics(self, *, in_order: bool = False) -> None:
        """In the order of time, or partition by partition, the last first: as far from it as can be."""
        catalogue, segments = CampaignCatalogue(self.pool), SegmentCatalogue(self.pool)
        cluster = await cluster_id(self.kafka)
        clock = FakeClock(datetime.now(UTC))
        segmenter = Segmenter(self.pool, catalogue, clock, cluster=cluster, wake=lambda: None, segments=segments)
        await segmenter.rulebook.learn()
        take = {
            EC_EVENTS.name: segmenter.take_ec_events,
            LINE_EVENTS.name: segmenter.take_line_events,
            OUTCOMES.name: segmenter.take_outcomes,
        }
        async with RetainedTopics(self.kafka) as topics:
            stretches = await topics.stretches([EC_EVENTS, LINE_EVENTS, OUTCOMES])
            # Clicks come last all the same: a message has gone to nobody whom the segmenter did not know.
            places = sorted(sorted(stretches, reverse=True), key=lambda place: place[0] == OUTCOMES.name)
            singly = [{place: stretches[place]} for place in places]
            for some in [stretches] if in_order else singly:
                async for chunk in topics.read(some):
                    for topic, handler in take.items():
                        if records := [record for record in chunk.records if record.topic == topic]:
                            await handler(records)

    async def forget(self) -> None:
        """As if nothing had been taken."""
        await self.pool.execute(
            "TRUNCATE people, identities, friend_status, products, account_links, consumed, inbox, outbox "
            "RESTART IDENTITY"
        )

    async def hand_on(self, leave_out: str = "") -> int:
        """The scheduler takes the triggers, but for those of one campaign. Gives the number of entries left out."""
        rows = await self.pool.fetch("SELECT key, value FROM outbox WHERE topic = $1", CUSTOMER_TRIGGERS.name)
        pool = await open_pool(self.dsn, application="rebuild-test", schema="scheduler", size=2)
        try:
            scheduler = Scheduler(
                pool, FakeClock(NOW), CampaignCatalogue(pool), cluster="of-this-test", wake=lambda: None
            )
            given = [row for row in rows if not leave_out or f'"{leave_out}"'.encode() not in row["value"]]
            for start in range(0, len(given), 200):
                some = given[start : start + 200]
                batch = [Record(CUSTOMER_TRIGGERS.name, 0, start + n, None, row["value"]) for n, row in enumerate(some)]
                await scheduler.take_triggers(batch)
            await self.pool.execute("DELETE FROM outbox")
            return sum(b'"enter"' in row["value"] for row in rows if row not in given)
        finally:
            await pool.close()


@pytest.fixture
async def installation(own_kafka: str, postgres_dsn: str) -> AsyncIterator[Installation]:
    """The shipped campaigns and segments in force, two campaigns more, and everything taken."""
    await migrate_rooms(postgres_dsn)
    scheduler = await open_pool(postgres_dsn, application="rebuild-test", schema="scheduler", size=1)
    await publish_campaigns(scheduler, [*load_campaigns(ROOT / "campaigns"), CARE, BIRTHDAYS])
    await scheduler.execute("UPDATE campaign_versions SET published_at = $1", BEGINNING - timedelta(days=300))
    await scheduler.close()
    pool = await open_pool(postgres_dsn, application="rebuild-test", schema=LIVE, size=4)
    await publish_segments(pool, load_segments(ROOT / "segments"))
    opened = Installation(own_kafka, postgres_dsn, pool)
    await opened.take_topics()
    yield opened
    await pool.close()


def named(outcome: Outcome) -> dict[str, list[str]]:
    """Who differs, by part."""
    samples = outcome.comparison.people.samples
    return {part: sorted(difference.name for difference in found) for part, found in samples.items()}


async def everything(pool: Pool) -> dict[str, Sequence[asyncpg.Record]]:
    """All that the live segmenter has."""
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'segmenter' ORDER BY 1")
    return {
        row["tablename"]: await pool.fetch(f"SELECT * FROM {row['tablename']} ORDER BY 1, 2")  # noqa: S608 - the catalogue's
        for row in tables
    }


async def test_duplicates_and_disorder_in_the_topics_come_to_the_same_state(installation: Installation) -> None:
    """All people and products are equal, nothing live is touched, and no schema is left behind."""
    before = await everything(installation.pool)
    outcome = await installation.rebuild()
    people, products = outcome.comparison.people, outcome.comparison.products
    assert named(outcome) == {}
    assert outcome.comparison.is_equal
    asked = "SELECT count(*) FROM people WHERE state #>> '{answers,skin-type,value}' IN ('はい', 'いいえ')"
    assert await installation.pool.fetchval(asked) == PEOPLE
    clicks = "SELECT count(*) FROM people WHERE state::jsonb ? 'last_click_at'"
    assert await installation.pool.fetchval(clicks) == PEOPLE / 4
    assert (people.equal, people.live, people.share, people.older) == (PEOPLE, PEOPLE, 1.0, 0)
    assert products.equal == 10
    assert outcome.folded > 300
    assert (outcome.complete_since, outcome.not_taken, outcome.sending.unreadable) == (None, 0, 2)
    assert await everything(installation.pool) == before
    assert not await installation.pool.fetchval("SELECT to_regnamespace('segmenter_rebuild') IS NOT NULL")


async def test_records_come_in_the_order_in_which_they_were_written(own_kafka: str) -> None:
    """Whatever partitions they lie in: who entered before an order is heard of before it."""
    publisher = KafkaPublisher(own_kafka, client_id="rebuild-test")
    for number in range(40):
        await publisher.publish([Outgoing(REQUESTS_MARKETING.name, str(number).encode(), str(number).encode())])
        await asyncio.sleep(0.002)  # Kafka's timestamps are in milliseconds
    await publisher.stop()
    async with RetainedTopics(own_kafka) as topics:
        stretches = await topics.stretches([REQUESTS_MARKETING])
        assert sum(stretch.end > 0 for stretch in stretches.values()) > 2
        values = [record.value async for chunk in topics.read(stretches) for record in chunk.records]
    assert values == [str(number).encode() for number in range(40)]


async def test_whoever_was_tampered_with_is_named_with_the_part(installation: Installation) -> None:
    """A view too many, a friend who is none, an identifier gone astray, a segment, somebody lost, somebody invented."""
    pool, live = installation.pool, await ids_by_number(installation.pool)
    tampering = {
        1: "UPDATE people SET state = state::jsonb - 'last_seen_at' WHERE person_id = $1",
        2: "UPDATE friend_status SET is_friend = NOT is_friend WHERE person_id = $1",
        4: 'UPDATE people SET segments = \'{"nobody": "2026-01-01T00:00:00Z"}\' WHERE person_id = $1',
        5: "DELETE FROM people WHERE person_id = $1",
    }
    for number, statement in tampering.items():
        await pool.execute(statement, live[number])
    stray = "UPDATE identities SET person_id = $2 WHERE identifier = 'visitor:6' AND person_id = $1"
    await pool.execute(stray, live[6], live[7])
    invented = person_id("main", "customer:nobody")
    await pool.execute("INSERT INTO people (person_id, shop, state, facts) VALUES ($1, 'main', '{}', '{}')", invented)
    await pool.execute("UPDATE products SET price = 1 WHERE product_id = 'p3'")
    outcome = await installation.rebuild()
    assert named(outcome) == {
        "last_seen_at": [str(live[1])],
        "friends": [str(live[2])],
        "segments": [str(live[4])],
        "(only rebuilt)": [str(live[5])],
        "identifiers": sorted([str(live[6]), str(live[7])]),
        "(missing)": [str(invented)],
    }
    people, products = outcome.comparison.people, outcome.comparison.products
    assert (people.different, people.missing, people.only_rebuilt, people.equal) == (5, 1, 1, PEOPLE - 6)
    assert (products.different, [one.name for one in products.samples["price"]]) == (1, ["main/p3"])


async def ids_by_number(pool: Pool) -> list[Any]:
    """Who each customer of the story is now."""
    rows = await pool.fetch("SELECT identifier, person_id FROM identities WHERE identifier LIKE 'customer:%'")
    by_number = {int(row["identifier"].partition(":")[2]): row["person_id"] for row in rows}
    return [by_number[number] for number in range(PEOPLE)]


async def test_the_same_state_written_otherwise_is_no_difference(installation: Installation) -> None:
    """An earlier release kept one cart, without its id: what is read of it is what counts."""
    pool = installation.pool
    rewritten = await pool.execute(
        """
        UPDATE people SET state = (state::jsonb - 'carts') || jsonb_build_object('cart', state -> 'carts' -> '')
         WHERE state -> 'carts' -> '' IS NOT NULL
        """
    )
    assert rewritten != "UPDATE 0"
    assert (await installation.rebuild()).comparison.people.equal == PEOPLE


async def test_an_interrupted_rebuild_goes_on_where_it_was(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was folded is not folded again; with `restart` it is; under other campaigns it cannot go on."""
    monkeypatch.setattr(retained, "CHUNK", 50)
    whole = (await installation.rebuild()).folded
    for restart in (False, True):
        with pytest.raises(asyncio.CancelledError):
            await installation.rebuild(Watched(stop_after=1))
        outcome = await installation.rebuild(restart=restart)
        assert outcome.comparison.is_equal
        assert (outcome.went_on, outcome.folded) == (not restart, whole if restart else whole - 50)
    with pytest.raises(asyncio.CancelledError):
        await installation.rebuild(Watched(stop_after=1))
    await installation.pool.execute("INSERT INTO scheduler.campaign_versions VALUES ('care', 1, '{}')")
    with pytest.raises(ValueError, match=r"campaigns.*--restart"):
        await installation.rebuild()


async def test_only_one_rebuild_at_a_time(installation: Installation) -> None:
    """The second says so, and leaves the first its schema."""
    outcomes = await asyncio.gather(installation.rebuild(), installation.rebuild(), return_exceptions=True)
    assert [outcome.comparison.is_equal for outcome in outcomes if isinstance(outcome, Outcome)] == [True]
    [refused] = [outcome for outcome in outcomes if isinstance(outcome, ValueError)]
    assert "another rebuild is running" in str(refused)


async def test_what_the_scheduler_never_heard_of_would_have_been_sent(installation: Installation) -> None:
    """By campaign; what it has taken is known by its id; and what is older than the campaign is told apart."""
    await installation.forget()
    await installation.take_topics(in_order=True)
    lost = await installation.hand_on(leave_out="order-confirmation")
    assert lost > 10
    sending = (await installation.rebuild()).sending
    confirmation = sending.entries.pop("order-confirmation")
    assert (confirmation.found, confirmation.known, confirmation.missing) == (lost, 0, lost)
    assert sending.entries.keys() >= {"cart-abandonment", "welcome", CARE.campaign}
    for entries in sending.entries.values():
        assert entries.found == entries.known > 0
    since = NOW + timedelta(days=1)
    await installation.pool.execute("UPDATE scheduler.campaign_versions SET published_at = $1", since)
    confirmation = (await installation.rebuild()).sending.entries["order-confirmation"]
    assert (confirmation.missing, confirmation.before) == (0, lost)


async def test_an_entry_is_known_whatever_the_person_was_called(installation: Installation) -> None:
    """Taken in another order, visitors entered before they were known to be members: the same cause, another id."""
    live = {(trigger.cause.key, trigger.campaign) for trigger in await entries_of(installation.pool, LIVE)}
    await installation.hand_on()
    sending = (await installation.rebuild(keep=True)).sending
    found = await entries_of(installation.pool, SCHEMA)
    known = [trigger for trigger in found if (trigger.cause.key, trigger.campaign) in live]
    ids = await installation.pool.fetch("SELECT key FROM scheduler.inbox")
    assert {trigger.id for trigger in known} - {row["key"] for row in ids}, "somebody is called otherwise"
    assert sum(entries.known for entries in sending.entries.values()) == len(known)
    assert sum(entries.found for entries in sending.entries.values()) == len(found) > len(known)


class Entry(Trigger):
    """A trigger that has a cause, as all of the segmenter's have."""

    cause: Cause


async def entries_of(pool: Pool, schema: str) -> list[Entry]:
    """The entries that wait in an outbox."""
    rows = await pool.fetch(f"SELECT value FROM {schema}.outbox WHERE topic = $1", CUSTOMER_TRIGGERS.name)  # noqa: S608
    triggers = [Entry.from_json(row["value"]) for row in rows]
    return [trigger for trigger in triggers if trigger.kind == "enter"]


async def test_who_is_older_than_the_topics_is_not_called_different(installation: Installation) -> None:
    """Half of the people were known before the oldest record: their share is told, and they alone are not judged."""
    pool, live = installation.pool, await ids_by_number(installation.pool)
    await pool.execute("UPDATE consumed SET next_offset = next_offset + 100000")  # the topics were made again
    old = live[: PEOPLE // 2]
    for column in ("person_id", "merged_into"):
        await pool.execute(
            f"UPDATE people SET created_at = $2 WHERE {column} = any($1::uuid[])",  # noqa: S608 - named above
            old,
            BEGINNING - timedelta(days=100),
        )
    await pool.execute("UPDATE people SET created_at = now() + interval '1 hour' WHERE created_at > $1", BEGINNING)
    await pool.execute("UPDATE people SET state = '{}' WHERE person_id = any($1::uuid[])", [live[1], live[PEOPLE - 1]])
    outcome = await installation.rebuild()
    people = outcome.comparison.people
    assert outcome.complete_since is not None
    assert (people.older, people.different, people.live, people.share) == (1, 1, PEOPLE, 0.5)
    assert {difference.name for found in people.samples.values() for difference in found} == {str(live[PEOPLE - 1])}


@pytest.mark.apache_kafka
async def test_what_retention_has_deleted_is_not_missed(
    postgres_dsn: str, tmp_path: Path, installation: Installation
) -> None:
    """Half of each partition is gone: nobody is whole in the topics any more, and whoever differs is older, no more."""
    broker = await start_broker(tmp_path)
    try:
        bootstrap = broker.bootstrap_servers
        await _prepare(bootstrap)
        elsewhere = replace(installation, kafka=bootstrap)
        await elsewhere.forget()
        await elsewhere.take_topics()
        async with RetainedTopics(bootstrap) as topics:
            held = await topics.stretches([EC_EVENTS, LINE_EVENTS, OUTCOMES])
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        halves = {TopicPartition(*place): RecordsToDelete(stretch.end // 2) for place, stretch in held.items()}
        await admin.delete_records(halves)
        assert await retention_of(bootstrap, [EC_EVENTS, LINE_EVENTS, OUTCOMES]) == timedelta(days=30)
        since = "UPDATE people SET created_at = now() - interval '31 days'"
        await installation.pool.execute(since)
        outcome = await elsewhere.rebuild()
        assert outcome.complete_since is not None
        assert NOW - timedelta(days=31) < outcome.complete_since < NOW - timedelta(days=29)
        people = outcome.comparison.people
        assert (people.different, people.missing, people.only_rebuilt, people.share) == (0, 0, 0, 0.0)
        assert people.older > PEOPLE / 2
        assert await admin.list_consumer_groups() == [], "it reads without a group"
        await admin.close()
    finally:
        await broker.stop()


async def test_what_the_live_system_has_not_taken_is_on_neither_side(installation: Installation) -> None:
    """The segmenter is behind, or stopped: what waits for it is counted, and nobody differs for it."""
    publisher = KafkaPublisher(installation.kafka, client_id="rebuild-test")
    await publisher.publish([shop_record(one) for one in added("customer:1", NOW, "late", "later")])
    await publisher.stop()
    outcome = await installation.rebuild()
    assert (outcome.not_taken, outcome.comparison.is_equal) == (2, True)
    await installation.take_topics()
    outcome = await installation.rebuild()
    assert (outcome.not_taken, outcome.comparison.is_equal) == (0, True)


async def test_the_command_says_it_without_a_word_about_anybody(installation: Installation) -> None:
    """Exit 0 when all is equal and 3 when not; part and person's id are told, no name, no LINE user id, no value."""
    code, text = await command(installation)
    assert code == 0, text
    assert "all people are compared" in text
    live = await ids_by_number(installation.pool)
    await installation.pool.execute(
        """
        UPDATE people
           SET state = state::jsonb || '{"profile": {"name": {"at": "2026-01-01T00:00:00Z", "value": "花子"}}}'
         WHERE person_id = $1
        """,
        live[3],
    )
    code, text = await command(installation)
    assert code == 3, text
    assert f"People, profile: 1 differ: {live[3]}" in text
    for private in ("花子", line_user_id("3"), "customer:3", "visitor:3"):
        assert private not in text


async def command(installation: Installation) -> tuple[int | None, str]:
    """The command, as a process: its exit code and what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "todoke_local", "rebuild", "--from-topics"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ
        | {
            "TODOKE_POSTGRES_DSN": installation.dsn,
            "TODOKE_KAFKA_BOOTSTRAP_SERVERS": installation.kafka,
            "COLUMNS": "200",
        },
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()
