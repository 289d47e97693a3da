"""Whose a campaign is: it speaks for one LINE account, and so for one shop."""

from collections.abc import Mapping

from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.triggers import Trigger


def concerns(trigger: Trigger, campaign: Campaign | None, shop_of: Mapping[str, str]) -> bool:
    """Whether a trigger came of what happened in the campaign's own shop.

    `shop_of`: by account; of an account that is not in it nobody can tell. A trigger without a cause is another
    system's, which has chosen campaign and person itself.
    """
    if trigger.cause is None or campaign is None:
        return True
    return shop_of.get(campaign.account, trigger.shop) == trigger.shop
