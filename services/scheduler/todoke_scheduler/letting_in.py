"""The people of a broadcast's next ids enter: as one set, run by run, or as if triggers had come for them.

| the campaign | how |
|--------------|-----|
| does not let everybody in again (`again`) | as if a trigger had come for each |
| is one message, whose guards need no more than was just read | as one set: the runs are done when they begin |
| any other | run by run, as runs that a trigger has started |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from todoke_scheduler.adapters import broadcasts
from todoke_scheduler.adapters.broadcasts import Asked, Recipient, Tally
from todoke_scheduler.adapters.decisions import Decision, save_decisions
from todoke_scheduler.domain.broadcasts import Broadcast, new_run, plain_message
from todoke_scheduler.domain.effects import Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.guards import Guard, Standing
from todoke_scheduler.domain.owing import in_crowds, message_request
from todoke_scheduler.domain.recipient import Asked as AskedNow
from todoke_scheduler.domain.recipient import Conditions, PersonNow
from todoke_scheduler.domain.variables import OF_STATE, variables_named
from todoke_scheduler.domain.verdicts import Go, Skip, Verdict
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.campaigns.steps import Send
from todoke_shared.contracts.requests import OwnRequest
from todoke_shared.contracts.topics import LANES
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import trigger_id
from todoke_shared.postgres.stream import Connection
from todoke_shared.telemetry import metrics


class Engine(Protocol):
    """What the scheduler does with runs, whoever begins them."""

    @property
    def conditions(self) -> Conditions:
        """Conditions of campaigns, with the segments that they name."""

    def standing(self, published: PublishedCampaign, shop: str) -> Standing:
        """What holds for all runs of a campaign in a shop now."""

    async def begin_runs(self, connection: Connection, runs: Sequence[Enrolment], now: datetime) -> None:
        """Write new runs, do what is due of them, and set their timers."""

    async def enter(self, connection: Connection, triggers: Sequence[Trigger], now: datetime) -> list[Enrolment]:
        """Decide enter triggers of this instant as if they had come by their topic: the runs that they have begun."""


@dataclass(frozen=True, slots=True)
class Entering:
    """Whom a broadcast lets in at `now`, in one transaction."""

    engine: Engine
    connection: Connection
    broadcast: Broadcast
    published: PublishedCampaign
    standing: Standing
    now: datetime

    @property
    def plain(self) -> Send | None:
        """The one message that the campaign is, if that is all it is."""
        always = self.published.campaign.enter.again == "always"
        return plain_message(self.published, self.standing) if always else None

    def asked(self) -> Asked:
        """What is read of the audience."""
        campaign, plain = self.published.campaign, self.plain
        condition = campaign.enter.condition
        compiled = None if condition is None else self.engine.conditions.compiled(condition, campaign.account)
        named = frozenset[str]() if plain is None else variables_named(campaign.messages[plain.send])
        return Asked(campaign.account, compiled, bool(named & OF_STATE))

    async def let_in(self, found: Sequence[Recipient]) -> Tally:
        """Have them enter, each once."""
        people = {one.person: one for one in found}  # two ids of one may lie side by side
        if self.published.campaign.enter.again != "always":
            return await self._enter(people)
        runs = await self._new_runs(people)
        if (plain := self.plain) is not None:
            return await self._send(runs, people, plain)
        await self.engine.begin_runs(self.connection, runs, self.now)
        return _tally(runs)

    async def _enter(self, people: Mapping[UUID, Recipient]) -> Tally:
        name = self.broadcast.campaign
        since = self.broadcast.started_at or self.now
        known = await broadcasts.entered_since(self.connection, name, list(_known_twice(people)), since)
        triggers = [
            Trigger(
                id=trigger_id(self.broadcast.id, name, "enter", one.person),
                kind="enter",
                shop=one.shop,
                campaign=name,
                person=one.person,
                at=self.now,
            )
            for one in people.values()
            if one.person not in known
        ]
        runs = await self.engine.enter(self.connection, triggers, self.now) if triggers else []
        return _tally(runs)

    async def _new_runs(self, people: Mapping[UUID, Recipient]) -> list[Enrolment]:
        """A run for each, but for those who entered under another id of theirs."""
        runs = [new_run(self.broadcast, self.published, one.person, one.shop, self.now) for one in people.values()]
        twice = _known_twice(people)
        known = await broadcasts.entered_already(self.connection, [run.id for run in runs if run.person in twice])
        return [run for run in runs if run.id not in known] if known else runs

    async def _send(self, runs: Sequence[Enrolment], people: Mapping[UUID, Recipient], step: Send) -> Tally:
        campaign = self.published.campaign
        named = variables_named(campaign.messages[step.send])
        requests, left_out = self._decide(runs, people, Owed(step.send, f"0:{step.send}", self.now), named)
        await broadcasts.enrol_at_once(self.connection, runs, steps=1)
        same = campaign.lane == "marketing" and campaign.links_per != "person" and not named & OF_STATE
        await broadcasts.ask(self.connection, LANES[campaign.lane].name, in_crowds(requests) if same else requests)
        await save_decisions(self.connection, left_out)
        metrics.REQUESTS.labels(campaign.campaign, step.send).inc(len(requests))
        tally = _tally(runs)
        return replace(tally, left_out=len(left_out) - tally.holdout)

    def _decide(
        self, runs: Sequence[Enrolment], people: Mapping[UUID, Recipient], owed: Owed, named: frozenset[str]
    ) -> tuple[list[OwnRequest], list[Decision]]:
        """The requests for whom the message goes out to, and why it does not to the others."""
        campaign, now = self.published.campaign, self.now
        verdicts: dict[tuple[bool, bool | None], Verdict] = {}
        requests: list[OwnRequest] = []
        left_out: list[Decision] = []
        for run in runs:
            one = people[run.person]
            person = PersonNow(one.person, {campaign.account: one.user_id}, {}, one.state, one.consents)
            key = (run.holdout, one.consents)  # by nothing else do the guards of these runs tell one from another
            if key not in verdicts:
                verdicts[key] = self._verdict(owed, run, person)
            match verdicts[key]:
                case Go():
                    requests.append(message_request(run, owed, campaign, person, named, now))
                case Skip(why):
                    left_out.append(Decision(run.person, run.campaign, why, now, run.id, "steps[0]"))
                case verdict:
                    raise ValueError(f"a broadcast rests before its message would have to: {verdict}")
        return requests, left_out

    def _verdict(self, owed: Owed, run: Enrolment, person: PersonNow) -> Verdict:
        asked = AskedNow(person, self.engine.conditions, self.published.campaign.account, self.now, None)
        return Guard(self.standing, asked, self.now)(owed, run)


def _tally(runs: Sequence[Enrolment]) -> Tally:
    return Tally(entered=len(runs), holdout=sum(run.holdout for run in runs))


def _known_twice(people: Mapping[UUID, Recipient]) -> set[UUID]:
    """Those who were reached under an id that is no longer theirs: the one that is was reached before."""
    return {one.person for one in people.values() if one.person != one.reached}
