"""Parts of a message that are there once, many times or not at all: `for` and `if` in the place of an object.

    contents:
      - for: item
        in: cart
        most: 5
        each: {type: text, text: "{{ item.name }}"}
      - if: cart | length > 5
        then: {type: text, text: "ほか {{ cart | length - 5 }} 点"}

No object of LINE's has a key `for` or `if`, so that a message without them means what it always did. Whoever reads a
message's templates reads them here: the scheduler to know what it says, the dispatcher to fill it in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

FOR, IF = "for", "if"
HIGHEST_MOST = 100
"""Of a cart no more is published, and no list of LINE's takes as many."""

_FOR_KEYS = {"for", "in", "most", "each"}
_IF_KEYS = {"if", "then", "else"}

Place: TypeAlias = tuple[str | int, ...]


class PartError(ValueError):
    """A part that cannot be read. `key`: where in it; the text says what to write instead."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


@dataclass(frozen=True, slots=True)
class Repeat:
    """`each` for every item of the list that the expression `over` names, `most` of them at most, as `name`."""

    name: str
    over: str
    most: int
    each: Any


@dataclass(frozen=True, slots=True)
class Choice:
    """`then` where the expression `test` holds, else `otherwise`; None: nothing."""

    test: str
    then: Any
    otherwise: Any


def is_part(value: object) -> bool:
    """Whether a value is one of these, right or wrong."""
    return isinstance(value, Mapping) and (FOR in value or IF in value)


def read_part(value: Mapping[str, Any]) -> Repeat | Choice:
    """A part. PartError for the first thing that is wrong with it."""
    return _repeat(value) if FOR in value else _choice(value)


def _repeat(value: Mapping[str, Any]) -> Repeat:
    _only(value, _FOR_KEYS)
    name, over, most = value[FOR], value.get("in"), value.get("most")
    if not isinstance(name, str) or not name.isidentifier() or name == "loop":
        raise PartError(FOR, "write a name for each item here, letters and _, for example `for: item`")
    if not isinstance(over, str) or not over.strip():
        raise PartError("in", "which list? Add `in: cart`, or another that templates know")
    if type(most) is not int or not 1 <= most <= HIGHEST_MOST:
        raise PartError(
            "most", f"say how many there may be, 1 to {HIGHEST_MOST}: `most: 10` (LINE takes 10 columns, 12 bubbles)"
        )
    if value.get("each") is None:
        raise PartError("each", "what stands here for each item? Add `each: {…}`")
    return Repeat(name, over, most, value["each"])


def _choice(value: Mapping[str, Any]) -> Choice:
    _only(value, _IF_KEYS)
    test = value[IF]
    if not isinstance(test, str) or not test.strip():
        raise PartError(
            IF, "write an expression as between `{{` and `}}`, for example `if: event.amount >= 5000`; "
            "conditions about people stand in `steps`"
        )  # fmt: skip
    if value.get("then") is None:
        raise PartError("then", "what stands here if so? Add `then: {…}`")
    return Choice(test, value["then"], value.get("else"))


def _only(value: Mapping[str, Any], known: set[str]) -> None:
    for key in value:
        if key not in known:
            raise PartError(str(key), f"`{key}` does not belong here; this part takes {', '.join(sorted(known))}")


def template_texts(message: object) -> Iterator[str]:
    """Every text of a message that may hold a template; expressions of parts as templates of their own."""
    match message:
        case str():
            yield message
        case Mapping():
            for key, inner in message.items():
                expression = (key == IF or (key == "in" and FOR in message)) and isinstance(inner, str)
                yield from (as_template(str(inner)),) if expression else template_texts(inner)
        case list() | tuple():
            for inner in message:
                yield from template_texts(inner)


def as_template(expression: str) -> str:
    """An expression as a text that holds nothing else."""
    return f"{{{{ {expression} }}}}"
