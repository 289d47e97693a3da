"""A campaign's steps as a flat list of instructions with jumps: what the position of a run points into.

| step | its instructions |
|------|------------------|
| `ask` | two: put the question, then wait for the answer |
| `if`, `split` | one that chooses, then those of its ways, one way after the other |
| any other | one |

A position is never given another meaning: a campaign of `wait` and `send` alone has the positions of its steps. The
next instruction always lies further on, so that every run ends; the position after the last one is the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.steps import (
    Ask,
    Coupon,
    Emit,
    If,
    RichMenu,
    Send,
    Set,
    Split,
    Step,
    Stop,
    Tag,
    Wait,
    branches_of,
)

Kind = Literal["wait", "send", "ask", "answer", "if", "split", "coupon", "tag", "set", "rich_menu", "emit", "stop"]

_KINDS: dict[type[object], Kind] = {
    Wait: "wait",
    Send: "send",
    Ask: "ask",
    If: "if",
    Split: "split",
    Coupon: "coupon",
    Tag: "tag",
    Set: "set",
    RichMenu: "rich_menu",
    Emit: "emit",
    Stop: "stop",
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a position stands for: a step, at its `place` in the file (`steps[3].then[0]`), and where to go `next`.

    `ways`: where each way of an `if` ("then", "else") or of a `split` (by name) begins.
    """

    kind: Kind
    step: Step
    place: str
    next: int
    ways: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """A campaign as runs go through it."""

    campaign: Campaign
    instructions: tuple[Instruction, ...]

    @classmethod
    def of(cls, campaign: Campaign) -> "Program":
        """The program of a campaign; the same for the same steps, always."""
        return cls(campaign, tuple(_block(campaign.steps, "steps", 0, _size(campaign.steps))))

    def __len__(self) -> int:
        return len(self.instructions)

    def at(self, position: int) -> Instruction | None:
        """The instruction at a position; None at the end."""
        return self.instructions[position] if position < len(self.instructions) else None


def _size(steps: tuple[Step, ...]) -> int:
    return sum(1 + isinstance(step, Ask) + sum(map(_size, branches_of(step).values())) for step in steps)


def _block(steps: tuple[Step, ...], place: str, first: int, after: int) -> Iterator[Instruction]:
    """Steps that begin at the position `first`; the last of them goes on at `after`."""
    for index, step in enumerate(steps):
        end = first + _size((step,))
        onward = after if index == len(steps) - 1 else end
        yield from _instructions(step, f"{place}[{index}]", first, onward)
        first = end


def _instructions(step: Step, place: str, here: int, onward: int) -> Iterator[Instruction]:
    kind, branches = _KINDS[type(step)], branches_of(step)
    if isinstance(step, Ask):
        yield Instruction(kind, step, place, here + 1)
        yield Instruction("answer", step, place, onward)
        return
    ways: dict[str, int] = {}
    inner: list[Instruction] = []
    for name, steps in branches.items():
        first = here + 1 + len(inner)
        ways[name] = first if steps else onward
        inner += _block(steps, f"{place}.{name}", first, onward)
    yield Instruction(kind, step, place, onward, ways)
    yield from inner
