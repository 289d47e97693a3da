"""Topics in memory, for story tests: the same port as Kafka's, and a log that the story can be read from."""

from collections import defaultdict
from collections.abc import Sequence

from todoke_shared.kafka.publish import MAX_RECORD_BYTES, TooLargeError
from todoke_shared.kafka.records import Outgoing, Record


class MemoryTopics:
    """One partition a topic; each group reads every record once, in order."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Record]] = defaultdict(list)
        self._positions: dict[tuple[str, str], int] = defaultdict(int)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Append, in order. Refuses what Kafka would refuse."""
        if any(len(record.value or b"") > MAX_RECORD_BYTES for record in records):
            raise TooLargeError("larger than Kafka takes")
        for record in records:
            log = self.logs[record.topic]
            headers = tuple((name, text.encode()) for name, text in record.headers.items())
            value = b"" if record.value is None and record.key is None else record.value
            log.append(Record(record.topic, 0, len(log), record.key, value, headers))

    def read(self, topic: str, group: str, most: int = 500) -> list[Record]:
        """The next records of a group, which `done` has not been told of."""
        start = self._positions[topic, group]
        return self.logs[topic][start : start + most]

    def done(self, topic: str, group: str, records: Sequence[Record]) -> None:
        """The group's offsets are committed."""
        self._positions[topic, group] += len(records)
