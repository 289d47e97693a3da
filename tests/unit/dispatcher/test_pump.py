"""The pump between claim and record: what one result is wrong with, the others go on."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from tests.support.deliveries import NOON, delivery
from todoke_dispatcher.claiming import Attempt
from todoke_dispatcher.domain.verdict import Accepted, Verdict
from todoke_dispatcher.pump import Pump
from todoke_dispatcher.replying import AnyAttempt
from todoke_dispatcher.rounds import Claimed
from todoke_dispatcher.sending import Result


class Desk:
    """A dispatcher that sends whatever it has, and whose database takes no result with a reason `bad`."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self.wake = cast("Any", Wake())
        self.recorded: list[Verdict] = []
        self.is_away = False
        self._verdicts = list(verdicts)

    async def claim(self, room: int) -> Claimed:
        """All at once."""
        attempts: list[AnyAttempt] = [Attempt(delivery(), delivery(), NOON) for _ in self._verdicts[:room]]
        return Claimed(attempts)

    async def send(self, attempt: AnyAttempt) -> Result:
        """LINE's next answer."""
        return Result(attempt, self._verdicts.pop(0))

    async def record(self, results: Sequence[Result]) -> None:
        """All or nothing."""
        verdicts = [each.verdict for each in results]
        if self.is_away or any(isinstance(each, Accepted) and each.line_request_id == "bad" for each in verdicts):
            raise ValueError("cannot be stored")
        self.recorded += verdicts


class Wake:
    """An event that nobody waits for."""

    def set(self) -> None:
        """Nothing."""

    def clear(self) -> None:
        """Nothing."""


async def pumped(desk: Desk, rounds: int) -> None:
    """Everything sent, and up to so many rounds of recording, as a loop does them that outlives errors."""
    pump = Pump(cast("Any", desk), 100)
    await pump.claim_once()
    for task in list(pump._sending):
        await task
    for _ in range(rounds):
        if pump._results.empty():
            return
        with suppress(ValueError):
            await pump.record_once()
        desk.is_away = False


async def test_a_result_that_cannot_be_recorded_keeps_no_other_from_it() -> None:
    """It comes again and again, alone in the end; whoever was recorded with it is recorded once."""
    good: list[Verdict] = [Accepted(f"good {number}") for number in range(20)]
    desk = Desk([*good[:7], Accepted("bad"), *good[7:]])
    await pumped(desk, 40)
    assert sorted(str(each) for each in desk.recorded) == sorted(str(each) for each in good)


async def test_after_an_error_of_all_every_result_is_recorded_once() -> None:
    """The database was away for a moment."""
    good: list[Verdict] = [Accepted(f"good {number}") for number in range(20)]
    desk = Desk(good)
    desk.is_away = True
    await pumped(desk, 40)
    assert sorted(str(each) for each in desk.recorded) == sorted(str(each) for each in good)
