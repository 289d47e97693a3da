"""What guards say of a message that is due: a campaign, a person, an instant."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tests.support.random_campaigns import PERSON, Known, run_of, written
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.effects import Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.guards import Guard, Sent, Standing
from todoke_scheduler.domain.verdicts import Verdict
from todoke_shared.campaigns.limits import QuietHours

TOKYO = ZoneInfo("Asia/Tokyo")
STEPS = [{"send": "hello"}]
NOON = at_local(datetime.fromisoformat("2026-02-03 12:00"), TOKYO)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = QuietHours(start=time(21), end=time(9))
RUNS = [uuid5(PERSON, str(number)) for number in range(2000)]


def local(text: str) -> datetime:
    """An instant by Tokyo's clocks."""
    return at_local(datetime.fromisoformat(text), TOKYO)


def owed(due: datetime) -> Owed:
    """A message due then."""
    return Owed("hello", "0:hello", due)


def run(id_: UUID = PERSON, **others: Any) -> Enrolment:
    """A run with other values."""
    return replace(run_of(), id=id_, **others)


def guard(now: datetime, who: Known | None = None, sent: tuple[Sent, ...] = (), **keys: Any) -> Guard:
    """The guard of a campaign with these keys; `shop_caps` and `paused` are the shop's, which is quiet at night."""
    shop_caps, paused, rate = keys.pop("shop_caps", ()), keys.pop("paused", False), keys.pop("rate", 1.0)
    standing = Standing(written(STEPS, **keys), shop_caps, paused, NIGHT, rate)
    return Guard(standing, who or Known(), now, sent)


def ask(due: datetime, now: datetime | None = None, *, of: Enrolment | None = None, **told: Any) -> Verdict:
    """What guards say of a message due then, now; without `now`, punctually."""
    return guard(now or due, **told)(owed(due), of or run())


def ask_all(ids: list[UUID], due: datetime, now: datetime | None = None, **told: Any) -> list[Verdict]:
    """What guards say of the message of each run."""
    decide = guard(now or due, **told)
    return [decide(owed(due), run(id_)) for id_ in ids]
