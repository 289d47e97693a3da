"""`todoke rebuild` as an operator runs it: interrupted, twice at once, and read by whoever looks over a shoulder."""

import asyncio

import pytest

from tests.support.line_webhooks import line_user_id
from tests.support.processes import run_module
from tests.support.rebuilding.installation import Installation, Watched
from todoke_segmenter.rebuilding import Outcome
from todoke_shared.kafka import retained


async def test_an_interrupted_rebuild_goes_on_where_it_was(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was folded is not folded again; with `restart` it is; under other campaigns it cannot go on."""
    monkeypatch.setattr(retained, "CHUNK", 50)
    whole = (await installation.rebuild()).folded
    for restart in (False, True):
        with pytest.raises(asyncio.CancelledError):
            await installation.rebuild(Watched(stop_after=1))
        outcome = await installation.rebuild(restart=restart)
        assert outcome.comparison.is_equal
        assert (outcome.went_on, outcome.folded) == (not restart, whole if restart else whole - 50)
    with pytest.raises(asyncio.CancelledError):
        await installation.rebuild(Watched(stop_after=1))
    await installation.pool.execute("INSERT INTO scheduler.campaign_versions VALUES ('care', 1, '{}')")
    with pytest.raises(ValueError, match=r"campaigns.*--restart"):
        await installation.rebuild()


async def test_only_one_rebuild_at_a_time(installation: Installation) -> None:
    """The second says so, and leaves the first its schema."""
    outcomes = await asyncio.gather(installation.rebuild(), installation.rebuild(), return_exceptions=True)
    assert [outcome.comparison.is_equal for outcome in outcomes if isinstance(outcome, Outcome)] == [True]
    [refused] = [outcome for outcome in outcomes if isinstance(outcome, ValueError)]
    assert "another rebuild is running" in str(refused)


async def test_the_command_says_it_without_a_word_about_anybody(installation: Installation) -> None:
    """Exit 0 when all is equal and 3 when not; part and person's id are told, no name, no LINE user id, no value."""
    code, text = await command(installation)
    assert code == 0, text
    assert "all people are compared" in text
    live = await installation.ids_by_number()
    await installation.pool.execute(
        """
        UPDATE people
           SET state = state::jsonb || '{"profile": {"name": {"at": "2026-01-01T00:00:00Z", "value": "花子"}}}'
         WHERE person_id = $1
        """,
        live[3],
    )
    code, text = await command(installation)
    assert code == 3, text
    assert f"People, profile: 1 differ: {live[3]}" in text
    for private in ("花子", line_user_id("3"), "customer:3", "visitor:3"):
        assert private not in text


async def command(installation: Installation) -> tuple[int | None, str]:
    """The command, as a process: its exit code and what it prints."""
    return await run_module(
        *("todoke_local", "rebuild", "--from-topics"),
        TODOKE_POSTGRES_DSN=installation.dsn,
        TODOKE_KAFKA_BOOTSTRAP_SERVERS=installation.kafka,
    )
