"""Campaign files -> campaigns, and every mistake at once: file:line, where, what, what to write instead."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from todoke_shared.campaigns.model import Campaign
from todoke_shared.conditions import ConditionError
from todoke_shared.contracts.json_values import field_path

_PLAIN = {
    "union_tag_invalid": "a step is one of `wait: 1h` or `send: message-name`",
    "extra_forbidden": "nobody reads this key; check its spelling",
    "string_pattern_mismatch": "use lower-case letters, digits, - and _, and begin with a letter or digit",
    "missing": "this key is needed",
    "model_type": "write a campaign as a mapping that starts with `campaign: its-name`",
    "tuple_type": "write a list here",
    "dict_type": "write a mapping here",
    "string_type": "write a text here",
    "invalid_key": "a key here must be a text; put it in quotes",
}


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a campaign file, and where. `line` counts from 1."""

    file: Path
    line: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where}: {self.what}"


class CampaignFileError(ValueError):
    """A campaign file that cannot be published, with all its mistakes."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


Place = tuple[str | int, ...]
Check = Callable[[Campaign], Iterable[tuple[Place, str]]]
"""Further mistakes in a campaign that can be read: the path to each, and what is wrong there."""


def no_further_check(_: Campaign) -> Iterable[tuple[Place, str]]:
    """A campaign that can be read is right."""
    return ()


def load_campaign(file: Path, check: Check = no_further_check) -> Campaign:
    """Read one campaign. CampaignFileError lists every mistake in it, those that `check` finds among them."""
    yaml = YAML(typ="safe", pure=True)  # YAML 1.2, in which the key `on` is a text and not "true"
    try:
        node: Node | None = yaml.compose(file)
        value = yaml.load(file)
    except YAMLError as error:
        raise CampaignFileError([_not_yaml(file, error)]) from None
    except RecursionError:
        raise CampaignFileError([Mistake(file, 1, "the file", "this is nested too deeply")]) from None
    except ValueError as error:  # a value that looks like a number or a date and is none: 2026-13-45
        raise CampaignFileError([Mistake(file, 1, "the file", f"{error}; put a text in quotes")]) from None
    except OSError as error:
        raise CampaignFileError([Mistake(file, 1, "the file", f"cannot be read: {error.strerror}")]) from None
    try:
        campaign = Campaign.model_validate(value)
    except ValidationError as error:
        complaints = _without_echoes(error.errors())
        raise CampaignFileError([_mistake(file, node, complaint) for complaint in complaints]) from None
    if further := [Mistake(file, _line(node, path), field_path(path), what) for path, what in check(campaign)]:
        raise CampaignFileError(further)
    return campaign


def load_campaigns(folder: Path, check: Check = no_further_check) -> list[Campaign]:
    """Read every `*.yaml` and `*.yml` below a folder, by name. CampaignFileError lists every mistake in all of them."""
    campaigns: list[Campaign] = []
    mistakes: list[Mistake] = []
    for file in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.yml"))):
        try:
            campaign = load_campaign(file, check)
        except CampaignFileError as error:
            mistakes += error.mistakes
            continue
        if any(campaign.campaign == other.campaign for other in campaigns):
            mistakes.append(Mistake(file, 1, "campaign", f"`{campaign.campaign}` is the name of two campaigns"))
        campaigns.append(campaign)
    if mistakes:
        raise CampaignFileError(mistakes)
    return campaigns


def _not_yaml(file: Path, error: YAMLError) -> Mistake:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    what = error.problem if isinstance(error, MarkedYAMLError) else None
    return Mistake(file, mark.line + 1 if mark else 1, "the file", what or "this is not YAML")


def _without_echoes(complaints: Sequence[Any]) -> list[Any]:
    """pydantic leaves bad steps out and then finds that there are too few: that is no second mistake."""
    steps = [complaint for complaint in complaints if complaint["loc"][0:1] == ("steps",)]
    return [
        one for one in complaints if not (one["loc"] == ("steps",) and one["type"] == "too_short" and len(steps) > 1)
    ]


def _mistake(file: Path, root: Node | None, complaint: Any) -> Mistake:
    path = _as_written(complaint["loc"])
    what = _PLAIN.get(complaint["type"], complaint["msg"].removeprefix("Value error, "))
    cause = (complaint.get("ctx") or {}).get("error")
    if isinstance(cause, ConditionError):
        path += cause.path
    return Mistake(file, _line(root, path), field_path(path), what)


def _as_written(loc: tuple[str | int, ...]) -> list[str | int]:
    # pydantic puts the kind of a step into the path, before the step's own keys: steps, 0, wait, wait.
    kind = {2} if loc[0:1] == ("steps",) and len(loc) > 3 else set()
    return [part for place, part in enumerate(loc) if place not in kind and part != "[key]"]


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
