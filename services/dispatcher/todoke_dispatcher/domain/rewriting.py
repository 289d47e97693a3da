"""Links in LINE's message objects, and other addresses in their place: pure, whoever says which.

A link is what somebody taps: the `uri` of a URI action and its `altUri.desktop`, an imagemap's and a video's `linkUri`,
and an address in the text of a text message. What LINE itself fetches (images, videos) is none, nor are the texts of a
Flex message or a template, in which LINE makes no links.

An address in a text is ASCII, up to what cannot be part of one. What ends a sentence, or closes a bracket that was
opened before it, is not its own. Where a letter follows that is not ASCII (`https://shop.example/お茶`), nobody can
tell whether it still belongs to the address: such a link stays as it is written.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from todoke_shared.jsons import dumps

MakeLink = Callable[[str], str | None]
"""A link -> what stands in its place, or None: it stays."""

LONGEST_TEXT = 5000
"""UTF-16 units (LINE-API.md: content limits)."""
LARGEST_BUBBLE = 30 * 1024
LARGEST_CAROUSEL = 50 * 1024
"""Bytes of a Flex message's contents as JSON (LINE-API.md: content limits)."""

_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])https?://[A-Za-z0-9!#$%&'()*+,\-./:;=?@\[\]_~]+", re.IGNORECASE)
_ENDS_A_SENTENCE = ".,:;!?'"
_BRACKETS = {")": "(", "]": "["}
_MAY_GO_ON = "{|}\\^`"
"""Beside letters and digits: what a browser would take as part of an address, or textV2 puts something in place of."""


class Address(NamedTuple):
    """An address in a text, from `start` to before `end`. `clear`: where it ends is beyond doubt."""

    start: int
    end: int
    url: str
    clear: bool


def addresses(text: str) -> Iterator[Address]:
    """The addresses of web pages in a text, in order."""
    for found in _ADDRESS.finditer(text):
        url = _trimmed(found[0])
        following = text[found.end() : found.end() + 1]
        clear = not following or (unicodedata.category(following)[0] not in "LNM" and following not in _MAY_GO_ON)
        yield Address(found.start(), found.start() + len(url), url, clear)


def _trimmed(run: str) -> str:
    while run:
        last = run[-1]
        if last not in _ENDS_A_SENTENCE and not (last in _BRACKETS and run.count(last) > run.count(_BRACKETS[last])):
            break
        run = run[:-1]
    return run


def rewrite(messages: Sequence[object], make_link: MakeLink) -> list[object]:
    """The message objects with what `make_link` gives in place of their links, each asked for once, in order.

    What does not change is the same object. A message object that LINE would not take any more, because what stands in
    place of its links is longer than they were, stays as it is.
    """
    return [_rewritten(message, make_link) for message in messages]


def links_in(messages: Sequence[object]) -> list[str]:
    """Every link that `rewrite` would ask for, in order."""
    found: list[str] = []
    rewrite(messages, found.append)
    return found


def _rewritten(message: object, make_link: MakeLink) -> object:
    new = _walked(message, make_link)
    if isinstance(new, Mapping) and new.get("type") in ("text", "textV2"):
        new = _in_text(new, make_link)
    return new if new is message or _fits(new) else message


def _walked(part: object, make_link: MakeLink) -> object:
    match part:
        case Mapping():
            return _in_mapping(part, make_link)
        case list() | tuple():
            new = [_walked(each, make_link) for each in part]
            return new if any(a is not b for a, b in zip(new, part, strict=True)) else part
        case _:
            return part


def _in_mapping(part: Mapping[str, object], make_link: MakeLink) -> Mapping[str, object]:
    changed: dict[str, object] = {}
    for key, value in part.items():
        if isinstance(value, str):
            new: object = (_is_link(part, key) and make_link(value)) or value
        else:
            new = _walked(value, make_link)
        if new is not value:
            changed[key] = new
    return {**part, **changed} if changed else part


def _is_link(part: Mapping[str, object], key: str) -> bool:
    match key:
        case "uri":
            return part.get("type") == "uri"
        case "linkUri":
            return True
        case "desktop":
            return "type" not in part  # of `altUri`, which has no other field
        case _:
            return False


def _in_text(message: Mapping[str, object], make_link: MakeLink) -> Mapping[str, object]:
    text = message.get("text")
    if not isinstance(text, str) or "://" not in text:
        return message
    emojis = message.get("emojis")
    pieces: list[str] = []
    grown: list[tuple[int, int]] = []
    done = 0
    for found in addresses(text):
        is_clear = found.clear and not (emojis and "$" in found.url)  # a `$` may stand for an emoji
        new = make_link(found.url) if is_clear else None
        if new is not None:
            pieces += text[done : found.start], new
            grown.append((found.end, len(new) - len(found.url)))
            done = found.end
    if not grown:
        return message
    told = {**message, "text": "".join([*pieces, text[done:]])}
    if isinstance(emojis, list):
        told["emojis"] = _moved(emojis, [(_units(text[:end]), more) for end, more in grown])
    return told


def _moved(emojis: Sequence[object], grown: Sequence[tuple[int, int]]) -> list[object]:
    """Emoji where their `$` stands now: LINE finds them by its place in the text, counted in UTF-16 units."""
    return [
        {**emoji, "index": emoji["index"] + sum(more for end, more in grown if end <= emoji["index"])}
        if isinstance(emoji, Mapping) and isinstance(emoji.get("index"), int)
        else emoji
        for emoji in emojis
    ]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _fits(message: object) -> bool:
    match message:
        case {"text": str(text)}:
            return _units(text) <= LONGEST_TEXT
        case {"type": "flex", "contents": {"type": "carousel", "contents": [*bubbles]} as carousel}:
            return len(dumps(carousel)) <= LARGEST_CAROUSEL and all(map(_is_a_bubble, bubbles))
        case {"type": "flex", "contents": bubble}:
            return _is_a_bubble(bubble)
        case _:
            return True


def _is_a_bubble(bubble: object) -> bool:
    return len(dumps(bubble)) <= LARGEST_BUBBLE
