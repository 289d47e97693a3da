"""Request bodies: parsed once, checked with line-bot-sdk's models and LINE's limits.

Checking a message object costs far more than sending it on, and most requests carry either a plain text or a text that
many people get. So a plain text takes a short way, and the verdict on other messages is remembered by their JSON.
"""

from functools import lru_cache
from typing import NamedTuple

import orjson

from todoke_line_simulator import sdk
from todoke_line_simulator.limits import TEXT_UNITS, Json, message_problems
from todoke_line_simulator.problems import LineError, Problem, invalid_body
from todoke_line_simulator.units import FIELD, is_unit
from todoke_line_simulator.users import is_line_user_id

MAX_MESSAGES = 5
MAX_RECIPIENTS = 500
_PLAIN_TEXT_KEYS = {"type", "text"}
_PLAIN_ENVELOPE_KEYS = {"to", "messages", "replyToken"}
_COUNTED_ENVELOPE_KEYS = {*_PLAIN_ENVELOPE_KEYS, FIELD}
_ANY_MESSAGE = {"type": "text", "text": "any"}
# The model of each request, and what stands in for the parts that are checked elsewhere.
_ENVELOPES: dict[str, tuple[str, Json]] = {
    "push": ("PushMessageRequest", {"to": "U", "messages": [_ANY_MESSAGE]}),
    "multicast": ("MulticastRequest", {"to": ["U"], "messages": [_ANY_MESSAGE]}),
    "broadcast": ("BroadcastRequest", {"messages": [_ANY_MESSAGE]}),
    "reply": ("ReplyMessageRequest", {"messages": [_ANY_MESSAGE]}),
}


class Messages(NamedTuple):
    """Checked message objects: their JSON array and how many there are."""

    written: bytes
    number: int


def parse_body(body: bytes) -> Json:
    """The JSON object of a request; raises 400 in LINE's words when it is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line: {error.lineno}, column: {error.colno}"
        raise LineError(400, f"The request body could not be parsed as JSON ({place})") from error
    if not isinstance(parsed, dict):
        raise LineError(400, "The request body must be a JSON object")
    return parsed


def checked_messages(body: Json, *, minimal: bool) -> Messages:
    """The message objects of a body; raises 400 naming all that is wrong. ``minimal`` checks only their number."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise invalid_body([Problem(f"Size must be between 1 and {MAX_MESSAGES}", "messages")])
    try:
        # orjson gives a 4 KB block whatever the length; the copy takes only what it needs, and a million may be kept.
        checked = Messages(bytes(memoryview(orjson.dumps(messages))), len(messages))
    except orjson.JSONEncodeError as error:  # what can be read can be written, unless it is too deep
        raise invalid_body([Problem("Nested too deeply", "messages")]) from error
    if minimal or all(_is_plain_text(message) for message in messages):
        return checked
    if problems := messages_problems(checked.written):
        raise invalid_body(problems)
    return checked


@lru_cache(maxsize=4096)
def messages_problems(written: bytes) -> tuple[Problem, ...]:
    """What is wrong with these message objects (JSON array), by LINE's limits and then by line-bot-sdk's models."""
    found: list[Problem] = []
    for index, message in enumerate(orjson.loads(written)):
        at = f"messages[{index}]"
        if not isinstance(message, dict):
            found.append(Problem("Must be a message object", at))
            continue
        found.extend(list(message_problems(message, at)) or _model_problems(message, at))
    return tuple(found)


def _is_plain_text(message: object) -> bool:
    """A text message that no rule can fault: half of LINE's limit in characters never exceeds it in UTF-16 units."""
    if not isinstance(message, dict) or message.keys() != _PLAIN_TEXT_KEYS or message["type"] != "text":
        return False
    text = message["text"]
    return isinstance(text, str) and 0 < len(text) <= TEXT_UNITS // 2


def _model_problems(message: Json, at: str) -> list[Problem]:
    try:
        faults = sdk.message_faults(message)
    except (AttributeError, KeyError, TypeError, ValueError):
        return [Problem("Has a part whose type is missing, unknown or in the wrong place", at)]
    # The SDK builds its models from the inside out, so the path it names starts at the innermost one.
    return [Problem(fault.why, ".".join([at, *map(str, fault.where)])) for fault in faults]


def check_envelope(endpoint: str, body: Json) -> None:
    """Check what a request has beside its recipients and messages; raises 400."""
    units = body.get(FIELD)
    is_right = isinstance(units, list) and len(units) <= 1 and all(map(is_unit, units))
    if body.keys() <= (_COUNTED_ENVELOPE_KEYS if is_right else _PLAIN_ENVELOPE_KEYS):
        return
    model, stand_ins = _ENVELOPES[endpoint]
    found = [Problem(fault.why, str(fault.where[0])) for fault in sdk.faults(model, body | stand_ins)]
    if isinstance(units, list) and not is_right:
        found.append(Problem("Must be one name of 1 to 30 letters, digits or underscores", FIELD))
    if found:
        raise invalid_body(found)


def push_recipient(body: Json) -> str:
    """``to`` of a push; raises 400 when it is not a user id."""
    to = body.get("to")
    if not isinstance(to, str) or not is_line_user_id(to):
        raise _invalid_property("to")
    return to


def multicast_recipients(body: Json) -> list[str]:
    """``to`` of a multicast; raises 400 naming the first entry that is not a user id."""
    to = body.get("to")
    if not isinstance(to, list) or not 1 <= len(to) <= MAX_RECIPIENTS:
        raise invalid_body([Problem(f"Size must be between 1 and {MAX_RECIPIENTS}", "to")])
    for index, user_id in enumerate(to):
        if not isinstance(user_id, str) or not is_line_user_id(user_id):
            raise _invalid_property(f"to[{index}]")
    return to


def reply_token(body: Json) -> str:
    """``replyToken`` of a reply; raises 400."""
    token = body.get("replyToken")
    if not isinstance(token, str) or not token:
        raise invalid_body([Problem("May not be empty", "replyToken")])
    return token


def _invalid_property(name: str) -> LineError:
    return LineError(400, f"The property, '{name}', in the request body is invalid (line: -, column: -)")
