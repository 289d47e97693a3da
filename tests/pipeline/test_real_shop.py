"""Nine days of a real shop through all four services: exactly the reminders of the rule, however events come."""

import os
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cart_oracle import Row, arrivals, read_rows, reminders, reminders_known
from tests.support.line_webhooks import line_user_id
from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.recordings import RECORDING, feed

pytestmark = pytest.mark.recording

SEEDS = [1, 2] if os.environ.get("TODOKE_TEST_LONG") else [1]
KINDS = {"カートにお忘れものはありませんか？": "first", "カートに商品が残っています。": "second"}
Sent = tuple[str, str, int]
"""(person, kind, unix seconds)"""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The recording."""
    return read_rows(RECORDING)


async def replay(dsn: str, rows: Sequence[Row], schedule: Sequence[tuple[int, Row]]) -> list[tuple[Sent, list[str]]]:
    """Feed a schedule to a fresh pipeline, run on for two days, and give each reminder with the items it names."""
    start = datetime.fromtimestamp(schedule[0][0], UTC) - timedelta(hours=1)
    people = sorted({row.user_id for row in rows})
    async with open_pipeline(dsn, start) as pipeline:
        await pipeline.follow(*people)
        await feed(pipeline, schedule)
        await pipeline.run_until(pipeline.clock.now() + timedelta(days=2))
        return sent_reminders(pipeline, people)


def sent_reminders(pipeline: Pipeline, people: Sequence[str]) -> list[tuple[Sent, list[str]]]:
    """What LINE took, as the oracle speaks of it."""
    names = {line_user_id(person): person for person in people}
    found = []
    for message in pipeline.sent:
        kind = KINDS.get(message.text.split("\n")[0])
        if kind is not None:
            sent = (names[message.to], kind, int(message.at.timestamp()))
            found.append((sent, re.findall(r"・(.+)", message.text)))
    return found


async def test_every_reminder_is_sent_at_its_second_and_none_besides(postgres_dsn: str, rows: list[Row]) -> None:
    """In order: the set of (person, kind, time, items) is the oracle's, each once."""
    schedule = sorted(((row.unix_seconds, row) for row in rows), key=lambda pair: pair[0])
    sent = await replay(postgres_dsn, rows, schedule)
    expected = {((r.person, r.kind, r.at), r.items) for r in reminders(rows)}
    assert {(reminder, frozenset(items)) for reminder, items in sent} == expected
    assert len(sent) == len(expected) == 418


@pytest.mark.parametrize("seed", SEEDS)
async def test_shuffled_and_repeated_events_change_nothing(postgres_dsn: str, rows: list[Row], seed: int) -> None:
    """Each event comes one to three times, each copy up to ten minutes out of its place: the same set.

    Here the shop's clock never runs ahead of what has been told (a replay, or a queue read in any order), so the
    rule has one answer. What a clock that does run ahead can know is the next test's.
    """
    rng = random.Random(seed)
    copies = [row for row in rows for _ in range(rng.randint(1, 3))]
    schedule = sorted(((row.unix_seconds - rng.randint(0, 600), row) for row in copies), key=lambda pair: pair[0])
    sent = [reminder for reminder, _ in await replay(postgres_dsn, rows, schedule)]
    expected = {(r.person, r.kind, r.at) for r in reminders(rows)}
    assert set(sent) == expected
    assert len(sent) == len(expected)


@pytest.mark.parametrize("seed", SEEDS)
async def test_late_events_are_obeyed_from_the_moment_they_are_known(
    postgres_dsn: str, rows: list[Row], seed: int
) -> None:
    """Each event arrives one to three times, up to ten minutes late: what was known at each due time decides."""
    schedule = arrivals(rows, seed=seed)
    sent = [reminder for reminder, _ in await replay(postgres_dsn, rows, schedule)]
    expected = {(r.person, r.kind, r.at) for r in reminders_known(schedule)}
    assert set(sent) == expected
    assert len(sent) == len(expected)
