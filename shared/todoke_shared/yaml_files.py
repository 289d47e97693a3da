"""Files that people write -> values, and every mistake with its place: file:line, where, what to write instead."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from todoke_shared.complaints import plain_words
from todoke_shared.conditions import ConditionError
from todoke_shared.contracts.json_values import check_json, field_path
from todoke_shared.errors import BadMessageError
from todoke_shared.mistakes import FileMistakesError, Mistake

Place = tuple[str | int, ...]
"""Leads from a file's root to a place in it, by keys and list indexes."""


def _as_it_is(loc: Place) -> list[str | int]:
    return [part for part in loc if part != "[key]"]


@dataclass(frozen=True)
class Document:
    """A file that is YAML, and where in it everything stands."""

    file: Path
    value: Any
    root: Node | None

    def mistake(self, path: Iterable[str | int], what: str) -> Mistake:
        """What is wrong at a path."""
        steps = list(path)
        return Mistake(self.file, _line(self.root, steps), field_path(steps) if steps else "the file", what)

    def mistakes(
        self,
        complaints: Iterable[Any],
        words: Mapping[str, str],
        as_written: Callable[[Place], list[str | int]] = _as_it_is,
    ) -> list[Mistake]:
        """pydantic's complaints in plain words. `words`: by pydantic's type, in place of those known for it.

        `as_written`: pydantic's path -> the author's.
        """
        return [one for complaint in complaints for one in self._mistakes(complaint, words, as_written)]

    def _mistakes(
        self, complaint: Any, words: Mapping[str, str], as_written: Callable[[Place], list[str | int]]
    ) -> list[Mistake]:
        path = as_written(complaint["loc"])
        cause = (complaint.get("ctx") or {}).get("error")
        if isinstance(cause, ConditionError):
            return [self.mistake([*path, *one.path], str(one)) for one in (cause, *cause.others)]
        return [self.mistake(path, words.get(complaint["type"]) or plain_words(complaint))]


def read_document(file: Path) -> Document:
    """Read a file. FileMistakesError when it is not YAML, or cannot be read."""
    yaml = YAML(typ="safe", pure=True)  # YAML 1.2, in which the key `on` is a text and not "true"
    try:
        root: Node | None = yaml.compose(file)
        document = Document(file, yaml.load(file), root)
        check_json(document.value)
        return document
    except BadMessageError as error:  # what JSON or PostgreSQL cannot hold: NUL, .inf
        raise FileMistakesError([Mistake(file, 1, error.field or "the file", error.reason)]) from None
    except YAMLError as error:
        raise FileMistakesError([_not_yaml(file, error)]) from None
    except RecursionError:
        raise FileMistakesError([Mistake(file, 1, "the file", "this is nested too deeply")]) from None
    except ValueError as error:  # a value that looks like a number or a date and is none: 2026-13-45
        raise FileMistakesError([Mistake(file, 1, "the file", f"{error}; put a text in quotes")]) from None
    except OSError as error:
        raise FileMistakesError([Mistake(file, 1, "the file", f"cannot be read: {error.strerror}")]) from None


def read_value(text: str, what: str) -> Any:
    """YAML from a command's option. ValueError names the option and says what is wrong."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        problem = error.problem if isinstance(error, MarkedYAMLError) else None
        raise ValueError(f"{what}: {problem or 'this is not YAML'}") from None


def yaml_files(place: Path) -> Iterator[Path]:
    """The file itself, or every `*.yaml` and `*.yml` below a folder, by name."""
    yield from [place] if not place.is_dir() else sorted((*place.rglob("*.yaml"), *place.rglob("*.yml")))


def complaints_of(error: ValidationError) -> list[Any]:
    """pydantic's complaints, untyped: their `ctx` and `loc` are whatever the validators made them."""
    return list(error.errors())


def _not_yaml(file: Path, error: YAMLError) -> Mistake:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    what = error.problem if isinstance(error, MarkedYAMLError) else None
    return Mistake(file, mark.line + 1 if mark else 1, "the file", what or "this is not YAML")


def _line(node: Node | None, path: Iterable[str | int]) -> int:
    """The line of the deepest node on the path: a missing key is reported where it should have been."""
    line = node.start_mark.line if node else 0
    for part in path:
        if isinstance(node, MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None and part == 0:
                continue  # one value stands where a list of them may
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
