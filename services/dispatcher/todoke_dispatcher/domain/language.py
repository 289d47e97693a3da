"""The template language: Jinja2's sandbox, with less in it than Jinja2 allows.

Rules
1. Data only: in `event.items` the word is a key of the data, never a method of Python's dict.
2. A null of the data is a value that is missing: nobody wants to read "None".
3. Only texts and numbers have a text: `{{ cart }}` would show the customer Python's brackets.
4. A missing value fails the text (`default` mends it); in an `if:` it only does not hold.
5. What fills a dispatcher's memory by a digit too many (long ranges, `*` on texts, padding, namespaces) is not there.
   An author who means to can still: campaigns are published by the shop's own people.

Errors name the template's own words, never a value: values are a customer's.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from functools import lru_cache

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from todoke_dispatcher.domain import formats
from todoke_dispatcher.domain.quota import TOKYO

LONGEST_RANGE = 1000
_GROWS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"})
_LEFT_OUT = ("batch", "center", "format", "indent", "pprint", "slice", "tojson", "urlize", "xmlattr")
_KEEPS = (nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.CallBlock, nodes.Block)
_OPENS = re.compile(r"\{[{%#]")
_NO_TEXT = "a list or an object has no text; write which of its values is meant"
_NO_FIELD = re.compile(r"'dict object' has no attribute '(\w+)'")
_BRACES = str.maketrans("{}", "｛｝")

Text = Callable[[Context], str]
"""A compiled text: fills itself in from a context. Raises whatever a template can raise."""


class _DataOnly(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict):  # as JSON's objects are: to ask for any Mapping takes as long as all the rest
            found = obj.get(attribute)
            return self.undefined(obj=obj, name=attribute) if found is None else found
        return self.unsafe_undefined(obj, attribute) if attribute in _GROWS else super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, dict):
            found = obj.get(argument)
            return self.undefined(obj=obj, name=str(argument)) if found is None else found
        return self.unsafe_undefined(obj, str(argument)) if argument in _GROWS else super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        if operator == "**" or not all(isinstance(side, int | float | Undefined) for side in (left, right)):
            raise SecurityError(f"`{operator}` is for two numbers")
        return super().call_binop(context, operator, left, right)


class Language:
    """Templates whose dates are told in `zone`. Compiled texts are kept: compiling one costs a millisecond."""

    def __init__(self, zone: tzinfo) -> None:
        environment = _DataOnly(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=_plain
        )
        # Values go into JSON values, not into HTML: escaping would put &amp; before the customer's eyes.
        for name in _LEFT_OUT:
            del environment.filters[name]
        environment.filters.update(formats.filters(zone))
        environment.globals = {"range": _range}
        self._strict = environment
        self._braced = environment.overlay(finalize=_without_braces)
        self._lenient = environment.overlay(undefined=Undefined)
        self.text = lru_cache(maxsize=10_000)(self._text)  # far more texts than an installation's campaigns have
        self.test = lru_cache(maxsize=1_000)(self._test)
        self.items = lru_cache(maxsize=1_000)(self._items)

    def context(self, values: Mapping[str, object]) -> Context:
        """What compiled texts are filled in from."""
        return self._strict.context_class(self._strict, {**self._strict.globals, **values}, None, {})

    def _text(self, source: str, *, braced: bool) -> Text:
        """Compile a text; `braced`: LINE replaces what stands in braces. TemplateSyntaxError."""
        environment = self._braced if braced else self._strict
        template = environment.from_string(source)
        fill = template.root_render_func
        if any(True for _ in environment.parse(source).find_all(_KEEPS)):
            # What such a text names would be there for the next one too.
            return lambda context: "".join(fill(template.new_context(context.parent, shared=True)))
        return lambda context: "".join(fill(context))

    def _test(self, source: str) -> Callable[[Context], bool]:
        """Compile the expression of an `if`. TemplateSyntaxError."""
        evaluate = self._lenient.compile_expression(source, undefined_to_none=False)

        def holds(context: Context) -> bool:
            try:
                return bool(evaluate(context.parent))
            except UndefinedError:
                return False

        return holds

    def _items(self, source: str) -> Callable[[Context], object]:
        """Compile the expression of a `for`'s list. TemplateSyntaxError."""
        evaluate = self._strict.compile_expression(source, undefined_to_none=False)
        return lambda context: evaluate(context.parent)

    def undeclared(self, source: str) -> frozenset[str]:
        """The variables that a text reads. TemplateSyntaxError."""
        return frozenset(meta.find_undeclared_variables(self._strict.parse(source)))

    def parse(self, source: str) -> nodes.Template:
        """A text as Jinja2's tree. TemplateSyntaxError."""
        self._strict.from_string(source)  # unknown filters are found when it is compiled
        return self._strict.parse(source)

    @property
    def filters(self) -> list[str]:
        """The names of all filters."""
        return sorted(self._strict.filters)


@lru_cache(maxsize=64)
def language(zone: tzinfo = TOKYO) -> Language:
    """The language of a zone."""
    return Language(zone)


def is_template(text: str) -> bool:
    """Whether there is anything to fill in."""
    return "{" in text and _OPENS.search(text) is not None


def reason(error: Exception, source: str) -> str:
    """What a template raised, in words that hold no value."""
    match error:
        case UndefinedError():
            return _missing(str(error.message), source)
        case TemplateSyntaxError():
            return f"line {error.lineno}: {error.message}"
        case SecurityError():
            return "the template reaches for what the sandbox forbids"
        case ValueError() if str(error) in formats.MISTAKES or str(error) == _NO_TEXT:
            return str(error)
        case _:
            return f"{type(error).__name__} while filling in"


def _missing(told: str, source: str) -> str:
    """What is missing, as the template calls it; Jinja2's own words where that is not so plain."""
    field = _NO_FIELD.fullmatch(told)
    written = field and re.search(rf"[\w.\]]*\.{re.escape(field[1])}\b", source)
    if written:
        return f"`{written[0]}` is missing"
    # `prices[name]` would name the value of `name`: only words of the template itself may be repeated.
    return told if all(word in source for word in _named(told)) else "a variable is missing"


def _named(told: str) -> Iterator[str]:
    """The quoted words of Jinja2's complaint that are names: all but the type of the object searched."""
    return (word for word in re.findall(r"'(.*?)'", told) if not word.endswith("object"))


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > LONGEST_RANGE:
        raise SecurityError(f"a range is at most {LONGEST_RANGE} long")
    return found


@pass_context  # so that Jinja2 asks it when a text is filled in, and not when it is compiled
def _plain(_: Context, value: object) -> object:
    """A value as it stands in a text. ValueError for what has no text; a missing one complains by itself."""
    if isinstance(value, str | int | float | Undefined):
        return value
    raise ValueError(_NO_TEXT)


@pass_context
def _without_braces(context: Context, value: object) -> str:
    """In textV2 `{…}` is LINE's: a value's own braces become full-width ones, which look the same and mean nothing."""
    return str(_plain(context, value)).translate(_BRACES)
