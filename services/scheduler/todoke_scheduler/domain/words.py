"""What the decision log and `todoke explain` say to people: every sentence of the scheduler, here alone.

Instants are told in the campaign's own zone.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.model import Cap

OVER_BEFORE_IT_BEGAN = "over before it began: an exit at or after this entry is known"
ENTERED_BEFORE = "entered before, and the campaign says never again"
SAME_ENTRY = "the same entry again"
CALLED_IN_VAIN = "called for, and did not enter: the campaign's `when` did not hold"
OF_ANOTHER_SHOP = "called for, and did not enter: the campaign's account is another shop's"
IN_HOLDOUT = "in the holdout group, which gets nothing and is compared"
CONDITION_DOES_NOT_HOLD = "not sent: its condition does not hold"
NO_ANSWER = "not answered in time: goes on without an answer"
REFUSED_CONSENT = "the person does not want marketing"
NO_CONSENT = "the person has not agreed to marketing, and this campaign asks for it"
STOPPED = "the run stops here"
NO_COUPON = "not sent: no coupon was left"
NOBODY_TO_TELL_OF = "not told: no name of the person is known"
GOAL_REACHED = "a goal was reached, and is counted"
UNREADABLE_VERSION = "the version in force needs a newer release of Todoke"


def instant(at: datetime, zone: ZoneInfo) -> str:
    """`2026-02-03 18:00`, with seconds only where there are any."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def entered_within(after: timedelta, last: datetime, zone: ZoneInfo) -> str:
    """Why an entry so soon after another is refused."""
    return f"entered at {instant(last, zone)}, and the campaign lets nobody in again within {format_duration(after)}"


def entered_since(last: datetime, zone: ZoneInfo) -> str:
    """Why an entry is refused that is heard of after a later one."""
    return f"heard of too late: an entry at {instant(last, zone)} is known, and this one came before it"


def not_started(starts: datetime, zone: ZoneInfo) -> str:
    """Why an entry before the campaign is refused."""
    return f"the campaign starts at {instant(starts, zone)}"


def already_over(ends: datetime, zone: ZoneInfo) -> str:
    """Why an entry after the campaign is refused."""
    return f"the campaign ended at {instant(ends, zone)}"


def no_friend(account: str) -> str:
    """Why there is nobody to send to."""
    return f"not a friend of the account {account}"


def run_over(reason: str | None) -> str:
    """Why a run does nothing more."""
    return f"the run is over: {ENDS[reason]}"


ENDS: dict[str | None, str] = {
    None: "its steps are done",
    "exit": "what ends the campaign happened",
    "goal": "its goal was reached",
    "restarted": "a newer run took its place",
    "over": "the campaign has ended",
}
"""By end reason."""


def too_late(lateness: timedelta, after: timedelta) -> str:
    """Why a late step is left out."""
    return f"left out: {roughly(lateness)} late, and the campaign does nothing more than {format_duration(after)} late"


def spread_out(lateness: timedelta, until: datetime, zone: ZoneInfo) -> str:
    """Why a late step waits a little more."""
    return f"{roughly(lateness)} late: held until {instant(until, zone)}, so that what is late does not go out at once"


def quiet(until: datetime, zone: ZoneInfo) -> str:
    """Why a step waits for the morning."""
    return f"quiet hours: held until {instant(until, zone)}"


def expired(until: datetime, zone: ZoneInfo) -> str:
    """Why a step that would have to wait is left out."""
    return f"left out: it could go out at {instant(until, zone)}, and would be of no use any more"


def capped(cap: Cap, whose: str) -> str:
    """Why one more message would be too many."""
    messages = "message" if cap.messages == 1 else "messages"
    return f"{whose} sends one person at most {cap.messages} {messages} within {format_duration(cap.within)}"


def took_way(name: str) -> str:
    """Which way an `if` goes."""
    return f"goes on with `{name}`"


def took_arm(split: str, arm: str) -> str:
    """Which way of a split a person goes."""
    return f"split {split}: takes {arm}"


def coupon_given(pool: str) -> str:
    """What a `coupon` step did; the code itself is the person's."""
    return f"gave a code of the pool {pool}"


def pool_empty(pool: str) -> str:
    """Why a `coupon` step gave nothing."""
    return f"no code is left in the pool {pool}: add some with `todoke coupons create` or `todoke coupons import`"


def answer_came(question: str, answer: str) -> str:
    """What the person said."""
    return f"answered {question}: {answer}"


def moved_on(version: int) -> str:
    """That a run under way follows another version."""
    return f"goes on with version {version}"


def date_unknown(name: str) -> str:
    """Why a wait for a date is none."""
    return f"waits for nothing: no date is known under `{name}`"


def date_past(name: str) -> str:
    """Why a wait for a date is over at once."""
    return f"waits for nothing: the day that `{name}` names is past"


def came_in(version: int) -> str:
    """How a story begins."""
    return f"came in, and follows version {version}"


def next_step(step: str, due: str) -> str:
    """Where a run stands that is not due yet."""
    return f"next: {step}, at {due}"


def overdue(step: str, due: str) -> str:
    """Where a run stands that is due and was not carried out."""
    return f"next: {step}, due since {due}: the campaign is paused, or the scheduler is behind"


def waits_for_answer(question: str, until: str) -> str:
    """Where a run stands that has asked."""
    return f"waits for the answer to {question}, until {until}"


def ends_at_latest(reason: str | None, ends: str) -> str:
    """What is known of the end of a run under way."""
    return f"does nothing more from {ends} on: {ENDS[reason]}"


def ended(reason: str | None) -> str:
    """How a run ended early."""
    return f"ended: {ENDS[reason]}"


WENT_THROUGH = "went through to the end of its steps"
NEXT_IS_THE_END = "the end of its steps"
NEVER_ENTERED = "never came in, and was never refused: nothing that enters the campaign is known of this person"

DELIVERIES: dict[str, str] = {
    "waiting": "asked for, and about to be sent",
    "attempting": "being sent",
    "accepted": "accepted by LINE",
    "failed": "refused by LINE",
    "unknown": "perhaps accepted by LINE: an operator decides",
    "held": "waits until the account may send again",
    "dropped": "not sent",
}
"""By the state of a delivery."""


def roughly(duration: timedelta) -> str:
    """A length of time to its largest unit: `3h`, `2d`."""
    seconds = int(duration.total_seconds())
    unit, size = next((one for one in _UNITS if seconds >= one[1]), _UNITS[-1])
    return f"{seconds // size}{unit}"


_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
