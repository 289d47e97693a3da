"""The campaign language as JSON Schema, for editors: completion, and mistakes underlined while one types.

What the schema cannot say (a message that is not there, a step that is never reached) `todoke campaigns check` says.
"""

from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.entering import CALL, KNOWN_EVENTS
from todoke_shared.campaigns.links import Per
from todoke_shared.campaigns.message_parts import FOR, IF
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.steps import LONGEST_ANSWER, MOST_ANSWERS
from todoke_shared.conditions.schema import condition_schema

Schema = dict[str, Any]

_CONDITION = "#/$defs/condition"
_STEPS: Schema = {"$ref": "#/$defs/steps"}
_EVENT: Schema = {"$ref": "#/$defs/event"}
_TEXT: Schema = {"type": "string"}

KEYS: dict[str, str] = {
    "campaign": "Its name, for ever.",
    "name": "For people, in any language.",
    "class": "transactional overtakes all marketing, and part of the month's messages is reserved for it.",
    "account": "The LINE account that sends. Default: main.",
    "zone": "The time zone of all local times below. Default: Asia/Tokyo.",
    "starts": "Local. Entries before it are refused.",
    "ends": "Local. Entries after it are refused, and runs end then.",
    "enter": "Who comes in, and by what.",
    "exit": "What ends runs early.",
    "goal": "What the campaign is for: counted, and by default the end of the run.",
    "holdout": "Percent of people, 0 to 50, who get nothing and are compared.",
    "quiet_hours": "No message in these hours. Default: those of the shop for marketing, none for transactional.",
    "caps": "At most so many messages of this campaign to one person within a time.",
    "budget": "At most so many messages or yen in a month; what is beyond is held until the next, or a higher budget.",
    "consent": "marketing: not to who said no. required: only to who said yes. none: nobody is asked.",
    "expires": "How long after it was due a message is still useful.",
    "late": "What becomes of a step that is late by more than `after`. Default: 1h, send.",
    "links": "Whose clicks are counted: person, message or off. Default: message with `schedule`, else person.",
    "running": "What a new version does to who is under way: finish on the old one, or move to the new one.",
    "steps": "What happens, in order.",
    "messages": "What `send` and `ask` send: LINE's own message objects, 1 to 5, with templates (docs/messages.md).",
}
"""What an editor shows of a key."""
ENTER_KEYS: dict[str, str] = {
    "on": "An event, or a list of them; `call`: only other systems start the campaign.",
    "segment": "Which segment is entered or left, with `on: segment.entered` or `segment.left`.",
    "when": "Must hold of the person just after; with `schedule`, the audience.",
    "keyword": "With `on: line.message`: the message's whole text, whatever its case and width.",
    "postback": "With `on: line.postback`: the button's data, exactly.",
    "date": "birthday, or date.NAME: each year on a birthday, once on any other date.",
    "offset": "Days before or after `date`.",
    "at": "With `date`: the local time.",
    "schedule": "Once at a local time, or every day, weekday or month.",
    "rate": "With `schedule`: people a second.",
    "per": "What tells apart runs that may go on side by side.",
    "again": "What a second entry does.",
}


def campaign_schema() -> Schema:
    """The whole language, as JSON Schema 2020-12."""
    schema = _plain(Campaign.model_json_schema(by_alias=True))
    parts: dict[str, Schema] = schema.pop("$defs")
    step = schema["properties"]["steps"]["items"]
    _mend(parts)
    _describe(schema, KEYS)
    _describe(parts["Enter"], ENTER_KEYS)
    schema["properties"] |= {
        "steps": {**_STEPS, "minItems": 1, "description": KEYS["steps"]},
        **{key: _one_or_many(schema["properties"][key]) for key in ("exit", "goal", "caps")},
        "links": {
            "anyOf": [_plain(TypeAdapter(Per).json_schema()), {"$ref": "#/$defs/Links"}],
            "description": KEYS["links"],
        },
        "quiet_hours": {
            "anyOf": [{"$ref": "#/$defs/QuietHours"}, {"const": "none"}],
            "description": KEYS["quiet_hours"],
        },
    }
    schema["properties"]["messages"]["additionalProperties"] = _message()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A campaign of Todoke",
        **schema,
        "$defs": {
            "condition": condition_schema(_CONDITION),
            "event": {"anyOf": [{"enum": sorted(KNOWN_EVENTS)}, {"type": "string", "pattern": r"^custom\..+$"}]},
            "steps": {"type": "array", "items": step},
            **parts,
        },
    }


def _mend(parts: dict[str, Schema]) -> None:
    """What the model reads in another form than it keeps."""
    for name in ("EventRule", "Goal", "Enter"):
        parts[name]["properties"]["when"] = {"$ref": _CONDITION}
        parts[name]["properties"]["on"] = _one_or_many({"type": "array", "items": _EVENT, "minItems": 1})
    enter = parts["Enter"]["properties"]
    enter["on"]["anyOf"].append({"const": CALL})
    enter["keyword"] = _one_or_many({"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 100})
    parts["Enter"]["oneOf"] = [{"required": [way]} for way in ("on", "date", "schedule")]
    for name in ("Send", "If"):
        parts[name]["properties"]["if"] = {"$ref": _CONDITION}
    parts["If"]["properties"] |= {"then": _STEPS, "else": _STEPS}
    del parts["Split"]["properties"]["branches"]
    parts["Split"] |= {"required": ["split"], "additionalProperties": _STEPS}
    answers = parts["Ask"]["properties"]["answers"]
    answers |= {"items": {**answers["items"], "maxLength": LONGEST_ANSWER}, "minItems": 1, "maxItems": MOST_ANSWERS}
    tag = parts["Tag"]["properties"].pop("tag")
    del parts["Tag"]["properties"]["on"], parts["Tag"]["required"]
    parts["Tag"] |= {"properties": {"tag": tag, "untag": tag}, "minProperties": 1, "maxProperties": 1}


def _message() -> Schema:
    told = {"type": "object", "properties": {"type": _TEXT}}
    return {
        "type": "array",
        "items": {**told, "anyOf": [{"required": [key]} for key in ("type", FOR, IF)]},
        "minItems": 1,
        "maxItems": 5,
    }


def _one_or_many(many: Schema) -> Schema:
    told = {key: value for key, value in many.items() if key in ("description", "default")}
    rest = {key: value for key, value in many.items() if key not in told}
    return {**told, "anyOf": [rest["items"], rest]}


def _describe(schema: Schema, words: dict[str, str]) -> None:
    for key, description in words.items():
        schema["properties"][key]["description"] = description


def _plain(schema: Any) -> Any:
    """Without what only pydantic's own readers need: titles, nulls for keys that are left out, Python's durations."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(part) for key, part in schema.items() if not (key == "title" and isinstance(part, str))}
    options = [option for option in found.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del found["anyOf"]
        found = {**options[0], **found}
    elif options:
        found["anyOf"] = options
    match found.get("default", ...):
        case None | [] | {}:
            del found["default"]
        case str() as text if text.startswith("P"):
            found["default"] = format_duration(TypeAdapter(timedelta).validate_python(text))
        case 0 if found.get("type") == "string":
            found["default"] = "0d"
    return found
