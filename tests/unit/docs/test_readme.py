"""What the written documentation shows is so: its campaigns, commands, events, links and the shape of its decisions."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from ruamel.yaml import YAML
from typer.core import TyperGroup

from todoke_ingest.domain.cloudevents import PLAIN, read_event, read_request
from todoke_line_simulator.settings import AccountSettings
from todoke_line_simulator.users import line_user_id
from todoke_local.campaign_check import check_campaigns
from todoke_local.cli import app
from todoke_shared.campaigns.diagram import mermaid
from todoke_shared.campaigns.entering import LINE_EVENTS, AgainAfter, Enter, Every, Goal, PerField
from todoke_shared.campaigns.limits import Cap, Late, QuietHours
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.campaigns.steps import STEP_WORDS, Ask, Emit
from todoke_shared.campaigns.waits import OnDate, OnDay
from todoke_shared.conditions import Operator, parse_condition
from todoke_shared.conditions.attributes import ATTRIBUTES, PREFIXES, WORDS
from todoke_shared.conditions.regions import REGIONS
from todoke_shared.mistakes import FileMistakesError
from todoke_shared.segments.source import load_segments

ROOT = Path(__file__).parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "services").glob("*/README.md")),
]
CAMPAIGN_PAGES = [ROOT / "docs" / "campaigns.md", ROOT / "docs" / "ja" / "campaigns.md"]
PARTS = (Goal, Every, PerField, AgainAfter, QuietHours, Cap, Late, Ask, Emit, OnDay, OnDate)
CONDITION_PAGES = [ROOT / "docs" / "conditions.md", ROOT / "docs" / "ja" / "conditions.md"]
WALKS = [ROOT / "docs" / "getting-started.md", ROOT / "docs" / "ja" / "getting-started.md"]
"""Pages that take a newcomer from nothing to a first message."""
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
EXAMPLE = ROOT / "docs" / "examples" / "sample-care.yaml"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """A page as a test's name shows it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a page whose info string is exactly `kind`."""
    return [text for info, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if info == kind]


def words_of_commands(page: Path, program: str) -> Iterator[list[str]]:
    """Every call of a program that a page shows, in a shell block or between backticks."""
    text = page.read_text(encoding="utf-8")
    inline = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    for line in [*inline, *"".join(blocks(page, "sh")).splitlines()]:
        words = line.partition("#")[0].removeprefix(".venv/bin/").split()
        if words[:1] == [program] and len(words) > 1:
            yield words[1:]


def is_command(words: list[str]) -> bool:
    """Whether `todoke` followed by these words leads to a command; `a|b` names several at once."""
    commands: list[object] = [typer.main.get_command(app)]
    for word in words:
        groups = [command for command in commands if isinstance(command, TyperGroup)]
        if not groups:
            break  # what follows are the command's own arguments
        commands = [group.get_command(typer.Context(group), name) for group in groups for name in word.split("|")]
        if None in commands:
            return word == "--help"
    return True


def around(text: str) -> dict[str, Any]:
    """A whole campaign around a part of one, with every message that it names."""
    part = YAML(typ="safe", pure=True).load(text)
    names = {"hello", *re.findall(r"(?:send|message): ([a-z-]+)", text)}
    return {
        "campaign": "part",
        "class": "marketing",
        "enter": {"on": "order.placed"},
        "steps": [{"send": "hello"}],
        **part,
        "messages": {name: [{"type": "text", "text": name}] for name in names},
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_campaign_shown_can_be_published(page: Path, tmp_path: Path) -> None:
    """Each yaml block is a whole campaign, or says that it is a part of one, a condition, a segment file or wrong."""
    for text in blocks(page, "yaml"):
        (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
        assert load_campaign(tmp_path / "campaign.yaml").campaign
    for text in blocks(page, "yaml part"):
        (tmp_path / "campaign.yaml").write_text(json.dumps(around(text)), encoding="utf-8")
        assert load_campaign(tmp_path / "campaign.yaml").campaign
    for text in blocks(page, "yaml condition"):
        assert parse_condition(YAML(typ="safe", pure=True).load(text))
    for text in blocks(page, "yaml segment"):
        (tmp_path / "segment.yaml").write_text(text, encoding="utf-8")
        assert load_segments(tmp_path / "segment.yaml")


def test_the_first_campaign_has_ten_lines_and_is_the_example_in_both_languages() -> None:
    """What the README shows is the file that it tells to publish, and `todoke campaigns check` is content with it."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert blocks(ROOT / "README.md", "yaml") == [text, text]
    assert len(text.splitlines()) == 10
    assert [campaign.campaign for campaign in check_campaigns(EXAMPLE.parent)] == ["sample-care"]


@pytest.mark.parametrize("page", [CAMPAIGN_PAGES[0], *CONDITION_PAGES], ids=name_of)
def test_the_mistakes_shown_are_the_mistakes_told(page: Path, tmp_path: Path) -> None:
    """The wrong campaign of a page is answered with the lines below it."""
    [wrong], [told] = blocks(page, "yaml wrong"), blocks(page, "mistakes")
    (tmp_path / "campaign.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(FileMistakesError) as error:
        load_campaign(tmp_path / "campaign.yaml")
    assert str(error.value).replace(f"{tmp_path}/", "").splitlines() == told.splitlines()


def test_the_diagram_shown_is_the_diagram_printed() -> None:
    """Of the shipped campaign that the command above it names."""
    [shown] = blocks(CAMPAIGN_PAGES[0], "mermaid")
    assert shown == mermaid(load_campaign(ROOT / "campaigns" / "cart-abandonment.yaml"))


@pytest.mark.parametrize("page", CAMPAIGN_PAGES, ids=name_of)
def test_the_language_is_described_whole(page: Path) -> None:
    """Every key, step, day and event of LINE's stands on its page."""
    text = page.read_text(encoding="utf-8")
    keys = {field.alias or name for part in (Campaign, Enter) for name, field in part.model_fields.items()}
    assert [word for word in [*keys, *LINE_EVENTS] if f"`{word}`" not in text] == []
    assert [step for step in STEP_WORDS if f"`{step}: " not in text and f"  - {step}: " not in text] == []
    inner = {key for part in PARTS for key in part.model_json_schema()["properties"]}
    assert [key for key in inner if not re.search(rf"\b{key}\b", text)] == []


@pytest.mark.parametrize("page", CONDITION_PAGES, ids=name_of)
def test_the_conditions_are_described_whole(page: Path) -> None:
    """Every attribute, operator, region and other word of the language stands on its page."""
    text = page.read_text(encoding="utf-8")
    words = [*get_args(Operator), *(word for words in WORDS.values() for word in words), *REGIONS]
    names = [*ATTRIBUTES, *(f"{prefix}…" for prefix in PREFIXES)]
    assert [word for word in [*words, *names] if f"`{word}`" not in text] == []


@pytest.mark.parametrize("page", CONDITION_PAGES, ids=name_of)
def test_every_example_of_a_condition_can_be_read(page: Path) -> None:
    """Each row of a table that begins with `attribute: …` is a condition as it stands, and no attribute lacks one."""
    rows = re.findall(r"^\| `([a-z_]+[^` :]*: [^`]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    conditions = [YAML(typ="safe", pure=True).load(row) for row in rows]
    assert all(map(parse_condition, conditions))
    asked = {name for condition in conditions for name in condition}
    assert set(ATTRIBUTES) - asked == set()
    assert [prefix for prefix in PREFIXES if not any(name.startswith(prefix) for name in asked)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_named_exists(page: Path) -> None:
    """Each `make …` is a target of the Makefile, each `todoke …` leads to a command that takes no further name."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert [words for words in words_of_commands(page, "make") if words[0] not in targets] == []
    assert [words for words in words_of_commands(page, "todoke") if not is_command(words)] == []


@pytest.mark.parametrize("page", WALKS, ids=name_of)
def test_the_first_events_are_taken_and_are_about_mai(page: Path) -> None:
    """Each event that a newcomer posts is in the vocabulary, and names whom the simulator calls mai."""
    bodies = re.findall(r"/v1/events .*?-d '(.*?)'", page.read_text(encoding="utf-8"), re.DOTALL)
    mai = line_user_id(AccountSettings(name="main").provider, "mai")
    assert bodies
    for body in bodies:
        [raw] = read_request(body.encode(), PLAIN, {}).events
        assert read_event(raw, datetime(2026, 4, 1, tzinfo=UTC)).id == json.loads(body)["id"]
        assert f"line:main:{mai}" in body


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """A page that was renamed is renamed everywhere."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_each_decision_is_one_page_and_says_what_violates_it() -> None:
    """Numbered without a gap; decision, why, what violates it, in that order."""
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    assert len(DECISIONS) >= 12
    for page in DECISIONS:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]} "), page.name
        places = [text.find(word) for word in ("**Decision.**", "**Why.**", "**What violates it**")]
        assert -1 < places[0] < places[1] < places[2], page.name
        assert len(text.splitlines()) <= 40, page.name
