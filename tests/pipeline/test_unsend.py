"""What a person takes back is gone: from every table, whatever it started and wherever it went wrong."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg

from tests.support.line_webhooks import line_user_id, signed_event
from tests.support.pipeline import Pipeline, open_pipeline
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import LINE_EVENTS
from todoke_shared.kafka.records import Outgoing

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
TEXT = "himitsu-no-sodan-4711"
MESSAGE = "325708"
ANSWER = Campaign.model_validate(
    {
        "campaign": "menu",
        "class": "transactional",
        "enter": {"on": "line.message", "when": {"event.message.text": TEXT}, "again": "always", "per": "event"},
        "steps": [{"send": "menu"}, {"wait": "1d"}, {"send": "menu"}],
        "messages": {"menu": [{"type": "text", "text": "{{ event.message.type }} を受け取りました"}]},
    }
)
COLUMNS = """
SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
  JOIN information_schema.tables USING (table_schema, table_name)
 WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
   AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY')
"""


async def holds(pool: "asyncpg.Pool[asyncpg.Record]", needle: str) -> set[str]:
    """Every column of every table, of all schemas, in which `needle` lies."""
    found: set[str] = set()
    columns = await pool.fetch(COLUMNS)
    assert {row["table_schema"] for row in columns} >= {"ingest", "segmenter", "scheduler", "dispatcher"}
    for schema, table, column, kind in columns:
        value = f'convert_from("{column}", $$LATIN1$$)' if kind == "bytea" else f'"{column}"::text'
        query = f'SELECT count(*) FROM "{schema}"."{table}" WHERE position($1 IN {value}) > 0'  # noqa: S608
        if await pool.fetchval(query, needle):
            found.add(f"{schema}.{table}.{column}")
    return found


async def send(pipeline: Pipeline, webhook_event: dict[str, object]) -> None:
    """A LINE event by Hana, through the door."""
    body, signature = signed_event(webhook_event, "hana", pipeline.clock.now(), SIMULATOR_SECRET)
    assert (await pipeline.door.take_line_webhook("main", body, signature)).status == 200


async def test_an_unsent_message_is_nowhere_though_it_started_a_campaign(postgres_dsn: str) -> None:
    """A text starts a campaign that has sent, and waits for more; once it is unsent, no column of any table holds it.
    The topic still does, until its retention; that the search finds anything at all is shown by the answer."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[ANSWER]) as pipeline:
        await pipeline.follow("hana")
        said: dict[str, object] = {
            "type": "message",
            "message": {"type": "text", "id": MESSAGE, "text": TEXT},
            "replyToken": "token",
        }
        await send(pipeline, said)
        await pipeline.settle()
        assert pipeline.sent_to("hana") == ["text を受け取りました"]
        pipeline.clock.move_to(NOON + timedelta(minutes=1))
        await send(pipeline, {"type": "unsend", "unsend": {"messageId": MESSAGE}})
        await pipeline.settle()
        admin = await asyncpg.create_pool(postgres_dsn, min_size=1, max_size=1)
        async with admin:
            # The campaign as it was published holds its own keyword; that is the shop's text and not the person's.
            assert await holds(admin, TEXT) == {"scheduler.campaign_versions.document"}
            assert await holds(admin, MESSAGE) == set()
            assert "dispatcher.deliveries.user_id" in await holds(admin, line_user_id("hana"))
            assert "scheduler.enrolments.context" in await holds(admin, "webhookEventId")
        assert any(TEXT.encode() in (record.value or b"") for record in pipeline.topics.logs[LINE_EVENTS.name])


async def test_a_dead_letter_that_was_set_aside_is_deleted_when_its_message_is_unsent(postgres_dsn: str) -> None:
    """An event that this release cannot read waits in the outbox with all that was written in it; its unsend, which it
    can read, deletes it, and no other letter."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[ANSWER]) as pipeline:
        for message in (MESSAGE, MESSAGE + "9"):
            unreadable = {"account": "main", "event": {"type": "message", "message": {"id": message, "text": TEXT}}}
            value = json.dumps(unreadable, separators=(",", ":")).encode()
            await pipeline.topics.publish([Outgoing(LINE_EVENTS.name, b"k", value)])
        await take_line_events(pipeline)
        admin = await asyncpg.create_pool(postgres_dsn, min_size=1, max_size=1)
        async with admin:
            assert await admin.execute("UPDATE segmenter.outbox SET shard = -1") == "UPDATE 2"
            assert await holds(admin, TEXT) == {"segmenter.outbox.value", "scheduler.campaign_versions.document"}
            await send(pipeline, {"type": "unsend", "unsend": {"messageId": MESSAGE}})
            await pipeline.settle()
            left = await admin.fetch("SELECT value FROM segmenter.outbox")
            assert [f'"{MESSAGE}9"'.encode() in row["value"] for row in left] == [True]


async def take_line_events(pipeline: Pipeline) -> None:
    """Let the segmenter read, and nothing leave its outbox."""
    [handler] = [take for topic, group, take in pipeline._handlers if (topic, group) == (LINE_EVENTS.name, "pipeline")]
    batch = pipeline.topics.read(LINE_EVENTS.name, "pipeline")
    await handler(batch)
    pipeline.topics.done(LINE_EVENTS.name, "pipeline", batch)
