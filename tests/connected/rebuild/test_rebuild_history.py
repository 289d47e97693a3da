"""`todoke rebuild` beside topics that end before, or begin after, what the live system knows: told, and not judged."""

from dataclasses import replace
from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.support.rebuilding.installation import Installation
from tests.support.rebuilding.story import BEGINNING, NOW, PEOPLE, shop_record, tell_story, write
from tests.support.shop_events import added
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS, OUTCOMES
from todoke_shared.kafka.retained import RetainedTopics, retention_of


async def test_who_is_older_than_the_topics_is_not_called_different(installation: Installation) -> None:
    """Half of the people were known before the oldest record: their share is told, and they alone are not judged."""
    pool, live = installation.pool, await installation.ids_by_number()
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
async def test_what_retention_has_deleted_is_not_missed(own_kafka: str, installation: Installation) -> None:
    """Half of each partition is gone: nobody is whole in the topics any more, and whoever differs is older, no more."""
    await tell_story(own_kafka)
    elsewhere = replace(installation, kafka=own_kafka)
    await elsewhere.forget()
    await elsewhere.take_topics()
    async with RetainedTopics(own_kafka) as topics:
        held = await topics.stretches([EC_EVENTS, LINE_EVENTS, OUTCOMES])
    admin = AIOKafkaAdminClient(bootstrap_servers=own_kafka)
    await admin.start()
    halves = {TopicPartition(*place): RecordsToDelete(stretch.end // 2) for place, stretch in held.items()}
    await admin.delete_records(halves)
    assert await retention_of(own_kafka, [EC_EVENTS, LINE_EVENTS, OUTCOMES]) == timedelta(days=30)
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


async def test_what_the_live_system_has_not_taken_is_on_neither_side(installation: Installation) -> None:
    """The segmenter is behind, or stopped: what waits for it is counted, and nobody differs for it."""
    await write(installation.kafka, [shop_record(one) for one in added("customer:1", NOW, "late", "later")])
    outcome = await installation.rebuild()
    assert (outcome.not_taken, outcome.comparison.is_equal) == (2, True)
    await installation.take_topics()
    outcome = await installation.rebuild()
    assert (outcome.not_taken, outcome.comparison.is_equal) == (0, True)
