"""`todoke rebuild`: the topics, folded once more beside a running installation, tell exactly what is not as it was."""

import asyncio
from collections.abc import Sequence

import asyncpg

from tests.support.rebuilding.installation import Installation, Pool
from tests.support.rebuilding.story import PEOPLE
from todoke_segmenter.rebuilding import Outcome
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.ids import person_id
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.retained import RetainedTopics


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


async def test_records_come_in_the_order_in_which_they_were_written(told_kafka: str) -> None:
    """Whatever partitions they lie in: who entered before an order is heard of before it."""
    publisher = KafkaPublisher(told_kafka, client_id="rebuild-test")
    for number in range(40):
        await publisher.publish([Outgoing(REQUESTS_MARKETING.name, str(number).encode(), str(number).encode())])
        await asyncio.sleep(0.002)  # Kafka's timestamps are in milliseconds
    await publisher.stop()
    async with RetainedTopics(told_kafka) as topics:
        stretches = await topics.stretches([REQUESTS_MARKETING])
        assert sum(stretch.end > 0 for stretch in stretches.values()) > 2
        values = [record.value async for chunk in topics.read(stretches) for record in chunk.records]
    assert values == [str(number).encode() for number in range(40)]


async def test_whoever_was_tampered_with_is_named_with_the_part(installation: Installation) -> None:
    """A view too many, a friend who is none, an identifier gone astray, a segment, somebody lost, somebody invented."""
    pool, live = installation.pool, await installation.ids_by_number()
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
