"""What `todoke campaigns check` says of links: whose clicks are counted, what that costs, which stay as they are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from todoke_dispatcher.domain.linking import LeftAloneError, Tracker, Tracking
from todoke_dispatcher.domain.links import LinkRefusedError, host_of
from todoke_dispatcher.domain.rewriting import addresses, links_in
from todoke_shared.accounts import Config
from todoke_shared.campaigns.model import Campaign
from todoke_shared.shops import Shop

UNSET = "https://todoke.invalid"
"""Stands for TODOKE_PUBLIC_URL where nobody has set it."""
_DATA = "from-data.invalid"
_FILLED_IN = (
    (re.compile(r"^\s*\{\{[^{}]*\}\}\s*$"), f"https://{_DATA}/"),
    (re.compile(r"://\{\{.*?\}\}", re.DOTALL), f"://{_DATA}"),
    (re.compile(r"(://[A-Za-z0-9.-]+)\{\{.*?\}\}", re.DOTALL), r"\1/0"),
    (re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL), "0"),
)
"""What a template's expressions come to where only the address around them matters."""


def link_remarks(campaign: Campaign, config: Config, public_url: str | None) -> Iterator[str]:
    """A sentence each. Nothing where there are no links, or they are not to be counted."""
    found = [(place, link) for place, message in _messages(campaign) for link in links_in([message])]
    unclear = list(_unclear(campaign))
    if campaign.links_per == "off" or not (found or unclear):
        return
    if public_url is None:
        if campaign.links.per is not None:
            yield (
                f"`links: {campaign.links.per}` needs TODOKE_PUBLIC_URL, which is not set here: where the dispatcher "
                "has none, links stay as they are written, and no click is counted"
            )
            yield from _price(campaign)
        return
    yield from _price(campaign)
    account = config.accounts.get(campaign.account)
    hosts = config.shops.get(account.shop if account else "main", Shop()).link_hosts
    tracker = Tracking(public_url, hosts, trial=config.trial).of(campaign)
    for place, link in dict.fromkeys(found):
        if (reason := _why_not(link, tracker)) is not None:
            yield f"{place}: {_shown(link)} stays as it is, and its clicks are not counted: {reason}"
    yield from unclear


def _price(campaign: Campaign) -> Iterator[str]:
    if campaign.links_per == "message":
        yield (
            "`links: message`: clicks are counted for each step, and nobody knows whose they are: no segment, no "
            "trigger and no lift by clicks"
        )
    elif campaign.enter.kind == "schedule":
        yield (
            "`links: person`: every copy is another, so 100,000 people are 100,000 pushes (50s at LINE's 2,000 a "
            "second; a million: 8m 20s) instead of 200 multicasts (1s); `links: message` keeps the multicasts, and "
            "does not know who clicked"
        )


def _why_not(link: str, tracker: Tracker) -> str | None:
    if host_of(link) == _DATA:
        return None if tracker.tracking.hosts else "its host comes from data; give the shop's link_hosts"
    try:
        tracker.destination(link)
    except LeftAloneError:
        return None
    except LinkRefusedError as error:
        return str(error)
    return None


def _unclear(campaign: Campaign) -> Iterator[str]:
    for place, message in _messages(campaign):
        if message.get("type") in ("text", "textV2"):
            for found in addresses(str(message.get("text", ""))):
                if not found.clear:
                    yield f"{place}: put a blank or a new line behind {found.url}: it is unclear where it ends"


def _messages(campaign: Campaign) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, objects in campaign.messages.items():
        for index, one in enumerate(objects):
            yield f"messages.{name}[{index}]", _without_templates(one)


def _without_templates(part: Any) -> Any:
    match part:
        case str():
            for expression, told in _FILLED_IN:
                part = expression.sub(told, part)
            return part
        case Mapping():
            return {key: _without_templates(value) for key, value in part.items()}
        case list() | tuple():
            return [_without_templates(value) for value in part]
        case _:
            return part


def _shown(link: str) -> str:
    return "a link" if host_of(link) == _DATA else link
