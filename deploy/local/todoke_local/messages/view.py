"""A message as one reads it in a terminal: its texts in order, its buttons, and what kind everything else is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = ("title", "text", "address")
_NAMED = {
    "image": "originalContentUrl",
    "video": "originalContentUrl",
    "audio": "originalContentUrl",
    "imagemap": "baseUrl",
}


def lines_of(messages: Sequence[object]) -> Iterator[str]:
    """The lines of a message's objects."""
    for message in messages:
        if isinstance(message, Mapping):
            yield from _message(message)


def _message(message: Mapping[str, Any]) -> Iterator[str]:
    kind = message.get("type")
    match kind:
        case "text" | "textV2":
            yield from str(message.get("text", "")).splitlines()
        case "flex":
            yield f"({kind}) {message.get('altText', '')}"
            yield from (f"  {line}" for line in _inside(message.get("contents")))
        case "template":
            yield f"({kind}) {message.get('altText', '')}"
            yield from (f"  {line}" for line in _inside(message.get("template")))
        case "location":
            yield f"({kind}) {message.get('title', '')}, {message.get('address', '')}"
        case "sticker":
            yield f"({kind}) {message.get('packageId', '')}/{message.get('stickerId', '')}"
        case _:
            yield f"({kind}) {message.get('altText') or message.get(_NAMED.get(str(kind), ''), '')}".rstrip()
    quick = message.get("quickReply")
    items = quick.get("items") if isinstance(quick, Mapping) else None
    if buttons := [_button(one.get("action")) for one in items or () if isinstance(one, Mapping)]:
        yield " ".join(buttons)


def _inside(part: object) -> Iterator[str]:
    """Texts and buttons in the order in which they are written; what is in a bubble or column of its own, set apart."""
    if isinstance(part, list | tuple):
        for index, one in enumerate(part):
            if index and isinstance(one, Mapping) and (one.get("type") == "bubble" or "actions" in one):
                yield "--"
            yield from _inside(one)
        return
    if not isinstance(part, Mapping):
        return
    if part.get("type") == "image" and part.get("url"):
        yield f"(image) {part['url']}"
    yield from (line for key in _SHOWN if isinstance(part.get(key), str) for line in part[key].splitlines())
    if "action" in part:
        yield _button(part["action"])
    for key in ("header", "hero", "body", "footer", "contents", "columns"):
        yield from _inside(part.get(key))
    yield from (_button(one) for one in part.get("actions") or ())


def _button(action: object) -> str:
    """`[見る → https://…]`"""
    if not isinstance(action, Mapping):
        return ""
    target = action.get("uri") or (action.get("data") if action.get("type") == "postback" else None)
    label = action.get("label") or action.get("text") or action.get("type")
    return f"[{label} → {target}]" if target else f"[{label}]"
