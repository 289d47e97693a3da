"""Which links of a message lead through the redirect, and the content with marks where their tokens belong.

Rules (RELIABILITY: security checklist, click redirect):
- Tracking never decides whether a message goes out: a link that may not lead through the redirect stays as it is.
- A token leads only where the shop answers for: to its `link_hosts`; where it has none, to hosts that the campaign's
  file itself names, to the letter. What a customer's data adds may choose a page there, and never the host.
- LINE's own addresses stay: LINE opens them in place, and a redirect would open a browser first.
- `openExternalBrowser=1` and `openInAppBrowser=0` are read by LINE from the address that is tapped, so they stand in
  the tracked one, too (https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from todoke_dispatcher.domain.links import (
    TOKEN_LENGTH,
    LinkRefusedError,
    check_destination,
    host_of,
    new_token,
    redirect_url,
)
from todoke_dispatcher.domain.rendering import content_of
from todoke_dispatcher.domain.rewriting import rewrite
from todoke_shared.campaigns.links import Per
from todoke_shared.campaigns.model import Campaign
from todoke_shared.jsons import dumps_text

_LINES_OWN = ("line.me", "lin.ee", "line.naver.jp")
_FOR_LINE = ("openExternalBrowser=1", "openInAppBrowser=0")
_NAMED = re.compile(r"https?://([a-z0-9.-]+)", re.IGNORECASE)
_PLACE_DIGITS = 4
_MARK = new_token()[: TOKEN_LENGTH - _PLACE_DIGITS]
"""Of this process alone: nobody can write it into a text of theirs."""


class LeftAloneError(LinkRefusedError):
    """A link that stays as it is by rule, and not because anything is wrong with it."""


def hosts_named(campaign: Campaign) -> frozenset[str]:
    """The hosts that a campaign's messages name themselves, in full."""
    text = dumps_text(dict(campaign.messages))
    return frozenset(host.lower() for host in _NAMED.findall(text))


@dataclass(frozen=True, slots=True)
class Tracking:
    """What links a shop's redirect is for. `base`: ingest as customers reach it; `hosts`: the shop's `link_hosts`."""

    base: str
    hosts: Collection[str] = ()
    trial: bool = False

    def of(self, campaign: Campaign) -> "Tracker":
        """The same for one campaign."""
        return Tracker(self, hosts_named(campaign), campaign.links.but, campaign.links_per)


@dataclass(frozen=True, slots=True)
class Tracker:
    """Decides about the links of one campaign. `named`: hosts that its file names; `but`: what it leaves alone."""

    tracking: Tracking
    named: Collection[str]
    but: Sequence[str]
    per: Per

    def destination(self, link: str) -> str:
        """Where the link leads, as the redirect sends it. LinkRefusedError says why it stays as it is."""
        scheme, _, rest = link.partition("://")
        if scheme.lower() not in ("http", "https"):
            raise LeftAloneError("it is no address of a web page")
        if link.startswith(redirect_url(self.tracking.base, "")) or any(_begins(rest, but) for but in self.but):
            raise LeftAloneError("it is to stay as it is")
        host = host_of(link)
        if host in _LINES_OWN or (host or "").endswith(".line.me"):
            raise LeftAloneError("it is LINE's own, and LINE opens it in place")
        destination = check_destination(link, self.tracking.hosts, trial=self.tracking.trial)
        if not self.tracking.hosts and host not in self.named:
            raise LinkRefusedError("its host comes from data; give the shop's link_hosts in TODOKE_CONFIG")
        return destination


def _begins(address: str, beginning: str) -> bool:
    if "/" in beginning:
        return address.startswith(beginning)
    return address.startswith(beginning) and address[len(beginning) :][:1] in ("", "/", "?", "#")


class Place(NamedTuple):
    """A tracked link of a content: where it comes, from 0, what stands for its token, and where it leads."""

    place: int
    mark: str
    destination: str


class Marked(NamedTuple):
    """All of a request's body but its recipients, with marks in place of tokens; all copies of it are alike.

    `per`: whether each message has tokens of its own (`person`), or all have the same (`message`).
    """

    content: bytes
    links: tuple[Place, ...] = ()
    per: Per = "off"

    def with_tokens(self, tokens: Sequence[str]) -> bytes:
        """The content with these in place of the marks."""
        content = self.content
        for link, token in zip(self.links, tokens, strict=True):
            content = content.replace(link.mark.encode(), token.encode())
        return content


def mark(messages: Sequence[object], tracker: Tracker | None, extra: Mapping[str, object] | None = None) -> Marked:
    """The content of these message objects, its links marked. `tracker` None: nothing is tracked.

    `extra`: further fields of the body.
    """
    content = content_of(messages, extra)
    if tracker is None or tracker.per == "off" or b"://" not in content:
        return Marked(content)
    found: list[Place] = []
    base = tracker.tracking.base

    def tracked(link: str) -> str | None:
        try:
            destination = tracker.destination(link)
        except LinkRefusedError:
            return None
        own = f"{_MARK}{len(found):0{_PLACE_DIGITS}}"
        found.append(Place(len(found), own, destination))
        return redirect_url(base, own) + _for_line(link)

    rewritten = rewrite(messages, tracked)
    if not found:
        return Marked(content)
    content = content_of(rewritten, extra)
    links = tuple(link for link in found if link.mark.encode() in content)  # without those of what has stayed as it was
    return Marked(content, links, tracker.per)


def _for_line(link: str) -> str:
    query = link.partition("#")[0].partition("?")[2].split("&")
    kept = [parameter for parameter in _FOR_LINE if parameter in query]
    return f"?{'&'.join(kept)}" if kept else ""
