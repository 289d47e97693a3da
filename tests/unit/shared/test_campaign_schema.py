"""The JSON Schema of campaigns: what an editor with it accepts and underlines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tests.unit.shared.campaign_files import WHOLE, read
from todoke_shared.campaigns.entering import Enter
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.schema import ENTER_KEYS, KEYS, campaign_schema
from todoke_shared.campaigns.source import load_campaigns

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT / "campaigns", ROOT / "docs" / "campaign-library", ROOT / "docs" / "examples"]
SCHEMA = campaign_schema()
EDITOR = Draft202012Validator(SCHEMA)


def with_causes(error: ValidationError) -> Iterator[ValidationError]:
    """A complaint, and those because of which it is one."""
    yield error
    for cause in error.context:
        yield from with_causes(cause)


def underlined(text: str) -> list[str]:
    """Where an editor sees something wrong."""
    found = [error for top in EDITOR.iter_errors(read(text)) for error in with_causes(top)]
    return sorted({"/".join(map(str, error.absolute_path)) for error in found})


def test_the_schema_is_one() -> None:
    """By the rules of JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


def test_an_editor_says_what_each_key_is_for() -> None:
    """Every key of a campaign and of `enter`, and no other."""
    assert set(KEYS) == {field.alias or name for name, field in Campaign.model_fields.items()}
    assert set(ENTER_KEYS) == {field.alias or name for name, field in Enter.model_fields.items()}


@pytest.mark.parametrize(
    "file", [file for folder in FOLDERS for file in sorted(folder.glob("*.yaml"))], ids=lambda f: f.stem
)
def test_an_editor_underlines_nothing_in_a_right_campaign(file: Path) -> None:
    """Shipped ones, those to come, and the example of the README; and what is published of them."""
    assert underlined(file.read_text(encoding="utf-8")) == []
    [campaign] = [one for one in load_campaigns(file.parent) if one.campaign == read(file.read_text())["campaign"]]
    assert list(EDITOR.iter_errors(campaign.to_document())) == []


def test_an_editor_knows_the_whole_language() -> None:
    """Every key and every step."""
    assert underlined(WHOLE) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("class: marketing", "class: loud", "class"),
        ("holdout: 10", "holdout: 60", "holdout"),
        ("holdout: 10", "holdot: 10", ""),
        ("zone: America/New_York", "zone: 9", "zone"),
        ("starts: 2026-12-01 10:00", "starts: tomorrow", "starts"),
        ("  on: line.message", "  on: line.mesage", "enter/on"),
        ("  on: line.message", "  keywords: [a]", "enter"),
        ("    within: 14d", "    within: 14", "goal/0/within"),
        ('{from: "22:00", to: "08:00"}', '{from: "22:00"}', "quiet_hours"),
        ("{messages: 5000, yen: 10000}", "{messages: some}", "budget/messages"),
        ("{messages: 5000, yen: 10000}", "{month: 5000}", "budget"),
        ("  - wait: 1h", "  - wiat: 1h", "steps/0"),
        ("  - wait: 1h", "  - wait: {until: fridy 12:00}", "steps/0/wait/until"),
        ("  - wait: 1h", "  - wait: {days: three, at: '20:00'}", "steps/0/wait/days"),
        ("{orders.ever: false}", "{orders.evr: false}", "steps/1/if"),
        ("{points: {at_least: 500}}", "{points: {at_leest: 500}}", "steps/3/if/points"),
        ("{points: {at_least: 500}}", "{not: {any: [{age: {within: 3d}}]}}", "steps/3/if/not/any/0/age"),
        ("answers: [乾燥肌, 脂性肌]", f"answers: [{'肌' * 21}]", "steps/2/answers/0"),
        ("split: {a: 90, b: 10}", "split: {a: 90.5, b: 9.5}", "steps/4/split/a"),
        ("untag: new", "untag: new\n    tag: old", "steps/6"),
        ("emit: custom.care-finished", "emit: 7", "steps/10/emit"),
        ("stop: true", "stop: false", "steps/11/stop"),
    ],
)
def test_an_editor_underlines_a_mistake(old: str, new: str, place: str) -> None:
    """At its place: keys, values, steps, conditions however deep."""
    assert WHOLE.count(old) == 1
    found = underlined(WHOLE.replace(old, new))
    assert place in found


def test_nothing_is_left_of_pydantics_own_words() -> None:
    """No titles made of names, no nulls, no durations as ISO 8601 has them: an author never writes those."""

    def look(part: Any, path: str) -> None:
        if isinstance(part, dict):
            assert part.get("default", "") is not None
            assert not str(part.get("default", "")).startswith("P"), path
            assert part != {"type": "null"}, path
            assert "title" not in part or path == "", path
            for key, inner in part.items():
                look(inner, f"{path}/{key}")
        elif isinstance(part, list):
            for index, inner in enumerate(part):
                look(inner, f"{path}/{index}")

    look(SCHEMA, "")
