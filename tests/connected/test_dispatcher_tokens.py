"""Messages of an account without a good channel access token: they wait, none fails, and none goes out twice."""

from datetime import timedelta
from uuid import UUID

from tests.support.deliveries import NOON, message_named, request
from tests.support.dispatching import Bench
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.verdict import Answer
from todoke_dispatcher.ports import NotSentError


class TokenedLine(MemoryLine):
    """LINE, for which a token is at hand or not; `refused` requests meet a token that LINE has ended."""

    ready: bool = True
    refused: int = 0

    def is_ready(self, account: str) -> bool:
        return self.ready

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        if self.refused:
            self.refused -= 1
            raise NotSentError("LINE refuses the channel access token: it is renewed")
        return await super().push(account, retry_key, body)


async def test_without_a_token_messages_wait_untouched(bench: Bench) -> None:
    """No claim, no place in the month, no outcome; with a token they go out."""
    line = TokenedLine()
    line.ready = False
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request("one"), request("two"))
    assert await dispatcher.send_some() == 0
    assert (await bench.states(), await bench.reserved(), await bench.outcomes()) == ({"waiting": 2}, 0, [])
    line.ready = True
    assert await dispatcher.send_some() == 2
    assert len(line.accepted) == 2


async def test_a_request_with_a_token_that_has_ended_goes_out_again_as_it_is(bench: Bench) -> None:
    """LINE has not looked at it: no attempt is counted, nothing is told, and the key is the same."""
    line = TokenedLine()
    line.refused = 1
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request())
    assert await dispatcher.send_some() == 0
    row = await bench.row(message_named("one"))
    assert (row["state"], row["attempts"], row["ambiguous"]) == ("attempting", 0, False)
    assert await dispatcher.send_some() == 1
    assert [taken.retry_key for taken in line.accepted] == [row["retry_key"]]
    assert [each.state for each in await bench.outcomes()] == ["accepted"]
    assert await bench.pool.fetchval("SELECT stopped FROM channels") is None


async def test_what_is_unknown_is_listed_though_there_is_no_token_for_a_day(bench: Bench) -> None:
    """Nothing is claimed, and time passes for LINE's keys all the same."""
    line = TokenedLine()
    line.faults.append("reset_after_accept")
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request("lost"))
    await dispatcher.send_some()
    line.ready = False
    await bench.take(dispatcher, request("fresh"))
    bench.clock.move_to(NOON + timedelta(hours=24))
    await dispatcher.send_some()
    assert await bench.states() == {"unknown": 1, "waiting": 1}
    assert len(line.requests) == 1
