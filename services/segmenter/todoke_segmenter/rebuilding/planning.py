"""With what a rebuild begins, whether it goes on with an interrupted one, and since when the topics hold everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from todoke_segmenter.rebuilding.folding import TOPICS, positions
from todoke_segmenter.rebuilding.scratch import Plan, earlier_plan, make_scratch, published, release
from todoke_segmenter.rebuilding.sides import Connection
from todoke_shared.kafka.retained import Place, RetainedTopics, Stretch, retention_of
from todoke_shared.kafka.topics import cluster_id


@dataclass(frozen=True)
class Source:
    """Where a rebuild reads: the database, its live state, and the topics with what they held at its start."""

    dsn: str
    bootstrap_servers: str
    live: Connection
    topics: RetainedTopics
    stretches: Mapping[Place, Stretch]


async def make_plan(source: Source, *, restart: bool) -> tuple[Plan, bool]:
    """The plan, and whether it is an interrupted rebuild's. A new one has a fresh schema."""
    version, migrations = release()
    campaigns, segments = await published(source.live)
    cluster = await cluster_id(source.bootstrap_servers)
    begins = {name_of(place): stretch.begin for place, stretch in source.stretches.items()}
    plan = Plan(cluster, version, migrations, campaigns, segments, begins, None)
    earlier = None if restart else await earlier_plan(source.live)
    if earlier is not None:
        earlier.check(plan)
        return earlier, True
    since = await _complete_since(source, cluster)
    plan = Plan(cluster, version, migrations, campaigns, segments, begins, since)
    await make_scratch(source.dsn, source.live, plan)
    return plan, False


async def _complete_since(source: Source, cluster: str) -> datetime | None:
    """From when on the topics hold everything; None when they have lost nothing."""
    now = datetime.now(UTC)
    taken = await positions(source.live, cluster)
    made_again = {place: s for place, s in source.stretches.items() if taken.get(place, 0) > s.end}
    if made_again or await source.live.fetchval(_ELSEWHERE, cluster):
        first = await source.topics.first_times(source.stretches)
        return max((first.get(place, now) for place in made_again or source.stretches), default=now)
    cut = {place: stretch for place, stretch in source.stretches.items() if stretch.begin}
    if not cut:
        return None
    first = await source.topics.first_times(cut)
    oldest = max(first.get(place, now) for place in cut)
    # A quiet partition's first record may be young though nothing before it was: the rule for deleting says so.
    kept = await retention_of(source.bootstrap_servers, TOPICS)
    return oldest if kept is None else min(oldest, now - kept)


_ELSEWHERE = "SELECT EXISTS (SELECT FROM consumed WHERE cluster <> $1)"
"""Whether the live state has heard of events through another cluster, whose topics are not looked at."""


def name_of(place: Place) -> str:
    """`topic/partition`."""
    return f"{place[0]}/{place[1]}"
