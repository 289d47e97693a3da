"""A Kafka broker for one machine: librdkafka's mock cluster, out of the confluent-kafka wheel."""

from typing import Self

from todoke_local.embedded.child import ChildProgram


class EmbeddedKafka:
    """One Kafka broker on a free port of 127.0.0.1, in a process of its own. Nothing to install, up in half a second.

    It speaks the real protocol (aiokafka's producers, idempotent ones too, and consumer groups with commits), but
    it is made for demos and tests. Read in librdkafka's `src/rdkafka_mock.c` (2.x) and tried here:

    - Everything is in memory and is gone when it stops. Topics, offsets and records do not outlive the process.
    - A partition keeps at most 5 MiB of record batches and 100,000 batches; the oldest go first, read or not.
      A consumer that falls behind by more than that loses records.
    - A topic appears, with 4 partitions, when a client first asks for its metadata. Creating topics
      by admin request is not supported, nor are topic settings such as retention and compaction.
    - A new group's first join takes 3 seconds (`group.initial.rebalance.delay.ms`; no configuration property
      lowers it in the mock).
    - Idempotent producers are accepted, but only transactional ones have their sequence numbers checked,
      so a repeated batch of an idempotent producer is stored twice.
    - No authentication and no encryption; it listens on loopback only.
    """

    def __init__(self) -> None:
        self._child = ChildProgram("todoke_local.embedded.kafka_process")
        self._bootstrap_servers = ""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, as Kafka clients take it. RuntimeError while it does not run."""
        if not self._bootstrap_servers:
            raise RuntimeError("The embedded Kafka is not running: call start(), or use `async with EmbeddedKafka()`.")
        return self._bootstrap_servers

    async def start(self) -> None:
        """Return once it answers. RuntimeError, with the reason, where it cannot start."""
        ready = await self._child.start()
        self._bootstrap_servers = ready["bootstrap_servers"]

    async def stop(self) -> None:
        """Return once its process is gone, and its records with it. Harmless when it does not run."""
        self._bootstrap_servers = ""
        await self._child.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
