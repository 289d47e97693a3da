"""Campaigns, triggers and journeys for tests of the scheduler."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from todoke_scheduler.adapters.decisions import Decision
from todoke_scheduler.adapters.journeys import Journeys
from todoke_scheduler.deciding import decide
from todoke_scheduler.domain.effects import Effect, Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.stepping import advance
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Again, Campaign
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.conditions import Condition
from todoke_shared.contracts.triggers import Trigger, TriggerKind
from todoke_shared.ids import person_id, trigger_id

START = datetime(2026, 2, 3, 9, tzinfo=UTC)
PERSON = person_id("main", "customer:1")

Story = Sequence[int | str]
"""Steps in short: an int is a wait in seconds, a text the message to send."""


def at(seconds: float) -> datetime:
    """So many seconds into the story."""
    return START + timedelta(seconds=seconds)


def campaign(story: Story, again: Again = "never") -> Campaign:
    """A campaign with these steps."""
    steps = [{"wait": f"{step}s"} if isinstance(step, int) else {"send": step} for step in story]
    messages = {step: [{"type": "text", "text": "こんにちは"}] for step in story if isinstance(step, str)}
    return Campaign.model_validate(
        {
            "campaign": "care",
            "class": "marketing",
            "enter": {"on": "cart.changed", "again": again},
            "steps": steps,
            "messages": messages,
        }
    )


def run(ends: float | None = None) -> Enrolment:
    """A run that starts with the story."""
    fresh = Enrolment(
        id=PERSON, campaign="care", version=1, shop="main", person=PERSON, key="", started_at=START, due_at=START
    )
    return fresh if ends is None else fresh.ending(at(ends), "exit")


@dataclass(frozen=True)
class Somebody:
    """A person of whom every condition holds, or none does, and who has these dates."""

    agrees: bool = True
    dates: Mapping[str, date | datetime] = field(default_factory=dict)
    friend: bool = True
    consent: bool | None = None

    def holds(self, _: Condition) -> bool:
        """The same of all conditions."""
        return self.agrees

    def date(self, name: str) -> date | datetime | None:
        """One of the dates."""
        return self.dates.get(name)

    def is_friend(self, _: str) -> bool:
        """The same of all accounts."""
        return self.friend

    def consents(self) -> bool | None:
        """As told."""
        return self.consent


def look(fresh: Enrolment, known: Campaign, now: datetime) -> tuple[Enrolment, list[Owed]]:
    """`advance` through a campaign whose only effects are messages."""
    stands, effects = advance(fresh, Program.of(known), Somebody(), now)
    return stands, [_message(effect) for effect in effects]


def _message(effect: Effect) -> Owed:
    assert isinstance(effect, Owed)
    return effect


def trigger(kind: TriggerKind, seconds: float, key: str = "") -> Trigger:
    """An entry or an exit."""
    id_ = trigger_id(person_id("main", f"{kind}{seconds}{key}"), "care", kind, PERSON)
    return Trigger(id=id_, kind=kind, campaign="care", person=PERSON, key=key, at=at(seconds))


class OneCampaign(CampaignCatalogue):
    """A catalogue that has always known one campaign, and needs no database for it."""

    def __init__(self, published: PublishedCampaign) -> None:
        self._known = {("care", published.version): published}
        self._current = (published,)
        self._in_force = {"care": published}


class OnePerson:
    """A person's way through one campaign: triggers in, messages out."""

    def __init__(self, known: Campaign) -> None:
        self.campaign = known
        self.catalogue = OneCampaign(PublishedCampaign(1, known))
        self.journeys = Journeys(current={}, marks={}, runs={})
        self.sent: list[tuple[UUID, Owed]] = []
        self.decisions: list[Decision] = []

    def take(self, triggers: Iterable[Trigger]) -> None:
        """Decide triggers one after the other, as the handler does. A run that is over is none of the active ones."""
        for one in triggers:
            over = {id_: kept for id_, kept in self.journeys.runs.items() if kept.status != "active"}
            self.journeys.runs = {id_: kept for id_, kept in self.journeys.runs.items() if id_ not in over}
            told = decide(one, self.journeys, self.catalogue, one.at)
            self.decisions += [news for news in told if isinstance(news, Decision)]
            self.journeys.runs = over | self.journeys.runs

    def pass_to(self, seconds: float) -> None:
        """Let timers fire punctually, in the order in which they are due, up to an instant."""
        while due := [r for r in self.runs if r.status == "active" and r.due_at <= at(seconds)]:
            first = min(due, key=lambda r: (r.due_at, r.id))
            moved, owed = look(first, self.campaign, first.due_at)
            self.journeys.runs[first.id] = moved
            self.sent += [(first.id, message) for message in owed]

    @property
    def runs(self) -> list[Enrolment]:
        """Every run so far."""
        return list(self.journeys.runs.values())

    @property
    def told(self) -> list[tuple[str, float]]:
        """What was owed: message and second of the story, in order."""
        return [(message.message, (message.due_at - START).total_seconds()) for _, message in self.sent]
