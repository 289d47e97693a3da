"""A circuit breaker for one account: while LINE does not answer, one message at a time finds out whether it does again.

Rules (docs/adr/0029; RELIABILITY: fault tests 10 and 11):
- It opens after IN_A_ROW requests without a clear answer, or when too large a SHARE of the latest had none. Any answer
  of LINE's counts as one, a refusal too: the breaker is about LINE being there, not about what it says.
- Open: nothing goes out but a call that changes nothing, every PAUSE. Once that is answered, one message is the
  probe.
- The probe's answer closes it; without one it is open again. What was asked before it opened is history.
- Messages have growing pauses of their own. When LINE is back these are cut short, else they would make it late: when
  the breaker closes, and when the call is answered after silence. Only for those that were asked MOST_HURRIED times at
  most: the pauses after that are of minutes, and keep a message to 12 attempts in ten minutes whatever LINE does.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

IN_A_ROW = 5
"""A chance of a tenth for each, as fault test 9 has it, makes five in a row once in 100,000."""
SHARE = 0.5
_WEIGHT = 0.05
"""Of the newest request in the share: some twenty of them decide."""
PAUSE = timedelta(seconds=1.5)
HEARING_SECONDS = 2.0
"""How long the call may take. With PAUSE and a claim's POLL_SECONDS: back within 5 s of LINE's return."""
MOST_HURRIED = 10


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HEARD = "heard"
    """LINE answers the call that changes nothing; the next message is the probe."""
    PROBING = "probing"
    """One message is on its way."""


class BreakerEvent(StrEnum):
    """What happens to a breaker."""

    TRIP = "trip"
    HEAR = "hear"
    PROBE = "probe"
    MISS = "miss"
    """The probe did not go out: its time slot had passed, or no token was at hand."""
    ANSWER = "answer"
    FAIL = "fail"


TRANSITIONS: dict[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (BreakerState.CLOSED, BreakerEvent.TRIP): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.HEAR): BreakerState.HEARD,
    (BreakerState.HEARD, BreakerEvent.PROBE): BreakerState.PROBING,
    (BreakerState.PROBING, BreakerEvent.MISS): BreakerState.HEARD,
    (BreakerState.PROBING, BreakerEvent.ANSWER): BreakerState.CLOSED,
    (BreakerState.PROBING, BreakerEvent.FAIL): BreakerState.OPEN,
}
"""KeyError for what is not here: a defect of the program."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """`in_a_row` and `share` are of requests without a clear answer. Instants are LINE's time (wall).

    `since`: when it last closed; `hear_at`: when LINE may be called again; `silent`: it has answered no call since the
    breaker opened, or not the last one.
    """

    state: BreakerState = BreakerState.CLOSED
    in_a_row: int = 0
    share: float = 0.0
    since: datetime | None = None
    hear_at: datetime | None = None
    silent: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether messages flow."""
        return self.state is BreakerState.CLOSED

    def room(self, wanted: int) -> int:
        """How many of `wanted` messages may go out now."""
        if self.state is BreakerState.HEARD:
            return min(wanted, 1)
        return wanted if self.is_closed else 0

    def should_call(self, wall: datetime) -> bool:
        """Whether LINE is to be called, to learn whether it answers. Also where the clock has been set back since."""
        rests = self.hear_at is not None and timedelta(0) < self.hear_at - wall <= PAUSE
        return self.state is BreakerState.OPEN and not rests

    def asked(self, at: datetime, wall: datetime, *, answered: bool) -> "Breaker":
        """After a message that went out `at`. Without effect if the breaker has opened since."""
        if not self.is_closed or (self.since is not None and at < self.since):
            return self
        in_a_row = 0 if answered else self.in_a_row + 1
        share = self.share * (1 - _WEIGHT) + _WEIGHT * (not answered)
        if answered or (in_a_row < IN_A_ROW and share <= SHARE):
            return replace(self, in_a_row=in_a_row, share=share)
        return Breaker(TRANSITIONS[self.state, BreakerEvent.TRIP], hear_at=wall, silent=True)

    def called(self, wall: datetime, *, answered: bool) -> "Breaker":
        """After the call that changes nothing."""
        if not answered:
            return replace(self, hear_at=wall + PAUSE, silent=True)
        return replace(self, state=TRANSITIONS[self.state, BreakerEvent.HEAR], silent=False)

    def probe(self) -> "Breaker":
        """A message goes out as the probe."""
        return replace(self, state=TRANSITIONS[self.state, BreakerEvent.PROBE])

    def probed(self, wall: datetime, *, answered: bool | None) -> "Breaker":
        """After the probe; None: it did not go out."""
        if answered is None:
            return replace(self, state=TRANSITIONS[self.state, BreakerEvent.MISS])
        if answered:
            return Breaker(TRANSITIONS[self.state, BreakerEvent.ANSWER], since=wall)
        return replace(self, state=TRANSITIONS[self.state, BreakerEvent.FAIL], hear_at=wall + PAUSE)
