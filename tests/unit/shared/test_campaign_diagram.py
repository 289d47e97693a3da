"""A campaign as a Mermaid flowchart: every step and way is drawn, and no text can break the drawing."""

import re
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.shared.campaign_files import WHOLE, campaign_of, read
from todoke_shared.campaigns.diagram import mermaid
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.campaigns.steps import walk

ROOT = Path(__file__).parents[3]
LABEL = r'"(?:[^"#;<>&`%\\\n]|#\d+;|<br>)*"'
"""What may stand in quotes: no character that Mermaid reads, but for entity codes and line breaks."""
NODE = re.compile(rf"(n\d+|over|reached)(?:\(\[{LABEL}\]\)|\({LABEL}\)|\[{LABEL}\]|\{{{LABEL}\}})")
ARROW = re.compile(rf"(n\d+) -->(?:\|{LABEL}\|)? (n\d+|run)")
LEAVING = re.compile(rf"run -\. {LABEL} \.-> (over|reached)")
RUN = re.compile(rf"subgraph run\[{LABEL}\]")


def drawn(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The nodes and arrows of a flowchart; AssertionError at the first line that is none of Mermaid's."""
    first, *lines = text.removesuffix("\n").split("\n")
    assert first == "flowchart TD"
    nodes: list[str] = []
    arrows: list[tuple[str, str]] = []
    for line in map(str.strip, lines):
        if node := NODE.fullmatch(line):
            nodes.append(node[1])
        elif arrow := ARROW.fullmatch(line):
            arrows.append((arrow[1], arrow[2]))
        elif leaving := LEAVING.fullmatch(line):
            arrows.append(("run", leaving[1]))
        else:
            assert RUN.fullmatch(line) or line == "end", line
    assert lines.count("    end") == len([line for line in lines if RUN.fullmatch(line.strip())]) == 1
    return nodes, arrows


def campaigns() -> Iterator[Campaign]:
    """The whole language, the shipped campaigns and those to come."""
    yield Campaign.model_validate(read(WHOLE))
    for folder in (ROOT / "campaigns", ROOT / "docs" / "campaign-library"):
        yield from load_campaigns(folder)


def test_every_step_is_drawn_and_can_be_reached() -> None:
    """A node for each step, and each node but the entry is where an arrow leads."""
    for campaign in campaigns():
        nodes, arrows = drawn(mermaid(campaign))
        steps = len(list(walk(campaign.steps)))
        assert len(set(nodes)) == len(nodes)
        assert len([node for node in nodes if node.startswith("n")]) in (steps + 1, steps + 2), campaign.campaign
        assert ("n0", "run") in arrows
        assert {"n1"} | {end for _, end in arrows} == {*nodes[1:], "run"}
        assert {begin for begin, _ in arrows} <= {*nodes, "run"}


def test_the_ways_of_a_choice_come_together_again() -> None:
    """Yes and no of an `if`, the shares of a `split`, and what ends the run."""
    campaign = campaign_of(
        steps=[
            {"if": {"points": {"at_least": 500}}, "then": [{"send": "hello"}], "else": [{"stop": True}]},
            {"split": {"a": 2, "b": 1}, "a": [{"tag": "x"}], "b": []},
            {"wait": {"until": "friday 12:00"}},
        ],
        exit={"on": "order.placed"},
        goal=[{"on": "review.posted", "ends": False}],
    )
    assert (
        mermaid(campaign)
        == """\
flowchart TD
    n0(["care<br>order.placed<br>again never"])
    n0 --> run
    subgraph run["care"]
        n1{"points: {at_least: 500}"}
        n2["send hello"]
        n1 -->|"yes"| n2
        n3(["stop"])
        n1 -->|"no"| n3
        n4{"split"}
        n2 --> n4
        n5["tag x"]
        n4 -->|"a: 66.7#37;"| n5
        n6("wait until friday 12:00")
        n5 --> n6
        n4 -->|"b: 33.3#37;"| n6
        n7(["done"])
        n6 --> n7
    end
    over(["over"])
    reached(["reached"])
    run -. "exit: order.placed" .-> over
    run -. "goal: review.posted within 30d" .-> reached
"""
    )


def test_japanese_stays_and_what_mermaid_would_read_is_written_in_code() -> None:
    """Quotes, semicolons, comments and directives in a name are letters like others."""
    drawing = mermaid(campaign_of(name='春の"限定"; %%{init: x}%% <b>`#1`\nend'))
    assert 'n0(["春の#34;限定#34;#59; #37;#37;{init: x}#37;#37; #60;b#62;#96;#35;1#96; end<br>' in drawing
    drawn(drawing)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=30))
def test_no_text_breaks_the_drawing(name: str, tag: str) -> None:
    """Anything that an author can type."""
    campaign = campaign_of(name=name, steps=[{"tag": "x"}, {"set": {tag: name}}])
    nodes, arrows = drawn(mermaid(campaign))
    assert (nodes, arrows) == (["n0", "n1", "n2", "n3"], [("n0", "run"), ("n1", "n2"), ("n2", "n3")])
