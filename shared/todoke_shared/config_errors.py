"""What is wrong with the configuration file, in one line that says where and what to write instead."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from todoke_shared.complaints import plain_words

_PAGES = {platform: f"docs/{platform}.md" for platform in ("shopify", "eccube", "makeshop")} | {
    "link_hosts": "docs/links.md",
    "caps": "docs/campaigns.md",
    "quiet_hours": "docs/campaigns.md",
}
_SHAPES = {
    "caps": "a list such as [{messages: 1, within: 1d}]",
    "quiet_hours": 'a mapping such as {from: "21:00", to: "09:00"}; without it there are none',
    "channel_secrets": "a list such as [env:LINE_MAIN_SECRET]",
    "webhook_secrets": "a list such as [env:SHOPIFY_SECRET]",
    "identity_secrets": "a list such as [env:TODOKE_IDENTITY_SECRET]",
    "link_hosts": "a list such as [shop.example]",
}
"""What must stand under a key that takes no names, where something of another shape does."""
_WRONG_SHAPE = ("model_type", "model_attributes_type", "dict_type", "tuple_type")


class ConfigError(ValueError):
    """The configuration cannot be used: the text names the file, the place in it, and never a value from it."""


def config_error(path: Path, model: type[BaseModel], error: ValidationError) -> ConfigError:
    """pydantic's complaints about the file as one line. An unknown key comes first: it may be why another is missing.

    `model`: what the whole file is, for the names that a misspelt key may have meant.
    """
    mistakes = error.errors(include_input=False, include_url=False)
    first = min(mistakes, key=lambda mistake: mistake["type"] != "extra_forbidden")
    place = tuple(str(part) for part in first["loc"] if part != "[key]")
    where = ".".join(place) or "the file"
    match first["type"]:
        case "extra_forbidden":
            told = f"{where} is unknown; {_meant(place[-1], _fields_at(model, place[:-1]))}"
        case "missing":
            told = f"{where} is missing; see {_page(place)}"
        case kind if kind in _WRONG_SHAPE and place[-1:] and place[-1] in _SHAPES:
            told = f"{where} must be {_SHAPES[place[-1]]}; see {_page(place)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            told = f"{where} must hold names, each with its value below it; see {_page(place)}"
        case _:
            told = f"{where}: {plain_words(first)}"
    return ConfigError(f"{path}: {told}")


def _meant(key: str, fields: dict[str, FieldInfo]) -> str:
    known = [name for name, field in fields.items() if not field.exclude]
    likely = get_close_matches(key, known, n=1)
    return f"did you mean {likely[0]}?" if likely else f"here can stand: {', '.join(known)}"


def _fields_at(model: type[BaseModel], place: tuple[str, ...]) -> dict[str, FieldInfo]:
    parts = iter(place)
    for part in parts:
        annotation = model.model_fields[part].annotation
        if get_origin(annotation) is dict:
            next(parts, None)  # a name that the user gave
        model = next(_models_in(annotation), model)
    return model.model_fields


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _page(place: tuple[str, ...]) -> str:
    return next((_PAGES[part] for part in place if part in _PAGES), "docs/line.md")
