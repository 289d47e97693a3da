"""The demo's terminal view: the flow as numbers, the campaigns, the latest messages; at the end, who received what."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from todoke_local.flow import Flow
from todoke_local.replay import Progress

LATEST = 8
"""How many of the latest messages the view shows."""
_TOKYO = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True)
class Letter:
    """A message that LINE took for somebody. `at`: the shop's time; None before the day began."""

    user_id: str
    at: datetime | None
    text: str

    @property
    def when(self) -> str:
        """The day and minute in Tokyo."""
        return f"{self.at.astimezone(_TOKYO):%m/%d %H:%M}" if self.at else "the day before"


@dataclass
class Story:
    """What has been seen so far."""

    speed: float
    flow: Flow = field(default_factory=Flow)
    progress: Progress | None = None
    letters: list[Letter] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)
    seen: int = 0

    def watch(self, progress: Progress) -> None:
        """The replay has come this far."""
        self.progress = progress

    def view(self) -> Group:
        """The whole screen."""
        return Group(self.flow_panel(), self.latest_panel())

    def flow_panel(self) -> Panel:
        """The nouns of the flow with their counts, and the campaigns."""
        flow = self.flow
        line = Text.assemble(
            ("events ", "dim"),
            (str(flow.events), "bold"),
            ("  →  triggers ", "dim"),
            (str(flow.triggers.total()), "bold"),
            ("  →  timers fired ", "dim"),
            (str(flow.timers), "bold"),
            ("  →  message requests ", "dim"),
            (str(flow.requests.total()), "bold"),
            ("  →  accepted by LINE ", "dim"),
            (str(flow.messages.total()), "bold green"),
        )
        table = Table("campaign", "triggers", "requests", "accepted", "not sent", box=None, padding=(0, 2))
        for name in flow.campaigns:
            counts = (flow.triggers[name], flow.requests[name], flow.messages[name], flow.not_sent[name])
            table.add_row(name, *map(str, counts))
        clock = f"{self.progress.shop_time.astimezone(_TOKYO):%m/%d %H:%M}" if self.progress else "befriending …"
        return Panel(Group(line, Text(), table), title=f"shop time {clock}, {self.speed:,.0f}x", title_align="left")

    def latest_panel(self) -> Panel:
        """The latest messages."""
        table = Table.grid(padding=(0, 2))
        for letter in self.letters[-LATEST:]:
            first_lines = " ".join(letter.text.split("\n"))
            table.add_row(letter.when, self._name(letter), Text(first_lines, overflow="ellipsis", no_wrap=True))
        return Panel(table, title="LINE", title_align="left", height=LATEST + 2)

    def letters_table(self) -> Table:
        """What each customer received, in order."""
        received: dict[str, list[Letter]] = defaultdict(list)
        for letter in self.letters:
            received[self._name(letter)].append(letter)
        table = Table("customer", "when", "message", title="What each customer received", show_lines=True)
        for name in sorted({*self.names.values(), *received}):
            letters = received[name]
            table.add_row(
                name,
                "\n".join(letter.when + "\n" * letter.text.count("\n") for letter in letters),
                "\n".join(letter.text for letter in letters) or "nothing",
            )
        return table

    def _name(self, letter: Letter) -> str:
        return self.names.get(letter.user_id, letter.user_id)
