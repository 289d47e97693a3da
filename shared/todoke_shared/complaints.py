"""pydantic's complaints in the words of somebody who writes a file: what to write instead."""

from collections.abc import Iterator, Mapping
from typing import Any

from todoke_shared.contracts.envelope import NAME_PATTERN

LEFT_EMPTY = "nothing stands here; write a value, or leave the key out"
_WHOLE_NUMBER = "write a whole number here"
_TRUTH = "write true or false here"
_PLAIN = {
    "extra_forbidden": "nobody reads this key; check its spelling",
    "missing": "this key is needed",
    "tuple_type": "write a list here",
    "list_type": "write a list here",
    "frozen_set_type": "write a list here",
    "dict_type": "write a mapping here",
    "model_type": "write a mapping here",
    "model_attributes_type": "write a mapping here",
    "string_type": "write a text here; put a number, true or false in quotes",
    "string_too_short": "write a text here; this one is empty",
    "invalid_key": "a key here must be a text; put it in quotes",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "float_type": "write a number here",
    "float_parsing": "write a number here",
    "decimal_type": "write a number here",
    "decimal_parsing": "write a number here",
}
_LIMITS = {
    "greater_than_equal": "write a number of at least {ge}",
    "greater_than": "write a number above {gt}",
    "less_than_equal": "write a number of at most {le}",
    "too_short": "at least {min_length} of them must stand here",
    "too_long": "at most {max_length} of them may stand here",
    "string_too_long": "a text here has at most {max_length} characters",
}


def plain_words(complaint: Mapping[str, Any]) -> str:
    """What a complaint says, in plain words where there are any for its type; never a value of the file's."""
    kind, ctx = str(complaint["type"]), complaint.get("ctx") or {}
    told = str(complaint["msg"]).removeprefix("Value error, ")
    return _PLAIN.get(kind) or _of_limits(kind, ctx) or told


def words_of_literal(ctx: Mapping[str, Any]) -> list[str]:
    """The words that are taken, of which pydantic says `'a', 'b' or 'c'`."""
    told = str(ctx.get("expected", "")).replace(" or ", ", ").split(", ")
    return [word.strip("'") for word in told]


def _of_limits(kind: str, ctx: Mapping[str, Any]) -> str | None:
    match kind:
        case "literal_error":
            known = words_of_literal(ctx)
            return "write true here, or leave this out" if known == ["True"] else f"use one of {', '.join(known)}"
        case "string_pattern_mismatch":
            return _of_pattern(str(ctx["pattern"]))
    return _LIMITS[kind].format_map(ctx) if kind in _LIMITS else None


def _of_pattern(pattern: str) -> str:
    if pattern == NAME_PATTERN:
        return "use lower-case letters, digits, - and _, and begin with a letter or digit"
    return f"write a text of the form {pattern} (a regular expression)"


def left_empty(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a key has no value. As null it would be read as "not told", and its author meant to tell something.

    Not below `messages` and `data`: what stands there is LINE's, or an event's.
    """
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from left_empty(part, (*place, index))
    elif isinstance(value, dict):
        for key, part in value.items():
            if part is None:
                yield (*place, str(key))
            elif key not in ("messages", "data"):
                yield from left_empty(part, (*place, str(key)))
