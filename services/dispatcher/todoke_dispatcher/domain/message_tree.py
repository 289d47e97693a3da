"""The pieces of a message's template, compiled: each fills itself in for somebody. `filling` reads them.

What holds no template is built once, and is the same object in every message: nobody may change it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeAlias

from jinja2.runtime import Context

from todoke_dispatcher.domain.language import Language, Text, reason
from todoke_shared.campaigns.message_parts import Choice, Place, Repeat
from todoke_shared.contracts.json_values import field_path

ABSENT = object()
"""What a part comes to that is not there."""

Values: TypeAlias = Mapping[str, object]


class RenderError(ValueError):
    """A message cannot be rendered. The text says where and why, for whoever wrote the campaign.

    `place` leads to where, from the list of the message's objects; empty where it is the whole.
    """

    def __init__(self, told: str, place: Place = ()) -> None:
        super().__init__(told)
        self.place = place


@dataclass(slots=True)
class Trace:
    """Of one rendering: where each object of it comes from, by its `id`, and what could not be filled in."""

    places: dict[int, Place] = field(default_factory=dict)
    errors: list[RenderError] = field(default_factory=list)
    kept: list[object] = field(default_factory=list)
    """The objects themselves: an `id` is only theirs while they are there."""

    def comes_from(self, made: object, place: Place) -> None:
        """Remember a place; of texts and numbers there is none to remember."""
        if isinstance(made, dict | list | tuple):
            self.places[id(made)] = place
            self.kept.append(made)


class Scope:
    """What may be read at a place. With a `trace` what cannot be filled in is noted there, and is `…`."""

    __slots__ = ("context", "language", "trace", "values")

    def __init__(self, language: Language, values: Values, trace: Trace | None = None) -> None:
        self.language = language
        self.values = values
        self.trace = trace
        self.context: Context = language.context(values)

    def within(self, more: Values) -> "Scope":
        """The same with more to read."""
        return Scope(self.language, {**self.values, **more}, self.trace)


class Part(Protocol):
    """A piece of a template."""

    def fill(self, scope: Scope) -> object:
        """What it comes to: one value, or ABSENT. RenderError."""

    def spread(self, scope: Scope) -> Iterable[object]:
        """What it comes to in a list. RenderError."""


class One(ABC):
    """What is one element of a list."""

    @abstractmethod
    def fill(self, scope: Scope) -> object:
        """What it comes to. RenderError."""

    def spread(self, scope: Scope) -> Iterable[object]:
        """That element."""
        return (self.fill(scope),)


class Constant(One):
    """What is the same for everybody."""

    def __init__(self, value: object, place: Place) -> None:
        self.value = value
        self._place = place

    def fill(self, scope: Scope) -> object:
        if scope.trace is not None:
            scope.trace.comes_from(self.value, self._place)
        return self.value


class Filled(One):
    """A text."""

    def __init__(self, text: Text, source: str, place: Place) -> None:
        self._text = text
        self._source = source
        self._place = place

    def fill(self, scope: Scope) -> object:
        try:
            return self._text(scope.context)
        except Exception as error:  # noqa: BLE001 - a template can raise anything; whatever it is, this message fails
            return _failed(scope, error, self._source, self._place)


class Object(One):
    """A mapping in which something varies."""

    def __init__(self, parts: dict[str, Part], place: Place) -> None:
        # The constant keys stand ready, in the author's order; the others are filled into their places.
        self._ready = {key: part.value if isinstance(part, Constant) else ABSENT for key, part in parts.items()}
        self._varying = [(key, part) for key, part in parts.items() if not isinstance(part, Constant)]
        self._place = place

    def fill(self, scope: Scope) -> object:
        made = dict(self._ready)
        for key, part in self._varying:
            value = part.fill(scope)
            if value is ABSENT:
                del made[key]
            else:
                made[key] = value
        if scope.trace is not None:
            scope.trace.comes_from(made, self._place)
        return made


class Array(One):
    """A list in which something varies."""

    def __init__(self, parts: Sequence[Part], place: Place) -> None:
        self._parts = parts
        self._place = place

    def fill(self, scope: Scope) -> object:
        made: list[object] = []
        for part in self._parts:
            made.extend(part.spread(scope))
        if scope.trace is not None:
            scope.trace.comes_from(made, self._place)
        return made


class Several:
    """What a part may come to: in a list as many elements, elsewhere the list."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def fill(self, scope: Scope) -> object:
        return list(self.spread(scope))

    def spread(self, scope: Scope) -> Iterable[object]:
        for part in self._parts:
            yield from part.spread(scope)


class Repeated:
    """A `for`."""

    def __init__(self, repeat: Repeat, items: Callable[[Context], object], each: Part, place: Place) -> None:
        self._repeat = repeat
        self._items = items
        self._each = each
        self._place = place

    def fill(self, scope: Scope) -> object:
        return list(self.spread(scope))

    def spread(self, scope: Scope) -> Iterable[object]:
        items = self._listed(scope)
        for index, item in enumerate(items):
            loop = {"index": index + 1, "first": index == 0, "last": index == len(items) - 1, "length": len(items)}
            yield from self._each.spread(scope.within({self._repeat.name: item, "loop": loop}))

    def _listed(self, scope: Scope) -> list[object]:
        """The items. What is no list has none that could be told apart."""
        try:
            found: Any = self._items(scope.context)
            if isinstance(found, str | bytes | Mapping):
                raise TypeError
            return list(islice(found, self._repeat.most))
        except TypeError:
            _refuse(scope, f"`{self._repeat.over}` is no list", self._place)
        except Exception as error:  # noqa: BLE001 - as with a text
            _failed(scope, error, self._repeat.over, self._place)
        return []


class Chosen:
    """An `if`."""

    def __init__(self, choice: Choice, test: Callable[[Context], bool], ways: tuple[Part, Part], place: Place) -> None:
        self._choice = choice
        self._test = test
        self._then, self._otherwise = ways
        self._place = place

    def fill(self, scope: Scope) -> object:
        return self._way(scope).fill(scope)

    def spread(self, scope: Scope) -> Iterable[object]:
        return self._way(scope).spread(scope)

    def _way(self, scope: Scope) -> Part:
        try:
            return self._then if self._test(scope.context) else self._otherwise
        except Exception as error:  # noqa: BLE001 - as with a text
            _failed(scope, error, self._choice.test, (*self._place, "if"))
            return self._otherwise


class Nothing:
    """What is not there."""

    def fill(self, scope: Scope) -> object:  # noqa: ARG002
        return ABSENT

    def spread(self, scope: Scope) -> Iterable[object]:  # noqa: ARG002
        return ()


def _failed(scope: Scope, error: Exception, source: str, place: Place) -> object:
    return _refuse(scope, reason(error, source), place)


def _refuse(scope: Scope, why: str, place: Place) -> object:
    error = render_error(why, place)
    if scope.trace is None:
        raise error from None
    scope.trace.errors.append(error)
    return "…"


def render_error(why: str, place: Place) -> RenderError:
    return RenderError(f"render: {field_path(('messages', *place))}: {why}", place)
