"""`todoke campaigns check`: what LINE or a template would refuse is found before it is published, at its line."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from todoke_local.campaign_check import check_campaigns
from todoke_local.cli import app
from todoke_shared.campaigns.diagram import mermaid
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.mistakes import FileMistakesError

SHIPPED = Path(__file__).parents[3] / "campaigns"
LIBRARY = Path(__file__).parents[3] / "docs" / "campaign-library"
HEAD = """campaign: care
class: marketing
enter: {on: order.placed}
steps: [send: hello]
messages:
  hello:
"""


def mistakes(tmp_path: Path, messages: str) -> list[tuple[int, str, str]]:
    """Line, place and words of every mistake in a campaign with these messages."""
    file = tmp_path / "care.yaml"
    file.write_text(HEAD + messages, encoding="utf-8")
    with pytest.raises(FileMistakesError) as error:
        check_campaigns(file)
    return [(mistake.line, mistake.where, mistake.what) for mistake in error.value.mistakes]


def test_the_shipped_campaigns_have_no_mistakes() -> None:
    """Three campaigns that LINE would take as they stand."""
    assert [campaign.campaign for campaign in check_campaigns(SHIPPED)] == [
        "cart-abandonment",
        "order-confirmation",
        "welcome",
    ]


def test_the_campaigns_to_copy_from_have_no_mistakes() -> None:
    """Each says in its first line what it is, in the words of Japanese marketers, and LINE would take its messages."""
    campaigns = check_campaigns(LIBRARY, {"sleepers"})
    files = sorted(LIBRARY.glob("*.yaml"))
    assert [campaign.campaign for campaign in campaigns] == [file.stem for file in files]
    assert [
        file.name for file in files if not re.match(r"# [ぁ-んァ-ヶー一-龠]+", file.read_text(encoding="utf-8"))
    ] == []


def test_a_template_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    """The second message object, not the first."""
    found = mistakes(tmp_path, "    - {type: text, text: fine}\n    - {type: text, text: '{{ event.name '}\n")
    assert [(line, where) for line, where, _ in found] == [(8, "messages.hello[1].text")]
    assert "template, line 1" in found[0][2]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("{type: text}", "text"),
        ("{type: telegram, text: a}", "type"),
        ("{type: image, originalContentUrl: 'https://example.com/a.png'}", "previewImageUrl"),
        ("{type: text, text: '" + "あ" * 5001 + "'}", "text"),
    ],
)
def test_what_line_refuses_is_refused_here(tmp_path: Path, message: str, word: str) -> None:
    """By line-bot-sdk's models and LINE's limits, while it is still only a file."""
    [(line, where, what)] = mistakes(tmp_path, f"    - {message}\n")
    assert (line, where) == (7, f"messages.hello[0].{word}")
    assert what.startswith(f"LINE refuses {word}: ")


def test_a_place_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A typing mistake in the path is no traceback."""
    with pytest.raises(ValueError, match="there is no"):
        check_campaigns(tmp_path / "nowhere")


def test_segments_that_a_campaign_names_must_be_there(tmp_path: Path) -> None:
    """By entry, exit and condition, each at its line, with the nearest that there is."""
    file = tmp_path / "care.yaml"
    file.write_text(
        """campaign: care
class: marketing
enter:
  on: segment.entered
  segment: slepers
exit:
  on: segment.left
  segment: sleepers
  when:
    not:
      segment: vips
steps: [send: hello]
messages:
  hello: [{type: text, text: hello}]
""",
        encoding="utf-8",
    )
    with pytest.raises(FileMistakesError) as error:
        check_campaigns(file, {"sleepers", "vip"})
    assert [(mistake.line, mistake.where, mistake.what) for mistake in error.value.mistakes] == [
        (5, "enter.segment", "unknown segment `slepers`; did you mean `sleepers`?"),
        (11, "exit[0].when.not.segment", "unknown segment `vips`; did you mean `vip`?"),
    ]
    assert check_campaigns(file, {"slepers", "sleepers", "vips"})


def test_segments_are_looked_for_in_goals_and_in_every_step(tmp_path: Path) -> None:
    """However deep, all of them at once."""
    file = tmp_path / "care.yaml"
    file.write_text(
        """campaign: care
class: marketing
enter: {on: order.placed}
goal:
  on: segment.entered
  segment: best
steps:
  - send: hello
    if: {segment: slepers}
  - if: {friend: true}
    then:
      - if: {any: [{segment: vips}, {segment: vipp}]}
        then: [send: hello]
messages:
  hello: [{type: text, text: hello}]
""",
        encoding="utf-8",
    )
    with pytest.raises(FileMistakesError) as error:
        check_campaigns(file, {"sleepers", "vip"})
    assert [(mistake.line, mistake.where) for mistake in error.value.mistakes] == [
        (6, "goal[0].segment"),
        (9, "steps[0].if.segment"),
        (12, "steps[1].then[0].if.any[0].segment"),
        (12, "steps[1].then[0].if.any[1].segment"),
    ]
    assert check_campaigns(file, {"best", "slepers", "vips", "vipp"})


def test_the_command_says_what_campaigns_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each, then the verdict."""
    monkeypatch.chdir(SHIPPED.parent)
    result = CliRunner().invoke(app, ["campaigns", "check"], catch_exceptions=False)
    *remarks, verdict = result.output.splitlines()
    assert verdict == "3 campaigns, no mistakes."
    assert [remark.partition(", ")[0] for remark in remarks] == [
        "cart-abandonment: at most 2 messages to each who comes in; each counts towards the month's quota",
        "order-confirmation: at most 1 message to each who comes in; each counts towards the month's quota",
        "welcome: at most 1 message to each who comes in; each counts towards the month's quota",
    ]


def test_the_schema_printed_is_the_one_published() -> None:
    """Byte for byte the file of the documentation."""
    result = CliRunner().invoke(app, ["campaigns", "schema"], catch_exceptions=False)
    assert result.output == (SHIPPED.parent / "docs" / "campaign.schema.json").read_text(encoding="utf-8")


def test_the_diagram_of_a_file_needs_no_database() -> None:
    """What is not published yet can be looked at."""
    file = SHIPPED / "welcome.yaml"
    result = CliRunner().invoke(app, ["campaigns", "diagram", str(file)], catch_exceptions=False)
    assert result.output == mermaid(load_campaign(file))
