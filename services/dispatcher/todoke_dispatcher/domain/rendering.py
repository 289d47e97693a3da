"""Message templates -> the exact body of a request.

A template is LINE's message objects; every string value in them is a Jinja2 template of its own, filled in before it
becomes JSON, so nothing in it needs escaping. A missing variable fails the message: half a sentence is worse than none.
Errors name the place and the variable, never a value: values are a customer's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from todoke_dispatcher.domain.quota import TOKYO
from todoke_shared.contracts.json_values import field_path
from todoke_shared.jsons import dumps, loads

MAX_BODY_BYTES = 2 * 1024 * 1024
"""LINE's limit of a request (LINE-API.md: sending)."""

LineMessage = Mapping[str, object]


class RenderError(ValueError):
    """A message cannot be rendered. The text says where and why, for whoever wrote the campaign."""


def yen(value: object) -> str:
    """1980 -> `1,980円`. There is no part of a yen: fractions are rounded half up. ValueError when it is no number."""
    try:
        amount = Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP)
    except InvalidOperation:
        raise ValueError("yen needs a number") from None
    return f"{amount:,}円"


def jpdate(value: object) -> str:
    """`2026-11-21`, a date or an instant -> `11月21日` in Asia/Tokyo. ValueError when it is none of these."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("jpdate needs a date or a time as in ISO 8601") from None
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(TOKYO)
    if not isinstance(value, date):
        raise ValueError("jpdate needs a date or a time as in ISO 8601")
    return f"{value.month}月{value.day}日"


class _DataOnly(ImmutableSandboxedEnvironment):
    """In `event.items` the word is a key of the data, never a method of Python's dict."""

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, Mapping):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=str(argument))
        return super().getitem(obj, argument)


def _environment() -> ImmutableSandboxedEnvironment:
    # Values go into JSON values, not into HTML: escaping would put &amp; before the customer's eyes.
    environment = _DataOnly(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters.update(yen=yen, jpdate=jpdate)
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=10_000)  # far more texts than an installation's campaigns have; compiling one costs a millisecond
def _compiled(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


def render(template: Sequence[LineMessage], variables: Mapping[str, object]) -> list[object]:
    """The message objects with every string value filled in. RenderError when one cannot be."""
    return [_fill(message, variables, (f"messages[{index}]",)) for index, message in enumerate(template)]


def template_mistakes(message: object) -> Iterator[str]:
    """What cannot be read in a message's templates, whoever it may be rendered for."""
    match message:
        case str():
            try:
                _compiled(message)
            except TemplateSyntaxError as error:
                yield f"template, line {error.lineno}: {error.message}"
        case Mapping():
            for part in message.values():
                yield from template_mistakes(part)
        case list() | tuple():
            for part in message:
                yield from template_mistakes(part)


def variables_of(template: object) -> frozenset[str]:
    """The variables that any text of these messages may read. What differs in others only renders alike."""
    match template:
        case str():
            return _variables_of(template)
        case Mapping():
            return frozenset().union(*(variables_of(part) for part in template.values()))
        case list() | tuple():
            return frozenset().union(*(variables_of(part) for part in template))
        case _:
            return frozenset()


@lru_cache(maxsize=10_000)
def _variables_of(text: str) -> frozenset[str]:
    try:
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))
    except TemplateSyntaxError:
        return frozenset()  # it renders for nobody


def content_of(messages: Sequence[object], extra: Mapping[str, object] | None = None) -> bytes:
    """All of a request's body but its recipients: equal for two people exactly when they may get one multicast.

    `extra`: its fields beside `messages`.
    """
    return dumps({"messages": messages, **(extra or {})})


def addressed(to: str | Sequence[str], content: bytes) -> bytes:
    """The exact body of a push to one, or of a multicast to several. RenderError when it is larger than LINE takes."""
    body = b'{"to":' + dumps(to) + b"," + content[1:]
    if len(body) > MAX_BODY_BYTES:
        raise RenderError(f"render: the body is {len(body):,} bytes; LINE takes at most {MAX_BODY_BYTES:,}")
    return body


def recipients_and_content(body: bytes) -> tuple[list[str], bytes]:
    """What `addressed` has put together for several, byte for byte."""
    to, _, content = body.removeprefix(b'{"to":').partition(b"],")
    return loads(to + b"]"), b"{" + content


def push_body(to: str, messages: Sequence[object]) -> bytes:
    """The exact body of a push request. RenderError when it is larger than LINE takes."""
    return addressed(to, content_of(messages))


def _fill(value: object, variables: Mapping[str, object], path: tuple[str | int, ...]) -> object:
    match value:
        case str():
            return _fill_text(value, variables, path)
        case Mapping():
            return {key: _fill(part, variables, (*path, str(key))) for key, part in value.items()}
        case list() | tuple():
            return [_fill(part, variables, (*path, index)) for index, part in enumerate(value)]
        case _:
            return value


def _fill_text(text: str, variables: Mapping[str, object], path: tuple[str | int, ...]) -> str:
    if "{" not in text:
        return text
    try:
        return _compiled(text).render(variables)
    except Exception as error:  # noqa: BLE001 - a template can raise anything; whatever it is, this message is failed
        raise RenderError(f"render: {field_path(path)}: {_why(error, text)}") from None


def _why(error: Exception, text: str) -> str:
    match error:
        case UndefinedError():
            told = str(error.message)
            # `prices[name]` would name the value of `name`: only words of the template itself may be repeated.
            return told if all(word in text for word in _named(told)) else "a variable is missing"
        case TemplateSyntaxError():
            return f"line {error.lineno}: {error.message}"
        case SecurityError():
            return "the template reaches for what the sandbox forbids"
        case ValueError() if str(error) in _OURS:
            return str(error)
        case _:
            return f"{type(error).__name__} while filling in"


def _named(told: str) -> Iterator[str]:
    """The quoted words of Jinja2's complaint that are names: all but the type of the object searched."""
    return (word for word in re.findall(r"'(.*?)'", told) if not word.endswith("object"))


_OURS = {"yen needs a number", "jpdate needs a date or a time as in ISO 8601"}
