"""What a run owes -> a request to the dispatcher."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from todoke_scheduler.domain.effects import LinkRichMenu, Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.variables import NO_CATALOGUE, Catalogue, variables
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import LARGEST_CROWD, OwnCrowd, OwnRecipient, OwnRequest, OwnTemplateRef
from todoke_shared.ids import crowd_id, message_id

NO_RICH_MENU = "none"
"""The language's word for it, and the contract's."""


def message_request(  # noqa: PLR0913, PLR0917 - what a message is made of
    run: Enrolment,
    owed: Owed,
    campaign: Campaign,
    person: PersonNow,
    named: frozenset[str],
    now: datetime,
    catalogue: Catalogue = NO_CATALOGUE,
) -> OwnRequest:
    """The request for an owed message, with the variables `named` in it.

    KeyError for somebody who is no friend of the account: the guards do not let it come to that.
    """
    to = person.line_users[campaign.account]
    template = OwnTemplateRef(
        campaign=run.campaign,
        version=run.version,
        message=owed.message,
        variables=variables(run, person, named, now, campaign.tz, catalogue),
        question=owed.question,
    )
    expires_at = owed.due_at + campaign.expires if campaign.expires else None
    return _request(run, campaign, to, owed.step, due_at=owed.due_at, expires_at=expires_at, template=template)


def in_crowds(alike: Iterable[OwnRequest]) -> Iterator[OwnRequest | OwnCrowd]:
    """The same requests, as many as LINE takes at once in each; they differ in person and shop alone."""
    by_shop = defaultdict[str, list[OwnRequest]](list)
    for request in alike:
        by_shop[request.shop].append(request)
    for requests in by_shop.values():
        for start in range(0, len(requests), LARGEST_CROWD):
            yield _together(requests[start : start + LARGEST_CROWD])


def _together(requests: list[OwnRequest]) -> OwnRequest | OwnCrowd:
    one = requests[0]
    if len(requests) == 1 or one.template is None:
        return one
    return OwnCrowd(
        schema_version=1,
        id=crowd_id(one.id),
        shop=one.shop,
        account=one.account,
        recipients=[OwnRecipient(each.id, each.to, each.person, each.enrolment) for each in requests],
        campaign=one.campaign,
        step=one.step,
        due_at=one.due_at,
        expires_at=one.expires_at,
        template=one.template,
    )


def menu_request(
    run: Enrolment, link: LinkRichMenu, campaign: Campaign, person: PersonNow, now: datetime
) -> OwnRequest | None:
    """The request for a rich menu; None when there is nobody to link it to."""
    to = person.line_users.get(campaign.account)
    if to is None:
        return None
    return _request(run, campaign, to, link.step, due_at=now, rich_menu=link.menu or NO_RICH_MENU)


def _request(  # noqa: PLR0913 - the fields in which requests differ
    run: Enrolment,
    campaign: Campaign,
    to: str,
    step: str,
    *,
    due_at: datetime,
    expires_at: datetime | None = None,
    template: OwnTemplateRef | None = None,
    rich_menu: str | None = None,
) -> OwnRequest:
    """`step` is an effect's: its position and its name, and the name is what others are told."""
    return OwnRequest(
        schema_version=1,
        id=message_id(run.id, step),
        shop=run.shop,
        account=campaign.account,
        to=to,
        person=run.person,
        campaign=run.campaign,
        step=step.partition(":")[2],
        enrolment=run.id,
        due_at=due_at,
        expires_at=expires_at,
        template=template,
        rich_menu=rich_menu,
    )
