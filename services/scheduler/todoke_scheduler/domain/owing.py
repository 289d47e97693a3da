"""An owed message -> a request to the dispatcher, or the reason why the person does not get it."""

from dataclasses import dataclass, field
from typing import Any

from todoke_scheduler.domain.enrolment import Enrolment, OwedMessage
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import MessageRequest, TemplateRef
from todoke_shared.ids import message_id


@dataclass(frozen=True)
class PersonNow:
    """What a message needs to know of the person when it is due. `line_users` by account: friends only."""

    line_users: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def request(run: Enrolment, owed: OwedMessage, campaign: Campaign, person: PersonNow) -> MessageRequest | str:
    """The request for an owed message; a sentence instead when there is nobody to send it to."""
    to = person.line_users.get(campaign.account)
    if to is None:
        return f"not a friend of the account {campaign.account}"
    return MessageRequest(
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
        template=TemplateRef(
            campaign=run.campaign, version=run.version, message=owed.message, variables=_variables(run, person)
        ),
    )


def _variables(run: Enrolment, person: PersonNow) -> dict[str, Any]:
    """What templates may use: `event` that started the run, and the `cart` as it is now (as it was, if it is gone)."""
    return {
        "event": run.context.get("event", {}),
        "cart": person.facts.get("cart") or run.context.get("cart", []),
    }
