"""What Kafka's client, a stop or a rush does to the publisher harms the request in hand at most, and never the next."""

import asyncio
from collections.abc import Sequence

from tests.support.waiting import as_far_as_it_gets
from tests.unit.ingest.stand_ins import CheckedTopics
from tests.unit.ingest.test_durable_publisher import ListSpool, names, record
from todoke_ingest.adapters.durable import GROUP_BYTES, DurablePublisher
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing


class Cancelling(CheckedTopics):
    """A Kafka whose client gives up an inner task of its own, once."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """CancelledError the first time, though nobody has cancelled the caller."""
        if not self.cancelled:
            self.cancelled = True
            raise asyncio.CancelledError
        await super().publish(records)


class Measuring(CheckedTopics):
    """A Kafka that remembers how much it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Let others come meanwhile."""
        self.calls.append(len(records))
        await asyncio.sleep(0)
        await super().publish(records)


class Refusing(ListSpool):
    """A spool without room, which counts who asks for some."""

    def __init__(self, kafka: CheckedTopics) -> None:
        super().__init__(kafka, room=0)
        self.asked = 0

    async def put(self, records: Sequence[Outgoing]) -> None:
        """After a while, as PostgreSQL does."""
        self.asked += 1
        await asyncio.sleep(0.001)
        await super().put(records)


async def test_a_cancelled_call_inside_kafkas_client_stops_nobody() -> None:
    """The request in hand hears that it is not durable, the next one is carried."""
    kafka = Cancelling()
    publisher = DurablePublisher(kafka, ListSpool(kafka), seconds=5)
    async with asyncio.timeout(2):
        first = await asyncio.gather(publisher.publish([record("1")]), return_exceptions=True)
        await publisher.publish([record("2")])
    assert isinstance(first[0], SlowDownError)
    assert names(kafka.records) == [b"2"]


async def test_a_stop_tells_everybody_who_waits() -> None:
    """Whoever is given up hears it at once: in hand or in line."""
    kafka = CheckedTopics()
    spool = ListSpool(kafka, pause=asyncio.Event())
    kafka.away = True
    publisher = DurablePublisher(kafka, spool, seconds=5)
    waiting = [asyncio.create_task(publisher.publish([record(name)])) for name in ("1", "2")]
    await as_far_as_it_gets()
    waiting.append(asyncio.create_task(publisher.publish([record("3")])))
    await as_far_as_it_gets()
    stop = asyncio.create_task(publisher.flush())
    await asyncio.sleep(0)
    stop.cancel()
    async with asyncio.timeout(2):
        told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in told] == [SlowDownError] * 3
    assert spool.records == []


async def test_a_rush_of_large_batches_is_not_taken_for_kafkas_absence() -> None:
    """What goes out together is never more than Kafka acknowledges well within the deadline; nothing is left behind."""
    kafka = Measuring()
    publisher = DurablePublisher(kafka, ListSpool(kafka), seconds=5)
    batch = [Outgoing(f"{EC_EVENTS.name}.dlq", b"k", b"x" * (GROUP_BYTES // 50)) for _ in range(20)]
    await asyncio.gather(*(publisher.publish(batch) for _ in range(20)))
    assert sum(kafka.calls) == 400
    assert max(kafka.calls) <= 50


async def test_what_is_larger_than_a_group_goes_out_alone() -> None:
    """One request is never taken apart, nor held up for its size."""
    kafka = Measuring()
    publisher = DurablePublisher(kafka, ListSpool(kafka), seconds=5)
    huge = [Outgoing(f"{EC_EVENTS.name}.dlq", b"k", b"x" * 500_000) for _ in range(2 + GROUP_BYTES // 500_000)]
    await asyncio.gather(publisher.publish(huge), publisher.publish([record("1")]), publisher.publish([record("2")]))
    assert kafka.calls == [len(huge), 2]


async def test_while_nothing_is_durable_nobody_waits_in_line_for_that() -> None:
    """With Kafka and the spool away, all who wait hear it with the first: in a line, some would wait for ever."""
    kafka = CheckedTopics()
    kafka.away = True
    spool = Refusing(kafka)
    publisher = DurablePublisher(kafka, spool, seconds=5)
    batch = [Outgoing(f"{EC_EVENTS.name}.dlq", b"k", b"x" * 500_000) for _ in range(GROUP_BYTES // 500_000)]
    told = await asyncio.gather(*(publisher.publish(batch) for _ in range(50)), return_exceptions=True)
    assert {type(one) for one in told} == {SlowDownError}
    assert spool.asked == 1
    kafka.away = False
    spool.room = 10**9
    await publisher.publish([record("1")])
    assert names(spool.records) == [b"1"]
