"""What a campaign needs beside itself: a LINE account that there is, and coupons to give."""

from collections.abc import Collection, Iterable, Iterator

from todoke_shared.accounts import Config
from todoke_shared.campaigns.model import Campaign, Coupon, walk
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.yaml_files import Place


def account_mistakes(campaign: Campaign, config: Config) -> Iterator[tuple[Place, str]]:
    """An account that TODOKE_CONFIG does not have: nobody would be its friend, and nothing would ever be sent.

    Without that file nobody can tell, and nothing is said.
    """
    if config.trial or campaign.account in config.accounts:
        return
    whose = "" if "account" in campaign.model_fields_set else " (that of campaigns that name none)"
    known = ", ".join(sorted(config.accounts)) or "none"
    hint = did_you_mean(nearest(campaign.account, config.accounts))
    yield ("account",), f"there is no account `{campaign.account}`{whose} in TODOKE_CONFIG; it has {known}{hint}"


def pools_of(campaigns: Iterable[Campaign]) -> list[str]:
    """The coupon pools that campaigns give from, each once."""
    steps = (step for campaign in campaigns for _, step in walk(campaign.steps))
    return sorted({step.coupon for step in steps if isinstance(step, Coupon)})


def pool_remarks(campaign: Campaign, with_codes: Collection[str]) -> Iterator[str]:
    """A sentence for each pool that has no code to give: whoever comes to the step would get none."""
    for pool in pools_of([campaign]):
        if pool not in with_codes:
            yield f"the coupon pool `{pool}` has no codes; add some: `todoke coupons create {pool} 1000`, or import"
