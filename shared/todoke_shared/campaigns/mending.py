"""A campaign without its mistakes, so that what else is wrong in it can be told in the same go."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from todoke_shared.campaigns.steps import Place

_STAND_INS: dict[str, Any] = {
    "campaign": "campaign",
    "class": "marketing",
    "enter": {"on": "custom.anything"},
    "steps": [{"emit": "custom.anything"}],
}
"""What a campaign cannot do without, in the most harmless form."""
_STEP = {"emit": "custom.anything"}
_LISTS_OF_OTHERS = frozenset({"answers", "if", "set", "data"})
"""Keys of a step behind which no steps stand."""
_MESSAGE = [{"type": "text", "text": "-"}]


@dataclass(frozen=True)
class Mended:
    """The campaign, and where it is not the author's."""

    value: Any
    replaced: tuple[Place, ...]

    def touches(self, place: Place) -> bool:
        """Whether something at this place is not the author's."""
        return any(place[: len(one)] == one or one[: len(place)] == place for one in self.replaced)


def mended(document: object, wrong: Sequence[Sequence[str | int]]) -> Mended:
    """The document with a stand-in wherever something is wrong: for a step, a message, or a key of the campaign."""
    if not isinstance(document, dict):
        return Mended(document, ())
    value = deepcopy(document)
    replaced = tuple({_replace(value, tuple(place)): None for place in wrong})
    return Mended(value, replaced)


def _replace(campaign: dict[Any, Any], place: Place) -> Place:
    match place:
        case ("steps", int(), *_) if step := _innermost_step(campaign, place):
            container: Any = campaign
            for part in step[:-1]:
                container = container[part]
            container[step[-1]] = _STEP
            return step
        case ("messages", name, *_) if isinstance(campaign.get("messages"), dict) and name in campaign["messages"]:
            campaign["messages"][name] = _MESSAGE
            return place[:2]
        case (key, *_):
            campaign.pop(key, None)
            if key in _STAND_INS:
                campaign[key] = _STAND_INS[str(key)]
            return place[:1]
    return place


def _innermost_step(campaign: dict[Any, Any], place: Place) -> Place:
    """The path of the innermost step on the way to a place; () where there is none."""
    value: Any = campaign
    found: Place = ()
    for depth in range(0, len(place) - 1, 2):
        key, index = place[depth : depth + 2]
        inner = value.get(key) if isinstance(value, dict) and key not in _LISTS_OF_OTHERS else None
        if not isinstance(inner, list) or not isinstance(index, int) or index >= len(inner):
            break
        value, found = inner[index], place[: depth + 2]
    return found
