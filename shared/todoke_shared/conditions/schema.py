"""The condition language as JSON Schema, for editors: which attributes there are, and what each takes."""

import re
from typing import Any

from todoke_shared.conditions.attributes import (
    ATTRIBUTES,
    GENDERS,
    NUMERIC,
    OPERATORS,
    PREFIXES,
    SUBSCRIPTION_STATES,
    WORDS,
    Attribute,
    Kind,
)
from todoke_shared.conditions.regions import REGIONS

Schema = dict[str, Any]

_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_PLAIN: dict[Kind, Schema] = {
    "anything": _SCALAR,
    "text": {"type": "string"},
    "gender": {"enum": list(GENDERS)},
    "flag": {"type": "boolean"},
    "whole": {"type": "number"},
    "prefecture": {"type": ["string", "integer"]},
    "region": {"type": "string", "examples": list(REGIONS)},
    "count": {"type": "number"},
    "expiring": {"type": "number"},
    "subscription": {"enum": list(SUBSCRIPTION_STATES)},
    "segment": {"type": "string"},
}
"""What may stand for the kind's first operator; the kinds not here take no plain value."""
_NUMBER_OF_DAYS: Schema = {
    "anyOf": [
        {"type": "number"},
        {
            "type": "object",
            "properties": {
                word: {"type": "array", "items": {"type": "number"}} if word == "one_of" else {"type": "number"}
                for word in OPERATORS["count"]
            },
            "additionalProperties": False,
            "minProperties": 1,
        },
    ]
}
_OPERANDS: dict[str, Schema] = {
    "is": _SCALAR,
    "one_of": {"type": "array", "items": _SCALAR},
    "known": {"type": "boolean"},
    "has": {"type": "string"},
    "has_any": _TEXTS,
    "has_all": _TEXTS,
    **{word: {"type": "number"} for word in NUMERIC},
    "within": {"type": "string", "examples": ["90d", "36h"]},
    "before": {"type": "string", "examples": ["90d", "36h"]},
    "month": {"anyOf": [{"const": "this"}, {"type": "integer", "minimum": 1, "maximum": 12}]},
    "in_days": _NUMBER_OF_DAYS,
    "product": {"anyOf": [{"type": "string"}, _TEXTS]},
    "store": {"anyOf": [{"type": "string"}, _TEXTS]},
}


def condition_schema(reference: str) -> Schema:
    """A condition. `reference`: where this schema will stand, for it speaks of itself (`#/$defs/condition`)."""
    itself = {"$ref": reference}
    some = {"type": "array", "items": itself, "minItems": 1}
    return {
        "type": "object",
        "description": "What must be so: attributes with what they must be, all of which hold; all, any, not combine.",
        "properties": {
            "all": {**some, "description": "All of these hold."},
            "any": {**some, "description": "At least one of these holds."},
            "not": {**itself, "description": "This does not hold."},
            **{name: _attribute(attribute) for name, attribute in ATTRIBUTES.items()},
        },
        "patternProperties": {
            f"^{re.escape(prefix)}.+$": _attribute(attribute) for prefix, attribute in PREFIXES.items()
        },
        "additionalProperties": False,
        "minProperties": 1,
    }


def _attribute(attribute: Attribute) -> Schema:
    kind = attribute.kind
    words = {word: _OPERANDS[word] for word in (*OPERATORS[kind], *WORDS.get(kind, ()))}
    body: Schema = {"type": "object", "properties": words, "additionalProperties": False, "minProperties": 1}
    plain = _PLAIN.get(kind)
    return {"description": f"This is {attribute.meaning}.", **({"anyOf": [plain, body]} if plain else body)}
