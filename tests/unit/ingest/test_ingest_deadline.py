"""A door answers in time, also when Kafka does not."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, event, new_door
from todoke_ingest.adapters.deadline import PublisherInTime
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing


class SilentKafka(CheckedTopics):
    """Takes records and never acknowledges them, as aiokafka does while no broker answers."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


async def test_silence_becomes_503() -> None:
    """Without an acknowledgement in time, nothing is claimed and the sender is told to come again."""
    patient = new_door(CheckedTopics()).intake
    door = Doors(replace(patient, publisher=PublisherInTime(SilentKafka(), 0.01)))
    async with asyncio.timeout(5):
        answer = await door.take_events(as_bytes(event()))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})


async def test_an_answer_in_time_goes_through() -> None:
    """The deadline changes nothing about what Kafka takes, nor about what it refuses."""
    topics = CheckedTopics()
    in_time = PublisherInTime(topics, 5)
    await in_time.publish([])
    topics.away = True
    with pytest.raises(SlowDownError, match="Kafka is away"):
        await in_time.publish([])
