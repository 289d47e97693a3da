"""`todoke rebuild`: fold, compare, ask. Interrupted, it goes on where it was; only its own schema is written to.

The live state is looked at as of one instant. How far each partition had been taken then stands in that same look, so
that the fold goes exactly that far, and both states come of the very same records.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from todoke_segmenter.rebuilding.comparing import Comparison, compare
from todoke_segmenter.rebuilding.folding import TOPICS, Fold, positions
from todoke_segmenter.rebuilding.planning import Source, make_plan, name_of
from todoke_segmenter.rebuilding.scratch import SCHEMA, Plan, drop_scratch
from todoke_segmenter.rebuilding.sides import LIVE, Connection, connect, open_sides
from todoke_segmenter.rebuilding.would_send import WouldSend, would_send
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.kafka.retained import Place, RetainedTopics
from todoke_shared.kafka.topics import end_offsets
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_segmenter.rebuilding", "would_send.sql")
_LOCK = 0x4EB01D
"""An arbitrary advisory lock: one rebuild at a time."""


class Watch(Protocol):
    """What is told while it goes on."""

    def stage(self, words: str, total: int | None) -> None:
        """Something begins that has `total` steps, or nobody knows how many."""

    def step(self, steps: int) -> None:
        """So many are done."""


@dataclass(frozen=True)
class Outcome:
    """What a rebuild found. `not_taken`: records that the live segmenter had still to take when it was looked at."""

    folded: int
    went_on: bool
    not_taken: int
    complete_since: datetime | None
    comparison: Comparison
    sending: WouldSend


async def rebuild(
    dsn: str, bootstrap_servers: str, watch: Watch, *, restart: bool = False, keep: bool = False
) -> Outcome:
    """Fold what the topics hold and compare. `restart`: from scratch though an earlier one was interrupted.

    `keep`: leave the schema, to look into. ValueError tells what to do when it cannot be done; SlowDownError when Kafka
    stops giving. Whatever ends it early leaves the schema too, and the next one goes on.
    """
    async with connect(dsn, LIVE) as live, RetainedTopics(bootstrap_servers) as topics:
        if not await live.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise ValueError("another rebuild is running; wait for its end, or stop it")
        source = Source(dsn, bootstrap_servers, live, topics, await topics.stretches(TOPICS))
        plan, went_on = await make_plan(source, restart=restart)
        outcome = await _Rebuild(source, plan, watch).run(went_on=went_on)
        if not keep:
            await drop_scratch(live)
        return outcome


@dataclass(frozen=True)
class _Rebuild:
    source: Source
    plan: Plan
    watch: Watch

    async def run(self, *, went_on: bool) -> Outcome:
        # What a crash takes of the last commits, it takes with their positions.
        dsn = f"{self.source.dsn}{'&' if '?' in self.source.dsn else '?'}synchronous_commit=off"
        async with await open_pool(dsn, application="rebuild", schema=SCHEMA, size=2) as pool:
            fold = Fold(pool, self.source.topics, self.plan.cluster)
            await fold.learn_rules()
            begins = {place: self.plan.begins.get(name_of(place), 0) for place in self.source.stretches}
            await self._check_holes(fold, begins)
            folded = await self._fold(fold, begins, "Folding", await self._targets(self.source.live))
            async with connect(self.source.dsn, LIVE) as live, live.transaction(isolation="repeatable_read"):
                targets = await self._targets(live)
                now = (await sample_clock(pool)).now
                folded += await self._fold(fold, begins, "Folding what came meanwhile", targets)
                await fold.clock_to(now)
                async with open_sides(live, self.source.dsn, self.plan.complete_since) as sides:
                    self.watch.stage("Comparing", await live.fetchval("SELECT count(*) FROM people"))
                    comparison = await compare(sides, now, self.watch.step)
                    self.watch.stage("Asking what was sent", None)
                    sending = await would_send(sides, self.source.live, await self._waiting())
        return Outcome(folded, went_on, self._not_taken(targets), self.plan.complete_since, comparison, sending)

    def _not_taken(self, targets: Mapping[Place, int]) -> int:
        """Records that were there when it began, and that the live segmenter has still to take."""
        held = self.source.stretches.items()
        return sum(max(0, stretch.end - max(targets.get(place, 0), stretch.begin)) for place, stretch in held)

    async def _targets(self, live: Connection) -> dict[Place, int]:
        """How far the live segmenter is, as its state that this connection sees; no further than the topics go."""
        taken = await positions(live, self.plan.cluster)
        held = await self.source.topics.stretches(TOPICS)
        return {place: min(taken.get(place, 0), held[place].end) for place in self.source.stretches if place in held}

    async def _fold(self, fold: Fold, begins: Mapping[Place, int], words: str, targets: Mapping[Place, int]) -> int:
        done = await fold.positions()
        left = sum(max(0, end - done.get(place, begins[place])) for place, end in targets.items())
        self.watch.stage(words, left)
        return await fold.up_to(targets, begins, self.watch.step)

    async def _check_holes(self, fold: Fold, begins: Mapping[Place, int]) -> None:
        """ValueError where the topics have lost what was to be folded next, or the live state went back."""
        done, taken = await fold.positions(), await positions(self.source.live, self.plan.cluster)
        for place, stretch in self.source.stretches.items():
            at = done.get(place, begins[place])
            if at < stretch.begin:
                raise ValueError(f"{name_of(place)} has lost records that were still to be folded; use --restart")
            if done.get(place, 0) > taken.get(place, 0):
                raise ValueError(f"the live state is behind the rebuilt one in {name_of(place)}; use --restart")

    async def _waiting(self) -> int:
        """Triggers on their way to the scheduler."""
        name = CUSTOMER_TRIGGERS.name
        ends = await end_offsets(self.source.bootstrap_servers, CUSTOMER_TRIGGERS)
        rows = await self.source.live.fetch(_SQL["taken"], self.plan.cluster, name)
        taken = {row["partition"]: row["next_offset"] for row in rows}
        behind: int = sum(max(0, end - taken.get(partition, end)) for partition, end in ends.items())
        unsent: int = await self.source.live.fetchval(_SQL["waiting"], name)
        return behind + unsent
