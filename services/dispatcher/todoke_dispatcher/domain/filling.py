"""A message's template, read once -> the message of each person.

Every string value is a template of its own, filled in before it becomes JSON, so that nothing in it needs escaping; an
element of a list, or the value of a key, may be a part (`for`, `if`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateSyntaxError

from todoke_dispatcher.domain.language import Language, is_template, reason
from todoke_dispatcher.domain.message_tree import (
    Array,
    Chosen,
    Constant,
    Filled,
    Nothing,
    Object,
    Part,
    Repeated,
    Scope,
    Several,
    Trace,
    Values,
    render_error,
)
from todoke_shared.campaigns.message_parts import Choice, PartError, Place, is_part, read_part

_REPLACED = ("textV2", "text")
"""The text in which LINE itself replaces what stands in braces."""


class _Reader:
    """Reads a template. RenderError for what cannot be read in it."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def value(self, value: object, place: Place, *, braced: bool = False) -> Part:
        """What stands at a key."""
        match value:
            case str():
                return self._text(value, place, braced=braced)
            case Mapping() if is_part(value):
                return self._part(value, place, in_list=False)
            case Mapping():
                return self._object(value, place)
            case list() | tuple():
                parts = [self.element(one, (*place, index)) for index, one in enumerate(value)]
                return Constant(value, place) if _all_constant(parts) else Array(parts, place)
        return Constant(value, place)

    def element(self, value: object, place: Place) -> Part:
        """What stands in a list."""
        if isinstance(value, Mapping) and is_part(value):
            return self._part(value, place, in_list=True)
        return self.value(value, place)

    def _text(self, source: str, place: Place, *, braced: bool) -> Part:
        if not is_template(source):
            return Constant(source, place)
        try:
            return Filled(self._language.text(source, braced=braced), source, place)
        except TemplateSyntaxError as error:
            raise render_error(reason(error, source), place) from None

    def _object(self, value: Mapping[str, object], place: Place) -> Part:
        kind = value.get("type")
        parts = {
            str(key): self.value(inner, (*place, str(key)), braced=(kind, key) == _REPLACED)
            for key, inner in value.items()
        }
        return Constant(value, place) if _all_constant(parts.values()) else Object(parts, place)

    def _part(self, value: Mapping[str, Any], place: Place, *, in_list: bool) -> Part:
        try:
            part = read_part(value)
        except PartError as error:
            raise render_error(str(error), (*place, error.key)) from None
        if isinstance(part, Choice):
            test = self._compiled(self._language.test, part.test, (*place, "if"))
            ways = self._way(part.then, (*place, "then")), self._way(part.otherwise, (*place, "else"))
            return Chosen(part, test, ways, place)
        if not in_list:
            raise render_error("`for` makes several: write it as an element of a list, `- for: …`", place)
        items = self._compiled(self._language.items, part.over, (*place, "in"))
        return Repeated(part, items, self._several(part.each, (*place, "each")), (*place, "in"))

    def _several(self, value: object, place: Place) -> Part:
        if isinstance(value, list | tuple):
            return Several([self.element(one, (*place, index)) for index, one in enumerate(value)])
        return Several([self.element(value, place)])

    def _way(self, value: object, place: Place) -> Part:
        if value is None:
            return Nothing()
        if isinstance(value, list | tuple):
            return self._several(value, place)
        return self.element(value, place)

    def _compiled(self, compile_: Callable[[str], Any], source: str, place: Place) -> Any:
        try:
            return compile_(source)
        except TemplateSyntaxError as error:
            raise render_error(reason(error, source), place) from None


def _all_constant(parts: Iterable[Part]) -> bool:
    return all(isinstance(part, Constant) for part in parts)


class Program:
    """The objects of one message, read for filling in. RenderError for what cannot be read."""

    def __init__(self, template: Sequence[Mapping[str, Any]], language: Language) -> None:
        self._language = language
        reader = _Reader(language)
        self._all = Several([reader.element(one, (index,)) for index, one in enumerate(template)])

    def fill(self, values: Values, trace: Trace | None = None) -> list[object]:
        """The message objects of somebody. RenderError for the first thing that cannot be filled in."""
        return list(self._all.spread(Scope(self._language, values, trace)))
