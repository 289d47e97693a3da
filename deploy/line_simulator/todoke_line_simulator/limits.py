"""LINE's limits on message objects, beyond what the models of line-bot-sdk reject.

The SDK's models are the client's: they let pass an empty text, a URI action without a URI, a carousel of 11 columns, a
picture over plain HTTP, a Flex bubble of any size. These checks add the limits that LINE documents at
https://developers.line.biz/en/reference/messaging-api/#message-objects. Lengths are UTF-16 code units, as LINE counts.
"""

from collections.abc import Callable, Iterator

from todoke_line_simulator.flex import flex_problems
from todoke_line_simulator.problems import Problem

Json = dict[str, object]

TEXT_UNITS = 5000
ALT_TEXT_UNITS = 1500
DEEPEST = 64  # far deeper than any Flex message LINE shows, and shallow enough for Python's own stack

ACTION_TYPES = {
    "camera", "cameraRoll", "clipboard", "datetimepicker", "location", "message", "postback", "richmenuswitch", "uri"
}  # fmt: skip
_TEMPLATES = ("buttons", "confirm", "carousel", "image_carousel")
_URI_SCHEMES = ("http://", "https://", "line://", "tel:", "mailto:", "sms:")
# Addresses that LINE fetches itself: HTTPS only, 2,000 characters. `uri` is opened by the user: 1,000.
_FETCHED = {"originalContentUrl", "previewImageUrl", "baseUrl", "thumbnailImageUrl", "imageUrl", "iconUrl", "url"}


def utf16_units(text: str) -> int:
    """How long LINE takes a text to be: a character outside the basic plane counts twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def message_problems(message: Json, at: str) -> Iterator[Problem]:
    """Everything in one message object that breaks a limit; ``at`` is its place, such as ``messages[0]``."""
    kind = message.get("type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        yield Problem(f"Must be one of the following values: [{', '.join(_CHECKS)}]", f"{at}.type")
        return
    yield from check(message, at)
    quick_reply = message.get("quickReply")
    if isinstance(quick_reply, dict):
        yield from _count(quick_reply.get("items"), f"{at}.quickReply.items", 1, 13)
    sender = message.get("sender")
    if isinstance(sender, dict) and "name" in sender:
        yield from _text(sender["name"], f"{at}.sender.name", 20)
    yield from _walk(message, at, 0)


def _walk(node: object, at: str, depth: int) -> Iterator[Problem]:
    """Check addresses and actions wherever they stand."""
    if depth > DEEPEST:
        yield Problem("Nested too deeply", at)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _walk(item, f"{at}[{index}]", depth + 1)
    elif isinstance(node, dict):
        for key, value in node.items():
            # An imagemap's actions are areas of a picture, not action objects.
            if key != "actions" or node.get("type") != "imagemap":
                yield from _address_or_action(key, value, f"{at}.{key}")
            yield from _walk(value, f"{at}.{key}", depth + 1)


def _address_or_action(key: str, value: object, at: str) -> Iterator[Problem]:
    if key in _FETCHED:
        yield from _fetched_url(value, at)
    elif key in {"action", "defaultAction"}:
        yield from _action(value, at)
    elif key == "actions":
        for index, action in enumerate(value if isinstance(value, list) else [value]):
            yield from _action(action, f"{at}[{index}]")


def _action(action: object, at: str) -> Iterator[Problem]:
    if not isinstance(action, dict):
        yield Problem("Must be an action object", at)
        return
    kind = action.get("type")
    if kind not in ACTION_TYPES:
        yield Problem(f"Must be one of the following values: [{', '.join(sorted(ACTION_TYPES))}]", f"{at}.type")
    elif kind == "uri":
        yield from _uri(action.get("uri"), f"{at}.uri")
    elif kind == "message":
        yield from _text(action.get("text"), f"{at}.text", 300)
    elif kind in {"postback", "datetimepicker", "richmenuswitch"}:
        yield from _text(action.get("data"), f"{at}.data", 300)
    elif kind == "clipboard":
        yield from _text(action.get("clipboardText"), f"{at}.clipboardText", 1000)


def _uri(uri: object, at: str) -> Iterator[Problem]:
    found = list(_text(uri, at, 1000))
    yield from found
    if not found and isinstance(uri, str) and not uri.lower().startswith(_URI_SCHEMES):
        yield Problem("Must be a URI with scheme http, https, line, tel, mailto or sms", at)


def _fetched_url(url: object, at: str) -> Iterator[Problem]:
    found = list(_text(url, at, 2000))
    yield from found
    if not found and isinstance(url, str) and not url.startswith("https://"):
        yield Problem("Must be an HTTPS URL", at)


def _text(text: object, at: str, most: int) -> Iterator[Problem]:
    """A required text of 1 to ``most`` units."""
    if not isinstance(text, str) or not text:
        yield Problem("May not be empty", at)
    elif utf16_units(text) > most:
        yield Problem(f"Length must be between 1 and {most}", at)


def _count(items: object, at: str, least: int, most: int) -> Iterator[Problem]:
    if not isinstance(items, list) or not least <= len(items) <= most:
        yield Problem(f"Size must be between {least} and {most}", at)


def _plain_text(message: Json, at: str) -> Iterator[Problem]:
    yield from _text(message.get("text"), f"{at}.text", TEXT_UNITS)
    if "emojis" in message:
        yield from _count(message["emojis"], f"{at}.emojis", 0, 20)


def _text_v2(message: Json, at: str) -> Iterator[Problem]:
    yield from _text(message.get("text"), f"{at}.text", TEXT_UNITS)
    substitution = message.get("substitution")
    if isinstance(substitution, dict) and len(substitution) > 100:
        yield Problem("Size must be between 0 and 100", f"{at}.substitution")


def _location(message: Json, at: str) -> Iterator[Problem]:
    yield from _text(message.get("title"), f"{at}.title", 100)
    yield from _text(message.get("address"), f"{at}.address", 100)


def _imagemap(message: Json, at: str) -> Iterator[Problem]:
    yield from _text(message.get("altText"), f"{at}.altText", ALT_TEXT_UNITS)
    yield from _count(message.get("actions"), f"{at}.actions", 0, 50)


def _flex(message: Json, at: str) -> Iterator[Problem]:
    yield from _text(message.get("altText"), f"{at}.altText", ALT_TEXT_UNITS)
    yield from flex_problems(message.get("contents"), f"{at}.contents")


def _template(message: Json, at: str) -> Iterator[Problem]:
    yield from _text(message.get("altText"), f"{at}.altText", ALT_TEXT_UNITS)
    template, place = message.get("template"), f"{at}.template"
    kind = template.get("type") if isinstance(template, dict) else None
    if not isinstance(template, dict) or kind not in _TEMPLATES:
        yield Problem(f"Must be one of the following values: [{', '.join(_TEMPLATES)}]", f"{place}.type")
    elif kind == "buttons":
        yield from _panel(template, place, actions=(1, 4), text_units=160)
    elif kind == "confirm":
        yield from _panel(template, place, actions=(2, 2), text_units=240)
    else:
        columns = template.get("columns")
        yield from _count(columns, f"{place}.columns", 1, 10)
        if kind == "carousel":
            for index, column in enumerate(columns if isinstance(columns, list) else []):
                yield from _panel(column, f"{place}.columns[{index}]", actions=(1, 3), text_units=120)


def _panel(panel: object, at: str, *, actions: tuple[int, int], text_units: int) -> Iterator[Problem]:
    """A template or a column: a text and its buttons. A title or a picture leaves only 60 units for the text."""
    if not isinstance(panel, dict):
        yield Problem("Must be an object", at)
        return
    most = 60 if panel.get("title") or panel.get("thumbnailImageUrl") else text_units
    yield from _text(panel.get("text"), f"{at}.text", most)
    if "title" in panel:
        yield from _text(panel["title"], f"{at}.title", 40)
    yield from _count(panel.get("actions"), f"{at}.actions", *actions)


def _by_the_model(_message: Json, _at: str) -> Iterator[Problem]:
    """Nothing beyond the addresses and what line-bot-sdk's model checks."""
    return iter(())


_CHECKS: dict[str, Callable[[Json, str], Iterator[Problem]]] = {
    "text": _plain_text,
    "textV2": _text_v2,
    "sticker": _by_the_model,
    "image": _by_the_model,
    "video": _by_the_model,
    "audio": _by_the_model,
    "location": _location,
    "imagemap": _imagemap,
    "template": _template,
    "flex": _flex,
    "coupon": _by_the_model,
}
