"""What an event makes true of a person, campaign by campaign. An event asks only the campaigns that listen to it.

History asks none: what happened long ago starts no campaign, and ends none (docs/adr/0015). What comes while another
tool speaks for the account (`mode: standby`) starts none, and may end one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import PersonState, published_facts
from todoke_shared.campaigns.model import Campaign, Enter, Per
from todoke_shared.conditions import Condition, Facts, holds
from todoke_shared.conditions.attributes import EVENT_PREFIX
from todoke_shared.contracts.triggers import Cause, Trigger, TriggerKind
from todoke_shared.ids import trigger_id


@dataclass(frozen=True)
class _Rule:
    campaign: Campaign
    kind: TriggerKind
    condition: Condition | None


class TriggerRules:
    """The entries and exits of the campaigns in force, by the event type that can bring them about."""

    def __init__(self, campaigns: Iterable[Campaign]) -> None:
        self._by_type: dict[str, list[_Rule]] = defaultdict(list)
        for campaign in campaigns:
            # Exits first: in one instant the end wins, and an entry of that instant is over before it began.
            for rule in (*campaign.exit, campaign.enter):
                kind: TriggerKind = "enter" if isinstance(rule, Enter) else "exit"
                for event_type in rule.event_types:
                    self._by_type[event_type].append(_Rule(campaign, kind, rule.condition))

    def decide(self, happening: Happening, person: UUID, state: PersonState) -> list[Trigger]:
        """The triggers of one event, given the person's state just after it."""
        if happening.history:
            return []
        triggers = [
            _trigger(rule, happening, person, state)
            for rule in self._by_type.get(happening.type, ())
            if not (happening.standby and rule.kind == "enter")
            and (rule.condition is None or holds(rule.condition, _facts(happening, state, rule.campaign.account)))
        ]
        return list({trigger.id: trigger for trigger in triggers}.values())  # two exits by one event are one exit


_ATTRIBUTES: dict[str, Callable[[PersonState, str], Any]] = {
    "cart.items": lambda state, _: len(state.cart.items()),
    "friend": lambda state, account: state.is_friend(account),
    "orders.ever": lambda state, _: state.last_order_at is not None,
}


def _facts(happening: Happening, state: PersonState, account: str) -> Facts:
    def fact(name: str) -> Any:
        if name.startswith(EVENT_PREFIX):
            return _below(happening.raw, name.removeprefix(EVENT_PREFIX))
        return _ATTRIBUTES[name](state, account)

    return fact


def _below(value: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _trigger(rule: _Rule, happening: Happening, person: UUID, state: PersonState) -> Trigger:
    campaign = rule.campaign
    context = {"event": happening.carried, "cart": published_facts(state)["cart"]} if rule.kind == "enter" else {}
    return Trigger(
        id=trigger_id(happening.key, campaign.campaign, rule.kind, person),
        kind=rule.kind,
        shop=happening.shop,
        campaign=campaign.campaign,
        person=person,
        key=_run_key(rule, happening),
        at=happening.at,
        cause=Cause(type=happening.type, key=happening.key),
        context=context,
    )


def _run_key(rule: _Rule, happening: Happening) -> str:
    """Which run of the campaign is meant. An exit with "" means every run of the person."""
    per: Per = rule.campaign.enter.per
    match per:
        case "person":
            return ""
        case "event":
            return str(happening.key) if rule.kind == "enter" else ""
        case "order" | "cart":
            return str(happening.raw.get(f"{per}_id") or "")
