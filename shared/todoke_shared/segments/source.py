"""Segment files -> segments, and every mistake at once. A file is one segment, or the shop's five classes."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from todoke_shared.conditions import Condition, ConditionError, parse_condition, resolve
from todoke_shared.conditions import Segment as Named
from todoke_shared.mistakes import FileMistakesError, Mistake
from todoke_shared.segments.model import Classes, Segment
from todoke_shared.yaml_files import Document, Place, complaints_of, read_document, yaml_files

_SEGMENT = {"model_type": "write a segment as a mapping that starts with `segment: its-name`"}
_CLASSES = {
    "tuple_type": "write the five classes as a list, each as `- class: its-name` with a `when`",
    "model_type": "write a class as `- class: its-name`, with a `when`",
    "literal_error": "a class is one of best, good, problem, sleeping, general",
}
_WHEN = {"dict_type": "write a condition as a mapping, for example `{friend: true}`"}


@dataclass(frozen=True)
class _Found:
    """A segment, and where its condition, or the part of it that is its own, stands."""

    segment: Segment
    document: Document
    place: Place
    when: dict[str, Any] | None


def load_segments(place: Path, known: Mapping[str, Condition] | None = None) -> list[Segment]:
    """Read a file, or every `*.yaml` and `*.yml` below a folder, by name. FileMistakesError lists every mistake.

    `known`: segments elsewhere, which those here may name; those here go before them.
    """
    found: list[_Found] = []
    mistakes: list[Mistake] = []
    for file in yaml_files(place):
        try:
            found += _read(file)
        except FileMistakesError as error:
            mistakes += error.mistakes
    mistakes += _named_twice(found)
    if not mistakes:  # an unreadable segment would be an unknown one to all others
        mistakes += _wrong_names(
            found, {**(known or {}), **{one.segment.segment: one.segment.condition for one in found}}
        )
    if mistakes:
        raise FileMistakesError(mistakes)
    return [one.segment for one in found]


def readable_segments(folder: Path) -> dict[str, Condition]:
    """What the segments of a folder ask for, by name; files with mistakes are passed over, as is a missing folder."""
    found: list[_Found] = []
    for file in yaml_files(folder) if folder.is_dir() else ():
        with suppress(FileMistakesError):
            found += _read(file)
    return {one.segment.segment: one.segment.condition for one in found}


def _read(file: Path) -> Iterator[_Found]:
    document = read_document(file)
    try:
        if isinstance(document.value, dict) and "classes" in document.value:
            classes = Classes.model_validate(document.value)
            for index, (segment, class_) in enumerate(zip(classes.segments(), classes.classes, strict=True)):
                yield _Found(segment, document, ("classes", index, "when"), class_.when)
        else:
            segment = Segment.model_validate(document.value)
            yield _Found(segment, document, ("when",), segment.when)
    except ValidationError as error:
        words = _CLASSES if isinstance(document.value, dict) and "classes" in document.value else _SEGMENT
        raise FileMistakesError(document.mistakes(complaints_of(error), words | _WHEN)) from None


def _named_twice(found: Iterable[_Found]) -> Iterator[Mistake]:
    names: set[str] = set()
    for one in found:
        name = one.segment.segment
        if name in names:
            yield one.document.mistake(one.place[:-1] or ("segment",), f"`{name}` is the name of two segments")
        names.add(name)


def _wrong_names(found: Collection[_Found], known: Mapping[str, Condition]) -> Iterator[Mistake]:
    """Segments that are not known, and circles."""
    unknown = False
    for one in found:
        try:
            if one.when is not None:
                parse_condition(one.when, segments=known, events=False)
        except ConditionError as error:
            unknown = True
            yield one.document.mistake((*one.place, *error.path), str(error))
    if unknown:
        return
    for one in found:
        try:
            resolve(Named(one.segment.segment), known)
        except ConditionError as error:
            yield one.document.mistake(one.place, str(error))
