"""Which waiting messages leave together: those of one campaign whose requests differ in nothing but the recipient.

Rules (LINE's reference, send multicast message; LINE-API.md: sending):
- Up to 500 recipients a request, within LINE's limit of a body.
- Nobody twice in one group: LINE would deliver once, and the second message would be lost. It goes with another group.
- Only what waits now is looked at: nothing waits for company, and what has none is pushed.
- Every message is in exactly one group, or alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from todoke_dispatcher.domain.multicast import Multicast
from todoke_dispatcher.domain.rendering import MAX_BODY_BYTES, addressed
from todoke_shared.ids import multicast_id, retry_key

LARGEST_GROUP = 500
"""LINE's limit of recipients in a multicast."""
_RECIPIENT_BYTES = 36
"""A user id of 33 characters, its quotes and a comma."""


class Candidate(NamedTuple):
    """A waiting marketing message that was never attempted by itself, rendered. `claims`, `campaign`: see `Delivery`.

    A plain tuple: there may be a million of them.
    """

    message_id: UUID
    to: str
    content: bytes
    expires_at: datetime | None
    claims: int
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Grouped:
    """Groups of at least two, the largest first, and those without company, in the order given."""

    groups: list[list[Candidate]]
    alone: list[Candidate]


def group(candidates: Iterable[Candidate]) -> Grouped:
    """Put together what may leave in one request."""
    by_content: dict[tuple[str | None, bytes], list[Candidate]] = {}
    for candidate in candidates:
        by_content.setdefault((candidate.campaign, candidate.content), []).append(candidate)
    groups: list[list[Candidate]] = []
    alone: list[Candidate] = []
    for (_, content), alike in by_content.items():
        for people in _each_once(alike):
            for part in _parts(people, _capacity(content)):
                if len(part) > 1:
                    groups.append(part)
                else:
                    alone += part
    return Grouped(sorted(groups, key=len, reverse=True), alone)


def form(account: str, members: Sequence[Candidate], *, wall: datetime, month: date) -> Multicast:
    """The multicast of one group, as it is stored: due now, its places in `month` taken."""
    first = members[0]
    own = multicast_id(first.message_id, first.claims + 1)
    return Multicast(
        own,
        account,
        members=tuple(member.message_id for member in members),
        body=addressed([member.to for member in members], first.content),
        retry_key=retry_key(own, 0),
        expires_at=min((member.expires_at for member in members if member.expires_at is not None), default=None),
        next_attempt_at=wall,
        quota_month=month,
        campaign=first.campaign,
    )


def _each_once(alike: list[Candidate]) -> Iterable[list[Candidate]]:
    """Lists in which nobody is twice: a person's first messages, their second ones, and so on."""
    if len({candidate.to for candidate in alike}) == len(alike):
        return [alike]
    rounds: list[list[Candidate]] = []
    seen: dict[str, int] = {}
    for candidate in alike:
        number = seen[candidate.to] = seen.get(candidate.to, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(candidate)
    return rounds


def _capacity(content: bytes) -> int:
    return max(1, min(LARGEST_GROUP, (MAX_BODY_BYTES - len(content) - len('{"to":[],')) // _RECIPIENT_BYTES))


def _parts(people: list[Candidate], size: int) -> Iterator[list[Candidate]]:
    return (people[start : start + size] for start in range(0, len(people), size))
