"""An owed message -> a request to the dispatcher, or the reason why the person does not get it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from todoke_scheduler.domain import words
from todoke_scheduler.domain.effects import Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.model import Campaign
from todoke_shared.conditions import Condition, holds
from todoke_shared.contracts.requests import OwnRequest, OwnTemplateRef
from todoke_shared.ids import message_id


@dataclass(frozen=True)
class PersonNow:
    """What a message needs to know of the person when it is due. `line_users` by account: friends only."""

    line_users: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def holds(self, condition: Condition) -> bool:
        """Whether a condition holds of the facts."""
        return holds(condition, self.facts.get)

    def date(self, _: str) -> date | datetime | None:
        """Facts have no dates."""
        return None


def request(run: Enrolment, owed: Owed, campaign: Campaign, person: PersonNow) -> OwnRequest | str:
    """The request for an owed message; a sentence instead when there is nobody to send it to."""
    to = person.line_users.get(campaign.account)
    if to is None:
        return words.no_friend(campaign.account)
    return OwnRequest(
        schema_version=1,
        id=message_id(run.id, owed.step),
        shop=run.shop,
        account=campaign.account,
        to=to,
        person=run.person,
        campaign=run.campaign,
        step=owed.message,
        enrolment=run.id,
        due_at=owed.due_at,
        expires_at=owed.due_at + campaign.expires if campaign.expires else None,
        template=OwnTemplateRef(
            campaign=run.campaign, version=run.version, message=owed.message, variables=_variables(run, person)
        ),
    )


def _variables(run: Enrolment, person: PersonNow) -> dict[str, Any]:
    """What templates may use: `event` that started the run, and the `cart` as it is now (as it was, if it is gone)."""
    return {
        "event": run.context.get("event", {}),
        "cart": person.facts.get("cart") or run.context.get("cart", []),
    }
