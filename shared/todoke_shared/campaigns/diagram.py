"""A campaign as a Mermaid flowchart: entry, steps, ways, exits and goals (https://mermaid.js.org/syntax/flowchart.html).

Every text stands in quotes, and what Mermaid would read as its own (quotes, `#`, `%`, angle brackets, backticks, `;`)
is written as an entity code, so that no campaign's words can change the drawing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.steps import Ask, If, Split, Step, Stop, Wait, branches_of
from todoke_shared.campaigns.wording import condition_words, enter_words, rule_words, step_words

_SPECIAL = {character: f"#{ord(character)};" for character in '"#;<>&`%\\'}
_LONGEST = 200
"""Characters of a label: a diagram is for the shape, the file for the rest."""

_Loose = tuple[str, str]
"""An arrow that has no end yet: where it begins, and its label."""


def mermaid(campaign: Campaign) -> str:
    """The flowchart, ready to be put into a block of Markdown or into Mermaid's editor."""
    drawing = _Drawing()
    lines = [campaign.name or campaign.campaign, *enter_words(campaign.enter)]
    lines += [f"holdout {campaign.holdout}%"] if campaign.holdout else []
    enter = drawing.node("([", lines, "])")
    drawing.arrow((enter, ""), "run")
    drawing.open_run(campaign.campaign)
    loose = drawing.steps(campaign.steps, [])
    if loose:
        drawing.join(loose, drawing.node("([", ["done"], "])"))
    drawing.close_run()
    ends = [(f"exit: {rule_words(rule)}", "over") for rule in campaign.exit]
    ends += [(f"goal: {rule_words(goal)}", "over" if goal.ends else "reached") for goal in campaign.goal]
    for name in sorted({end for _, end in ends}):
        drawing.line(f'{name}(["{name}"])')
    for label, end in ends:
        drawing.line(f'run -. "{_text([label])}" .-> {end}')
    return "\n".join(["flowchart TD", *drawing.lines]) + "\n"


@dataclass
class _Drawing:
    lines: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _indent: str = "    "

    def line(self, text: str) -> None:
        self.lines.append(self._indent + text)

    def open_run(self, name: str) -> None:
        self.line(f'subgraph run["{_text([name])}"]')
        self._indent = "        "

    def close_run(self) -> None:
        self._indent = "    "
        self.line("end")

    def node(self, left: str, lines: Iterable[str], right: str) -> str:
        """A new node, and its id."""
        name = f"n{next(self._numbers)}"
        self.line(f'{name}{left}"{_text(lines)}"{right}')
        return name

    def arrow(self, loose: _Loose, end: str) -> None:
        begin, label = loose
        self.line(f'{begin} -->|"{_text([label])}"| {end}' if label else f"{begin} --> {end}")

    def join(self, loose: Iterable[_Loose], end: str) -> None:
        for one in loose:
            self.arrow(one, end)

    def steps(self, steps: Iterable[Step], loose: list[_Loose]) -> list[_Loose]:
        """Steps one after the other, and the arrows that lead out of them."""
        for step in steps:
            node = self.node(*_shape(step))
            self.join(loose, node)
            loose = self._out_of(step, node)
        return loose

    def _out_of(self, step: Step, node: str) -> list[_Loose]:
        match step:
            case Stop():
                return []
            case If() | Split():
                return [
                    out for name, label in _ways(step) for out in self.steps(branches_of(step)[name], [(node, label)])
                ]
            case Ask(within=within):
                return [(node, f"answered, or after {format_duration(within)}")]
        return [(node, "")]


def _ways(step: If | Split) -> list[tuple[str, str]]:
    """The names of a step's ways, and what stands at their arrows."""
    if isinstance(step, If):
        return [("then", "yes"), ("else", "no")]
    total = sum(step.shares.values())
    return [(name, f"{name}: {100 * share / total:.3g}%") for name, share in step.shares.items()]


def _shape(step: Step) -> tuple[str, list[str], str]:
    match step:
        case If():
            return "{", [condition_words(step.when)], "}"
        case Split():
            return "{", [step_words(step)], "}"
        case Wait():
            return "(", [step_words(step)], ")"
        case Stop():
            return "([", [step_words(step)], "])"
    return "[", [step_words(step)], "]"


def _text(lines: Iterable[str]) -> str:
    return "<br>".join(_escaped(line) for line in lines)


def _escaped(line: str) -> str:
    plain = " ".join(line.split())
    short = plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
    return "".join(_SPECIAL.get(character, character) for character in short if character.isprintable())
