"""Message templates -> the exact body of a request.

A template is LINE's message objects with Jinja2 in their texts (`language`) and parts that repeat (`filling`). What
cannot be filled in fails the message: half a sentence is worse than none. Errors name the place and the variable, never
a value: values are a customer's.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError

from todoke_dispatcher.domain.filling import Program
from todoke_dispatcher.domain.language import language
from todoke_dispatcher.domain.message_tree import RenderError, Trace
from todoke_dispatcher.domain.quota import TOKYO
from todoke_shared.campaigns.message_parts import template_texts
from todoke_shared.jsons import dumps, loads

__all__ = ["RenderError", "Trace"]

MAX_BODY_BYTES = 2 * 1024 * 1024
"""LINE's limit of a request (LINE-API.md: sending)."""
_ONE_RECIPIENT = len('"to":"",') + 33
"""Bytes by which a push is longer than its content: a user id has 33 characters."""
MOST_OBJECTS = 5
"""LINE's limit of a message's objects."""
_MOST_PROGRAMS = 10_000
"""Far more messages than an installation's campaigns have."""

LineMessage = Mapping[str, Any]

_programs: dict[tuple[int, tzinfo], tuple[Sequence[LineMessage], Program]] = {}
"""By the template's identity: published ones never change, and live as long as their version is known. The template
itself is kept beside its program, so that its id is nobody else's."""


def render(
    template: Sequence[LineMessage],
    variables: Mapping[str, object],
    zone: tzinfo = TOKYO,
    trace: Trace | None = None,
) -> list[object]:
    """The message objects of somebody, their dates told in `zone`. RenderError when they cannot be had.

    The template must not change later. What is the same for everybody is the same object in all of them. With a
    `trace` what cannot be filled in is noted there, and told by no error.
    """
    filled = _program(template, zone).fill(variables, trace)
    if trace is None and not 1 <= len(filled) <= MOST_OBJECTS:
        raise RenderError(f"render: this comes to {len(filled)} message objects; LINE takes 1 to {MOST_OBJECTS}")
    return filled


def _program(template: Sequence[LineMessage], zone: tzinfo) -> Program:
    key = (id(template), zone)
    found = _programs.get(key)
    if found is None:
        if len(_programs) >= _MOST_PROGRAMS:
            _programs.clear()
        found = _programs[key] = (template, Program(template, language(zone)))
    return found[1]


def template_mistakes(message: object) -> Iterator[str]:
    """What cannot be read in a message's templates, whoever it may be rendered for."""
    for text in template_texts(message):
        try:
            language().parse(text)
        except TemplateSyntaxError as error:
            yield f"template, line {error.lineno}: {error.message}"


def variables_of(template: object) -> frozenset[str]:
    """The variables that any text of these messages may read. What differs in others only renders alike."""
    return frozenset().union(*map(_variables_of, template_texts(template)))


@lru_cache(maxsize=10_000)
def _variables_of(text: str) -> frozenset[str]:
    try:
        return language().undeclared(text)
    except TemplateSyntaxError:
        return frozenset()  # it renders for nobody


def content_of(messages: Sequence[object], extra: Mapping[str, object] | None = None) -> bytes:
    """All of a request's body but its recipients: equal for two people exactly when they may get one multicast.

    `extra`: its fields beside `messages`. RenderError where it cannot be written as JSON.
    """
    try:
        return dumps({"messages": messages, **(extra or {})})
    except ValueError:  # a template can write half of a surrogate pair: {{ "\ud83d" }}
        raise RenderError("render: a text holds a character that there is not") from None


def addressed(to: str | Sequence[str], content: bytes) -> bytes:
    """The exact body of a push to one, or of a multicast to several. RenderError when it is larger than LINE takes."""
    body = b'{"to":' + dumps(to) + b"," + content[1:]
    _check_size(len(body))
    return body


def check_content(content: bytes) -> None:
    """RenderError when it is larger than LINE takes even for one: said before it is compared with others'."""
    _check_size(len(content) + _ONE_RECIPIENT)


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise RenderError(f"render: the body is {size:,} bytes; LINE takes at most {MAX_BODY_BYTES:,}")


def recipients_and_content(body: bytes) -> tuple[list[str], bytes]:
    """What `addressed` has put together for several, byte for byte."""
    to, _, content = body.removeprefix(b'{"to":').partition(b"],")
    return loads(to + b"]"), b"{" + content


def push_body(to: str, messages: Sequence[object]) -> bytes:
    """The exact body of a push request. RenderError when it is larger than LINE takes."""
    return addressed(to, content_of(messages))
