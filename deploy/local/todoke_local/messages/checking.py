"""What is wrong with a campaign's messages, and what is not wrong but worth a word: each with its place in the file."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import TemplateSyntaxError

from todoke_dispatcher.domain.language import language
from todoke_line_simulator.validation import messages_problems
from todoke_local.messages.reads import ITEM, Path
from todoke_local.messages.trials import Trial, Tried, too_large, try_messages
from todoke_local.messages.vocabulary import NEVER_TOLD, Known, vocabulary
from todoke_scheduler.domain.variables import VARIABLES
from todoke_shared.campaigns.message_parts import PartError, as_template, is_part, read_part
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.jsons import dumps
from todoke_shared.yaml_files import Place

Complaint = tuple[Place, str]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NO_FILTER = re.compile(r"No filter named '(.+?)'")
_TOO_LONG = re.compile(r"(?:Length must be between 1 and|ensure this value has at most) (\d+)")


def message_mistakes(campaign: Campaign) -> Iterator[Complaint]:
    """Templates that cannot be read, names that there are not, and what LINE (its limits, line-bot-sdk's models) would
    refuse once they are filled in, for somebody of whom all is known at length and for somebody hardly known."""
    unreadable: set[str] = set()
    for name, template in campaign.messages.items():
        for complaint in _unreadable(template, ("messages", name)):
            unreadable.add(name)
            yield complaint
    for tried in try_messages(campaign, unreadable):
        yield from _unknown(campaign, tried)
        yield from _impossible(tried)
        yield from _not_filled(tried)
        yield from _refused(tried)


def message_remarks(campaign: Campaign) -> Iterator[str]:
    """A sentence for each value that not everybody has, and for each that nobody may have."""
    for tried in try_messages(campaign):
        for path in tried.missing:
            yield (
                f"`{tried.name}` reads `{_written(path)}`, which not everybody has: who has none does not get it; "
                f"write `{{{{ {_written(path)} | default('…') }}}}`, or ask for it in `when` or `if`"
            )
        for path in tried.reads.uses:
            owner = _owner(tried.known, path)
            if owner is None or path[-1] in owner.fields or not owner.open:
                continue
            if (hint := nearest(path[-1], owner.fields, cutoff=0.75)) is not None:
                meant = _written((*path[:-1], hint))
                yield f"`{tried.name}` reads `{_written(path)}`, of which nothing is known here{did_you_mean(meant)}"


def _unreadable(value: object, place: Place) -> Iterator[Complaint]:
    """Parts and templates that cannot be read."""
    match value:
        case str():
            yield from _unparsed(value, place)
        case Mapping() if is_part(value):
            yield from _wrong_part(value, place)
        case Mapping():
            for key, inner in value.items():
                if isinstance(inner, Mapping) and "for" in inner:
                    yield (*place, key), "`for` makes several: write it as an element of a list, `- for: …`"
                else:
                    yield from _unreadable(inner, (*place, key))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _unreadable(inner, (*place, index))


def _wrong_part(value: Mapping[str, Any], place: Place) -> Iterator[Complaint]:
    try:
        read_part(value)
    except PartError as error:
        yield (*place, error.key), str(error)
    name = value.get("for")
    if isinstance(name, str) and name in VARIABLES:
        yield (*place, "for"), f"`{name}` is a variable already; write another name, for example `for: item`"
    for key, inner in value.items():
        if key in ("if", "in") and isinstance(inner, str):
            yield from _unparsed(as_template(inner), (*place, key))
        elif key in ("each", "then", "else"):
            yield from _unreadable(inner, (*place, key))


def _unparsed(text: str, place: Place) -> Iterator[Complaint]:
    if "{" not in text:
        return
    try:
        language().parse(text)
    except TemplateSyntaxError as error:
        unknown = _NO_FILTER.search(str(error.message))
        hint = did_you_mean(nearest(unknown[1], language().filters)) if unknown else ""
        yield place, f"template, line {error.lineno}: {error.message}{hint}"


def _unknown(campaign: Campaign, tried: Tried) -> Iterator[Complaint]:
    """Names that nothing gives."""
    objects = campaign.messages[tried.name]
    for place, name in tried.reads.strangers:
        here: Any = objects[place[0]] if isinstance(place[0], int) else {}
        if isinstance(here, Mapping) and name in (here.get("substitution") or {}):
            what = f"`{name}` is a substitution of LINE's: write it with one brace, `{{{name}}}`"
        else:
            hint = did_you_mean(nearest(name, vocabulary(campaign)))
            what = f"there is no variable `{name}`; a template may read {', '.join(sorted(VARIABLES))}{hint}"
        yield ("messages", tried.name, *place), what


def _impossible(tried: Tried) -> Iterator[Complaint]:
    """Values that can be there for nobody."""
    for path in tried.reads.uses:
        owner = _owner(tried.known, path)
        name = path[-1]
        if path[0] == "person" and len(path) == 2 and name in NEVER_TOLD:
            what = f"`{_written(path)}` is told to no message: what it says would stand in topics for nothing"
        elif owner is None or name in owner.fields or owner.open or name == ITEM:
            continue
        else:
            hint = nearest(name, owner.fields)
            meant = did_you_mean(None if hint is None else _written((*path[:-1], hint)))
            what = f"`{_written(path)}` is never there; here may stand {', '.join(sorted(owner.fields))}{meant}"
        yield from ((("messages", tried.name, *place), what) for place in tried.reads.at[path][:1])


def _owner(known: Mapping[str, Known], path: Path) -> Known | None:
    """What the last name of a path is looked up in, where that is known and has fields."""
    here = known.get(path[0])
    for part in path[1:-1]:
        if here is None:
            return None
        here = here.item if part == ITEM else here.fields.get(part)
    return here if len(path) > 1 and here is not None and here.kind == "map" else None


def _not_filled(tried: Tried) -> Iterator[Complaint]:
    """What fails though every value is there."""
    told = {place for place, _ in tried.reads.strangers}
    told |= {place for complaint in _impossible(tried) for place in (complaint[0][2:],)}
    for error in tried.long.errors:
        if error.place not in told:
            why = str(error).partition(": ")[2].partition(": ")[2]
            yield ("messages", tried.name, *error.place), f"cannot be filled in: {why}"


def _refused(tried: Tried) -> Iterator[Complaint]:
    if tried.long.errors:
        return
    found = {trial.whose: list(refusals(trial)) for trial in tried.trials if not trial.errors}
    both = set(found.get("long", ())) & set(found.get("short", ()))
    told: set[Complaint] = set()
    for whose, complaints in found.items():
        for place, what in complaints:
            if (place, what) not in told:
                told.add((place, what))
                where = "" if (place, what) in both else _WHERE[whose]
                yield place, f"LINE refuses {_name_of(place)}{where}: {what}{_advice(what, whose if where else '')}"


_WHERE = {"long": " where values are long", "short": " where little is known"}


def refusals(trial: Trial) -> Iterator[Complaint]:
    """What LINE would say of a message as it was tried, each with its place in the file."""
    if (what := too_large(trial)) is not None:
        yield ("messages", trial.message), what
        return
    for problem in messages_problems(dumps(trial.objects)):
        yield trial.place_of(problem.property), problem.message
    for index, message in enumerate(trial.objects):
        yield from _placeholders(message, trial, f"messages[{index}]")


def _placeholders(message: Any, trial: Trial, at: str) -> Iterator[Complaint]:
    """What a textV2 names in braces and does not say: LINE's own check does not find it here."""
    if not isinstance(message, dict) or message.get("type") != "textV2" or not isinstance(message.get("text"), str):
        return
    given = message.get("substitution")
    given = given if isinstance(given, dict) else {}
    for name in _PLACEHOLDER.findall(message["text"]):
        if name not in given:
            hint = did_you_mean(nearest(name, given))
            yield trial.place_of(f"{at}.text"), f"`{{{name}}}` is no key of `substitution`{hint}"


def _name_of(place: Place) -> str:
    names = [part for part in place[2:] if isinstance(part, str) and part not in ("each", "then", "else")]
    return names[-1] if names else "it"


def _advice(what: str, whose: str) -> str:
    too_long = _TOO_LONG.search(what)
    if whose == "long" and too_long:
        return f"; cut the value: `| short({too_long[1]})`"
    if whose == "long" and "Size must be" in what:
        return "; let `most` hold it"
    if whose == "short" and ("empty" in what or "Size must be" in what):
        return "; put an `if:` around what may be empty, or ask for it in `when`"
    return ""


def _written(path: Iterable[str]) -> str:
    """As a template's author names it."""
    return ".".join(path).replace(f".{ITEM}", f"{ITEM}")
