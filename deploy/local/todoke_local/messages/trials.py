"""A message, tried: rendered for the two sample people, and whatever LINE says of it brought back to the file."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from todoke_dispatcher.domain.rendering import MAX_BODY_BYTES, MOST_OBJECTS, RenderError, Trace, content_of, render
from todoke_local.messages.certainty import certain_of
from todoke_local.messages.reads import Path, Reads, reads_of
from todoke_local.messages.samples import long_sample, short_sample
from todoke_local.messages.vocabulary import Known, vocabulary
from todoke_scheduler.domain.variables import VARIABLES
from todoke_shared.campaigns.asking import with_answers
from todoke_shared.campaigns.message_parts import Place
from todoke_shared.campaigns.model import Ask, Campaign, walk

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Trial:
    """A message as a sample person gets it. `whose`: "long" or "short". `errors`: what could not be filled in.

    `objects`: what would go to LINE, the buttons of its question included.
    """

    message: str
    whose: str
    objects: list[Any]
    filled: list[Any]
    trace: Trace

    @property
    def errors(self) -> list[RenderError]:
        return self.trace.errors

    def place_of(self, property_: str) -> Place:
        """Where in the file a property of the request's body stands, as LINE names it: `messages[0].text`."""
        path = _path(property_)
        if path[:1] == ["messages"]:
            path = path[1:]
        place: Place = ("messages", self.message)
        here: Any = self.filled
        rest: list[str | int] = []
        for part in path:
            here = _below(here, part)
            rest.append(part)
            if id(here) in self.trace.places:
                place = ("messages", self.message, *self.trace.places[id(here)])
                rest = []
            if here is None:
                break
        return (*place, *rest)


@dataclass(frozen=True)
class Tried:
    """What came of a message. `missing`: what it reads that not everybody has, with where it does.

    `trials` are of people to whom it can be sent: what is missing is given to them.
    """

    name: str
    reads: Reads
    known: Mapping[str, Known]
    long: Trial
    short: Trial
    missing: dict[Path, Place]

    @property
    def trials(self) -> tuple[Trial, Trial]:
        """Both."""
        return self.long, self.short


def try_messages(campaign: Campaign, left_out: Collection[str] = ()) -> Iterator[Tried]:
    """Every message but those `left_out`, tried. A message whose templates cannot be read raises RenderError."""
    known, certain = vocabulary(campaign), certain_of(campaign)
    for name, template in campaign.messages.items():
        if name not in left_out:
            yield _tried(campaign, name, template, known, certain[name])


def _tried(
    campaign: Campaign, name: str, template: Sequence[dict[str, Any]], known: Mapping[str, Known], sure: frozenset[Path]
) -> Tried:
    reads = reads_of(template, VARIABLES)
    long = _trial(campaign, name, "long", long_sample(known, reads.uses))
    has = short_sample(known, reads.uses, sure)
    short = _trial(campaign, name, "short", has)
    missing: dict[Path, Place] = {}
    while short.errors and len(missing) <= len(reads.uses):
        failed = {error.place for error in short.errors}
        found = {path: place for path in reads.uses for place in reads.at[path] if place in failed}
        found = {path: place for path, place in found.items() if path not in missing and not _has(has, path)}
        # Where a `default` stands, it was something else that failed; if that is not so, all are given.
        found = {path: place for path, place in found.items() if (path, place) not in reads.mended} or found
        if not found:
            break
        missing |= found
        has = short_sample(known, reads.uses, sure | missing.keys())
        short = _trial(campaign, name, "short", has)
    return Tried(name, reads, known, long, short, _deepest(missing))


def _trial(campaign: Campaign, name: str, whose: str, values: dict[str, Any]) -> Trial:
    trace = Trace()
    filled: list[Any] = render(campaign.messages[name], values, campaign.tz, trace)
    ask = next((step for _, step in walk(campaign.steps) if isinstance(step, Ask) and step.message == name), None)
    asks = ask is not None and filled and all(isinstance(one, dict) for one in filled)
    objects = with_answers(filled, campaign.campaign, ask) if ask and asks else filled
    return Trial(name, whose, objects, filled, trace)


def too_large(trial: Trial) -> str | None:
    """What is wrong with the message as a whole."""
    number = len(trial.objects)
    if not 1 <= number <= MOST_OBJECTS:
        return f"comes to {number} message objects; LINE takes 1 to {MOST_OBJECTS}"
    try:
        size = len(content_of(trial.objects))
    except RenderError as error:
        return str(error).removeprefix("render: ")
    return f"comes to {size:,} bytes; LINE takes at most {MAX_BODY_BYTES:,}" if size > MAX_BODY_BYTES else None


def _deepest(missing: dict[Path, Place]) -> dict[Path, Place]:
    """`event.items` is not worth a word beside `event.items.name`."""
    return {
        path: place
        for path, place in missing.items()
        if not any(other != path and other[: len(path)] == path for other in missing)
    }


def _has(values: Any, path: Path) -> bool:
    here = values
    for part in path:
        if isinstance(here, list):
            here = here[0] if here else None
        else:
            here = here.get(part) if isinstance(here, Mapping) else None
        if here is None:
            return False
    return True


def _path(property_: str) -> list[str | int]:
    return [int(index) if index else name for name, index in _STEP.findall(property_)]


def _below(value: Any, part: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return None
