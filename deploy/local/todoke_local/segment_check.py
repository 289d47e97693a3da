"""Everything that can be said of segment files before they are published, and of campaigns that name segments."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from todoke_segmenter.adapters.segments import current_segments
from todoke_shared.campaigns.model import Campaign, EventRule, If, Send, walk
from todoke_shared.conditions import ConditionError, parse_condition
from todoke_shared.conditions.operands import one_of_these
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment
from todoke_shared.segments.source import load_segments, readable_segments
from todoke_shared.yaml_files import Place


def check_segments(place: Path, folder: Path) -> list[Segment]:
    """Read a segment file, or all of a folder. FileMistakesError lists every mistake.

    `folder`: where the shop's segments are; a single file may name them.
    """
    if not place.exists():
        raise ValueError(
            f"there is no `{place}` in {Path.cwd()}; run this where your segments are, or set TODOKE_SEGMENTS"
        )
    segments = load_segments(place, readable_segments(folder))
    if not segments:
        raise ValueError(f"there are no segments in {place}; a segment is a file *.yaml")
    return segments


async def published_segments(dsn: str) -> list[str]:
    """The names of the segments in force."""
    async with await open_pool(dsn, application="segments", schema="segmenter", size=1) as pool:
        return [one.segment.segment for one in await current_segments(pool)]


def segment_mistakes(campaign: Campaign, known: Collection[str]) -> Iterable[tuple[Place, str]]:
    """Segments that a campaign names and that there are not."""
    for place, rule in _rules(campaign):
        yield from _unknown(place, known, rule.segment, rule.when, "when")
    for place, step in walk(campaign.steps):
        if isinstance(step, Send | If):
            yield from _unknown(place, known, None, step.when, "if")


def _rules(campaign: Campaign) -> Iterator[tuple[Place, EventRule]]:
    yield ("enter",), campaign.enter
    yield from ((("exit", index), rule) for index, rule in enumerate(campaign.exit))
    yield from ((("goal", index), rule) for index, rule in enumerate(campaign.goal))


def _unknown(
    place: Place, known: Collection[str], segment: str | None, when: dict[str, Any] | None, key: str
) -> Iterator[tuple[Place, str]]:
    try:
        if segment is not None:
            one_of_these(segment, ("segment",), known, "segment")
        if when is not None:
            parse_condition(when, (key,), segments=known)
    except ConditionError as error:
        yield from (((*place, *one.path), str(one)) for one in (error, *error.others))
