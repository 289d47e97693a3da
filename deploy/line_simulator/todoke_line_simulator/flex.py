"""Flex messages: what LINE refuses and line-bot-sdk's models let pass.

LINE refuses an unknown property, a text component without text, and a block that is not a box; the SDK ignores the
first two and takes the third for a box. Known properties come from its models, so a newer SDK brings newer ones.
Source: https://developers.line.biz/en/reference/messaging-api/#flex-message
"""

from collections.abc import Iterator

import orjson

from todoke_line_simulator import sdk
from todoke_line_simulator.problems import Problem

BUBBLE_BYTES = 30 * 1024
CAROUSEL_BYTES = 50 * 1024
MOST_BUBBLES = 12

# Types of parts, and the models that know their properties.
_COMPONENTS: dict[str, str] = {
    "box": "FlexBox",
    "button": "FlexButton",
    "filler": "FlexFiller",
    "icon": "FlexIcon",
    "image": "FlexImage",
    "separator": "FlexSeparator",
    "text": "FlexText",
    "video": "FlexVideo",
}
_CONTAINERS: dict[str, str] = {"bubble": "FlexBubble", "carousel": "FlexCarousel"}
_SPAN: dict[str, str] = {"span": "FlexSpan"}
_BOX: dict[str, str] = {"box": "FlexBox"}
_BUBBLE: dict[str, str] = {"bubble": "FlexBubble"}


def flex_problems(contents: object, at: str) -> Iterator[Problem]:
    """Everything in the ``contents`` of a Flex message that breaks a rule."""
    found = list(_shape(contents, at, _CONTAINERS))
    yield from found
    if found or not isinstance(contents, dict):
        return
    if contents["type"] == "bubble":
        yield from _bubble(contents, at)
        return
    bubbles = contents.get("contents")
    if not isinstance(bubbles, list) or not 1 <= len(bubbles) <= MOST_BUBBLES:
        yield Problem(f"Size must be between 1 and {MOST_BUBBLES}", f"{at}.contents")
        return
    yield from _size(contents, at, CAROUSEL_BYTES)
    for index, bubble in enumerate(bubbles):
        place = f"{at}.contents[{index}]"
        yield from _shape(bubble, place, _BUBBLE)
        if isinstance(bubble, dict):
            yield from _bubble(bubble, place)


def _bubble(bubble: dict[str, object], at: str) -> Iterator[Problem]:
    yield from _size(bubble, at, BUBBLE_BYTES)
    for block in ("header", "hero", "body", "footer"):
        if block in bubble:
            yield from _component(bubble[block], f"{at}.{block}", _COMPONENTS if block == "hero" else _BOX)


def _component(component: object, at: str, allowed: dict[str, str]) -> Iterator[Problem]:
    found = list(_shape(component, at, allowed))
    yield from found
    if found or not isinstance(component, dict):
        return
    children = component.get("contents", [])
    if not isinstance(children, list):
        yield Problem("Must be a list of components", f"{at}.contents")
        return
    if component["type"] in {"text", "span"} and not children and not _filled(component.get("text")):
        yield Problem("must be non-empty text", f"{at}.text")
    for index, child in enumerate(children):
        yield from _component(child, f"{at}.contents[{index}]", _SPAN if component["type"] == "text" else _COMPONENTS)


def _shape(node: object, at: str, allowed: dict[str, str]) -> Iterator[Problem]:
    """Known type, known properties."""
    kind = node.get("type") if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(kind, str) or kind not in allowed:
        yield Problem(f"Must be one of the following values: [{', '.join(allowed)}]", f"{at}.type")
        return
    for name in node.keys() - sdk.properties(allowed[kind]):
        yield Problem("unknown field", f"{at}.{name}")


def _filled(text: object) -> bool:
    return isinstance(text, str) and text != ""


def _size(container: object, at: str, most: int) -> Iterator[Problem]:
    if len(orjson.dumps(container)) > most:
        yield Problem(f"Must be at most {most // 1024} KB of JSON", at)
