"""line-bot-sdk's models, asked by name.

They are loaded when the first request comes that needs them: that takes a second, and a shop that sends plain texts
never needs them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """What a model refuses: where, from the innermost model on, and why."""

    where: tuple[str | int, ...]
    why: str


def faults(model: str, body: dict[str, object]) -> list[Fault]:
    """What a model finds wrong in a body."""
    return _faults(lambda: _model(model).parse_obj(body))


def message_faults(message: dict[str, object]) -> list[Fault]:
    """What the model of a message object finds wrong in it.

    AttributeError, KeyError, TypeError or ValueError: how the SDK refuses an unknown or missing `type` inside.
    """
    return _faults(lambda: _model("Message").from_dict(message))


@cache
def properties(model: str) -> frozenset[str]:
    """The properties that a model knows, by their JSON names."""
    return frozenset(field.alias for field in _model(model).__fields__.values())


@cache
def _model(name: str) -> Any:
    from linebot.v3.messaging import models  # noqa: PLC0415 - see above

    return getattr(models, name)


def _faults(read: Callable[[], object]) -> list[Fault]:
    from pydantic.v1 import ValidationError  # noqa: PLC0415 - as heavy, and as rarely needed

    try:
        read()
    except ValidationError as error:
        return [Fault(one["loc"], str(one["msg"])) for one in error.errors()]
    return []
