"""What ingest says 2xx on: Kafka, or the spool while Kafka is away."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.support.doors import Doors
from tests.support.waiting import as_far_as_it_gets
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, event, new_door
from todoke_ingest.adapters.durable import DurablePublisher
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing


class MovedKafka(CheckedTopics):
    """A Kafka that is told how to behave: `away` refuses at once, `silent` takes and never acknowledges."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        self.refused = ""
        self.calls = 0

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Wait for ever while silent."""
        self.calls += 1
        if any(record.topic == self.refused for record in records):
            raise SlowDownError("there is no such topic")
        if self.silent:
            await asyncio.Event().wait()
        await super().publish(records)


@dataclass
class ListSpool:
    """A spool in memory that brings back into `kafka`."""

    kafka: CheckedTopics
    room: int = 1000
    records: list[Outgoing] = field(default_factory=list)
    pause: asyncio.Event | None = None

    async def put(self, records: Sequence[Outgoing]) -> None:
        """All or nothing."""
        if self.pause is not None:
            await self.pause.wait()
        if len(self.records) + len(records) > self.room:
            raise SlowDownError("the spool is full")
        self.records += records

    async def drain_some(self) -> int:
        """All of it."""
        some = list(self.records)
        if some:
            await self.kafka.publish(some)
            self.records = self.records[len(some) :]
        return len(some)

    async def waiting(self) -> frozenset[str]:
        """The topics of what waits."""
        return frozenset(record.topic for record in self.records)


def record(name: str) -> Outgoing:
    """A record of its own."""
    return Outgoing(f"{EC_EVENTS.name}.dlq", name.encode(), name.encode())


def names(records: Sequence[Outgoing]) -> list[bytes | None]:
    """Which they are."""
    return [record.value for record in records]


@pytest.fixture
def kafka() -> MovedKafka:
    """Kafka's stand-in."""
    return MovedKafka()


@pytest.fixture
def spool(kafka: MovedKafka) -> ListSpool:
    """The spool's stand-in."""
    return ListSpool(kafka)


@pytest.fixture
def durable(kafka: MovedKafka, spool: ListSpool) -> DurablePublisher:
    """With a short patience."""
    return DurablePublisher(kafka, spool, seconds=0.02)


async def test_requests_of_one_moment_go_out_together(durable: DurablePublisher, kafka: MovedKafka) -> None:
    """One call of the producer for all of them, in the order in which they came."""
    await asyncio.gather(*(durable.publish([record(f"{n}a"), record(f"{n}b")]) for n in range(3)))
    assert kafka.calls == 1
    assert names(kafka.records) == [b"0a", b"0b", b"1a", b"1b", b"2a", b"2b"]


@pytest.mark.parametrize("how", ["away", "silent"])
async def test_without_kafka_the_spool_takes_it(
    durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool, how: str
) -> None:
    """Refusing or silent, Kafka is asked once; from then on events go straight into the spool."""
    setattr(kafka, how, True)
    await durable.publish([record("1")])
    await durable.publish([record("2")])
    assert (names(spool.records), kafka.calls) == ([b"1", b"2"], 1)


async def test_a_full_spool_claims_nothing(durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool) -> None:
    """Neither in Kafka nor in the spool: whoever asked is told, and may come again."""
    kafka.away, spool.room = True, 1
    await durable.publish([record("1")])
    with pytest.raises(SlowDownError, match="full"):
        await durable.publish([record("2")])


async def test_what_was_spooled_goes_first_when_kafka_is_back(
    durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool
) -> None:
    """Until the spool is empty everything goes through it, so that nobody's events overtake each other."""
    kafka.away = True
    await durable.publish([record("1")])
    kafka.away = False
    await durable.publish([record("2")])
    assert names(kafka.records) == []
    await durable.follow_spool()
    await durable.publish([record("3")])
    assert names(kafka.records) == [b"1", b"2", b"3"]
    assert spool.records == []


async def test_a_put_under_way_is_not_overtaken(durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool) -> None:
    """A spool that looks empty while a record is on its way into it is not empty."""
    kafka.away = True
    await durable.publish([record("1")])
    kafka.away, spool.pause = False, asyncio.Event()
    late = asyncio.create_task(durable.publish([record("2")]))
    await as_far_as_it_gets()
    await durable.follow_spool()
    after = asyncio.create_task(durable.publish([record("3")]))
    await as_far_as_it_gets()
    spool.pause.set()
    await asyncio.gather(late, after)
    await durable.follow_spool()
    assert names(kafka.records) == [b"1", b"2", b"3"]


async def test_what_an_earlier_life_left_goes_first(
    durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool
) -> None:
    """An ingest that finds records in the spool at its start begins by spooling."""
    spool.records = [record("old")]
    await durable.look_behind()
    await durable.publish([record("new")])
    await durable.follow_spool()
    assert names(kafka.records) == [b"old", b"new"]


async def test_one_requests_fault_is_its_own(durable: DurablePublisher, kafka: MovedKafka) -> None:
    """A record that makes the producer fail hurts no request but its own."""
    bad = Outgoing("no.such.topic", b"k", b"v")
    good, other, failed = await asyncio.gather(
        durable.publish([record("1")]), durable.publish([record("2")]), durable.publish([bad]), return_exceptions=True
    )
    assert (good, other) == (None, None)
    assert isinstance(failed, AssertionError)
    assert list(dict.fromkeys(names(kafka.records))) == [b"1", b"2"]


async def test_a_topic_that_takes_nothing_stops_no_other(
    durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool
) -> None:
    """Its records go into the spool, and stay there; the others go to Kafka, before and after."""
    kafka.refused = EC_EVENTS.dead_letters
    good = Outgoing(LINE_EVENTS.dead_letters, b"good", b"good")
    await durable.publish([record("1"), good])
    await durable.publish([good])
    assert names(spool.records) == [b"1"]
    assert names(kafka.records) == [b"good", b"good"]


async def test_flush_waits_for_what_was_given(durable: DurablePublisher, kafka: MovedKafka) -> None:
    """A stop loses nothing that is on its way."""
    given = asyncio.create_task(durable.publish([record("1")]))
    await asyncio.sleep(0)
    await durable.flush()
    assert names(kafka.records) == [b"1"]
    await given


async def test_neither_kafka_nor_spool_is_503(kafka: MovedKafka, spool: ListSpool, durable: DurablePublisher) -> None:
    """Without either, nothing is claimed and the sender is told to come again."""
    kafka.silent, spool.room = True, 0
    door = Doors(replace(new_door(kafka).intake, publisher=durable))
    async with asyncio.timeout(5):
        answer = await door.take_events(as_bytes(event()))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})


async def test_a_topic_that_joins_while_another_leaves_stays_in_the_spool(
    durable: DurablePublisher, kafka: MovedKafka, spool: ListSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back to Kafka with one topic does not take along another that was given up there in that very moment."""
    first, second = (Outgoing(LINE_EVENTS.dead_letters, b"late", value) for value in (b"first", b"second"))
    kafka.away = True
    await durable.publish([record("1")])
    kafka.away, kafka.refused = False, LINE_EVENTS.dead_letters
    look = spool.waiting

    async def look_while_another_fails() -> frozenset[str]:
        found = await look()
        if not found:
            await durable.publish([first])
        return found

    monkeypatch.setattr(spool, "waiting", look_while_another_fails)
    await durable.follow_spool()
    assert (names(kafka.records), names(spool.records)) == ([b"1"], [b"first"])
    kafka.refused = ""
    await durable.publish([second])  # behind the first, and not before it
    assert names(spool.records) == [b"first", b"second"]
