"""A click on a tracked link -> the record that tells of it.

A message's link names one person, so that a second look within the same minute is the same click. A link that all
copies of a message share, or one of no message (a poster, a newsletter), is followed by many, and each time counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import cast
from uuid import UUID

from crawleruseragents import is_crawler
from pydantic import BaseModel, ConfigDict

from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import Lane
from todoke_shared.ids import click_id

LINK_CLICKED = "custom.link.clicked"

_LONGEST_AGENT = 512
"""Of a User-Agent; what names a robot stands before that."""
_PREFETCH_HEADERS = ("purpose", "sec-purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS = ("prefetch", "prerender", "preview")


@dataclass(frozen=True, slots=True)
class MessageOfLink:
    """The message that a link stands in. `message` None: it stands in all copies of it, and nobody knows in which."""

    message: UUID | None
    account: str
    lane: Lane
    person: UUID | None
    enrolment: UUID | None


@dataclass(frozen=True, slots=True)
class Link:
    """Where a token leads. `message` is None for a link that anybody follows. `expires_at` is the shop's time."""

    token: str
    destination: str
    shop: str
    campaign: str | None
    step: str | None
    message: MessageOfLink | None
    expires_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Whether it still leads anywhere."""
        return self.expires_at is None or now < self.expires_at


class LinkClicked(BaseModel):
    """The data of custom.link.clicked."""

    model_config = ConfigDict(frozen=True)

    link: str
    url: str
    campaign: str | None = None
    step: str | None = None


def is_a_persons(method: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody is looking: no HEAD, no browser that fetches ahead, no preview of a messenger, no robot.

    Robots are told by https://github.com/monperrus/crawler-user-agents, LINE's own `line-poker` among them. Browsers
    say that they fetch ahead in Sec-Purpose (https://fetch.spec.whatwg.org/#sec-purpose-header) or its elder kin.
    """
    if method != "GET":
        return False
    ahead = " ".join(headers.get(name, "") for name in _PREFETCH_HEADERS).lower()
    agent = headers.get("user-agent", "")[:_LONGEST_AGENT]
    return bool(agent) and not any(word in ahead for word in _PREFETCH_WORDS) and not _is_robot(agent)


@lru_cache(maxsize=4096)  # people share browsers; a look at all the patterns takes 0.2 ms
def _is_robot(agent: str) -> bool:
    return bool(is_crawler(agent))


def outcome_of(link: Link, message: MessageOfLink, now: datetime, click: UUID) -> Outcome:
    """A click on a message's link, at the shop's time `now`. `click`: its identity where many share the link."""
    return Outcome(
        id=click if message.message is None else click_id(link.token, now),
        message=message.message,
        state="clicked",
        shop=link.shop,
        account=message.account,
        lane=message.lane,
        person=message.person,
        campaign=link.campaign,
        step=link.step,
        enrolment=message.enrolment,
        at=now,
        url=link.destination,
    )


def event_of(link: Link, click: UUID, now: datetime) -> EcEvent:
    """A click on a link of no message. Its subject stands for the link: nobody knows who followed it."""
    data = LinkClicked(link=link.token, url=link.destination, campaign=link.campaign, step=link.step)
    return EcEvent(
        specversion="1.0",
        id=str(click),
        source="todoke:redirect",
        type=LINK_CLICKED,
        time=now,
        subject=subject_of(link.token),
        shop=link.shop,
        data=cast(dict[str, object], data.model_dump(exclude_none=True)),
    )


def subject_of(token: str) -> str:
    """The subject of the clicks on a link of no message."""
    return f"visitor:link:{token}"
