"""`todoke campaigns check`: what LINE or a template would refuse is found before it is published, at its line."""

from pathlib import Path

import pytest

from todoke_local.campaign_check import check_campaigns
from todoke_shared.yaml_files import FileMistakesError

SHIPPED = Path(__file__).parents[3] / "campaigns"
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


def test_a_template_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    """The second message object, not the first."""
    found = mistakes(tmp_path, "    - {type: text, text: fine}\n    - {type: text, text: '{{ event.name '}\n")
    assert [(line, where) for line, where, _ in found] == [(8, "messages.hello[1]")]
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
    assert (line, where) == (7, "messages.hello[0]")
    assert what.startswith("LINE refuses")
    assert word in what


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
