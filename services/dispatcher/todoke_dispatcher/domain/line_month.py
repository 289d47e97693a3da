"""What LINE says of the month, and when it is asked (LINE-API.md: quota; docs/quota.md)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from todoke_dispatcher.domain.quota import TOKYO
from todoke_dispatcher.domain.verdict import Answer
from todoke_shared.jsons import loads

ASK_EVERY = timedelta(hours=1)
"""Spread over a tenth on either side, so that accounts and installations do not ask in step."""
ASK_AGAIN = timedelta(minutes=5)
"""After no answer, and for how long a dispatcher that asks is left to it."""
MONTH_TURNS = timedelta(hours=1)
"""At the month's beginning LINE is not asked: its old count, taken for the new month's, would stop the account."""
LATE_TURN_PAUSE = timedelta(minutes=1)
"""How long an account rests of which LINE says in that hour that its month is used up. It may mean the month before."""


@dataclass(frozen=True, slots=True)
class LineMonth:
    """LINE's limit of the month (None: it has none), and how many messages it counts so far, approximately."""

    limit: int | None
    used: int


def read_line_month(quota: Answer, consumption: Answer) -> LineMonth:
    """The two answers. ValueError when either is not LINE's word."""
    return LineMonth(_limit(_object(quota)), _count(_object(consumption), "totalUsage"))


def may_ask(wall: datetime) -> bool:
    """Whether LINE's count at this instant is this month's for certain."""
    local = wall.astimezone(TOKYO)
    return local - local.replace(day=1, hour=0, minute=0, second=0, microsecond=0) >= MONTH_TURNS


def ask_next(wall: datetime, jitter: float) -> datetime:
    """When to ask after an answer; `jitter` in [0, 1)."""
    return wall + ASK_EVERY * (0.9 + 0.2 * jitter)


def _limit(quota: dict[str, object]) -> int | None:
    match quota.get("type"):
        case "none":
            return None
        case "limited":
            return _count(quota, "value")
    raise ValueError("the quota's answer has no type that is known")


def _count(answer: dict[str, object], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"the answer has no number {name}")
    return value


def _object(answer: Answer) -> dict[str, object]:
    if answer.status != 200:
        raise ValueError(f"LINE {answer.status}")
    value = loads(answer.body)
    if not isinstance(value, dict):
        raise ValueError("LINE 200 without LINE's own answer")
    return value
