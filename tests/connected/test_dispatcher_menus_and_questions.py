"""Rich menus and questions from the request to LINE: the ledger on PostgreSQL, LINE in memory or simulated."""

import asyncio
import json
from collections import deque
from datetime import timedelta

from tests.support.deliveries import NOON, message_named, request, user_named
from tests.support.dispatching import Bench
from tests.support.line_server import TOKEN, line_server, webhooks
from tests.unit.shared.campaign_files import SMALL
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.quota import month_of
from todoke_line_simulator.webhooks import signature
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.asking import Tapped, tapped
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import MessageRequest, TemplateRef
from todoke_shared.postgres.pool import open_pool

ONE = message_named("one")
SEES = {("main", user_named("one")): "richmenu-1"}


def menu(alias: str = "member", name: str = "one") -> MessageRequest:
    """A request for a rich menu."""
    return request(name, messages=None, rich_menu=alias, campaign="care", step="menu", enrolment=message_named("run"))


async def test_a_menu_is_linked_once_and_told_like_a_message(bench: Bench) -> None:
    """However often its record comes; it takes no place in the month, not even in one that is used up."""
    line = MemoryLine(menus={"member": "richmenu-1"})
    dispatcher = bench.dispatcher(line, monthly_limit=1)
    await bench.take(dispatcher, request("paid"), lane="transactional")
    assert await dispatcher.send_some() == 1
    await channels.park(bench.pool, "main", month_of(NOON), "all")  # type: ignore[arg-type]
    records = await bench.take(dispatcher, menu(), lane="transactional")
    assert await dispatcher.send_some() == 1
    await dispatcher.take_requests("transactional")(records)
    assert await dispatcher.send_some() == 0
    assert line.linked == SEES
    assert len(line.accepted) == await bench.reserved() == 1
    assert (await bench.row(ONE))["quota_month"] is None
    told = (await bench.outcomes())[-1]
    assert (told.message, told.state, told.lane, told.step) == (ONE, "accepted", "transactional", "menu")


async def test_a_lost_answer_is_asked_again_and_nothing_else_happens(bench: Bench) -> None:
    """Linked, not linked, no answer at all: in the end the person sees the menu, and it is told once."""
    line = MemoryLine(menus={"member": "richmenu-1"}, faults=deque(["server_error", "reset", "reset_after_accept"]))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, menu(), lane="transactional")
    for _ in range(3):
        assert await dispatcher.send_some() == 0
        row = await bench.row(ONE)
        assert row["state"] == "attempting"
        bench.clock.move_to(row["next_attempt_at"])
    assert await dispatcher.send_some() == 1
    assert line.linked == SEES
    assert [told.state for told in await bench.outcomes()] == ["accepted"]
    assert (await bench.row(ONE))["attempts"] == 4


async def test_an_unknown_alias_fails_with_a_sentence_and_stops_nothing(bench: Bench) -> None:
    """Messages and other menus around it go on."""
    line = MemoryLine(menus={"member": "richmenu-1"})
    dispatcher = bench.dispatcher(line)
    wanted = [menu("vip"), menu(name="two"), request("three")]
    await bench.take(dispatcher, *wanted, lane="transactional")
    assert await dispatcher.send_some() == 3
    told = {each.message: each for each in await bench.outcomes()}
    assert told[ONE].state == "failed"
    assert "no rich menu of the alias vip" in str(told[ONE].reason)
    assert len(line.linked) == len(line.accepted) == 1


async def test_a_menu_waits_for_a_stopped_channel_and_goes_on_with_it(bench: Bench) -> None:
    """`none` unlinks; somebody who has blocked the account is left alone."""
    line = MemoryLine(linked=dict(SEES))
    dispatcher = bench.dispatcher(line)
    await dispatcher.claim(1)
    async with bench.pool.acquire() as connection:
        await channels.stop(connection, "main", "LINE 401: no such token")
        await bench.take(dispatcher, menu("none"), lane="transactional")
        await dispatcher.send_some()
        assert (await bench.row(ONE))["state"] == "held"
        await channels.resume(connection, "main")
    assert await dispatcher.send_some() == 1
    assert line.linked == {}
    await bench.pool.execute(
        "INSERT INTO segmenter.friend_status VALUES ('main', $1, 'main', gen_random_uuid(), false, now())",
        user_named("two"),
    )
    await bench.take(dispatcher, menu("none", "two"), lane="transactional")
    assert await dispatcher.send_some() == 1
    assert (await bench.row(message_named("two")))["reason"] == "blocked"


async def test_menus_have_a_rate_of_their_own(bench: Bench) -> None:
    """A hundred of them go out at once while messages wait for their slots, one a second."""
    line = MemoryLine(menus={"member": "richmenu-1"})
    dispatcher = bench.dispatcher(line, push_rate=1)
    menus = [menu(name=f"m{index}") for index in range(100)]
    messages = [request(f"t{index}") for index in range(3)]
    await bench.take(dispatcher, *messages, *menus, lane="transactional")
    claimed = await dispatcher.claim(200)
    slots = sorted(
        attempt.slot
        for attempt in claimed.attempts
        if isinstance(attempt.sent, Delivery) and attempt.sent.request.rich_menu
    )
    assert len(slots) == 100
    assert slots[-1] - slots[0] < timedelta(milliseconds=60)
    assert len(claimed.attempts) - len(slots) <= 1


ASKING = Campaign.model_validate(
    {**SMALL, "campaign": "care", "steps": [{"ask": "skin-type", "message": "hello", "answers": ["乾燥肌", "脂性肌"]}]}
)


async def test_a_tap_on_an_answer_comes_back_as_a_signed_postback(bench: Bench) -> None:
    """From the request with its question, over LINE's checks of the message, to the webhook that says which answer.

    Who gets the same message without a question gets no buttons.
    """
    pool = await open_pool(bench.dsn, application="test", schema="scheduler")
    await publish(pool, [ASKING])
    await pool.close()
    to = user_named("one")
    async with (
        webhooks() as (url, told),
        line_server(webhook_url=url) as server,
        open_line(server.url, {"main": TOKEN}, connections=2, timeout_seconds=5) as client,
    ):
        await server.befriend(to, user_named("plain"))
        dispatcher = bench.dispatcher(client)
        asked = TemplateRef(campaign="care", version=1, message="hello", question="skin-type")
        wrong = TemplateRef(campaign="care", version=1, message="hello", question="age")
        plain = TemplateRef(campaign="care", version=1, message="hello")
        wanted = request(template=asked), request("two", to=to, template=wrong), request("plain", template=plain)
        await bench.take(dispatcher, *wanted)
        assert await dispatcher.send_some() == 3
        last = {str(sent["to"]): sent["messages"][-1] for sent in await server.accepted()}  # type: ignore[index]
        assert "quickReply" not in last[str([user_named("plain")])]
        buttons = last[str([to])]["quickReply"]["items"]
        assert [button["action"]["label"] for button in buttons] == ["乾燥肌", "脂性肌"]
        await server.tap(to, buttons[1]["action"]["data"])
        async with asyncio.timeout(5):
            body, signed = await told.get()
    assert signed == signature("simulator-secret-main", body)
    [event] = json.loads(body)["events"]
    assert (event["type"], event["source"]["userId"]) == ("postback", to)
    assert tapped(event["postback"]["data"]) == Tapped("care", "skin-type", "脂性肌")
    assert (await bench.row(message_named("two")))[
        "reason"
    ] == "render: campaign care asks no question age in this version"


async def test_the_ledger_is_published_by_campaign_and_step(bench: Bench) -> None:
    """With the run that owed it, and for a message from before these columns too."""
    dispatcher = bench.dispatcher(MemoryLine(menus={"member": "richmenu-1"}))
    await bench.take(dispatcher, menu(), menu(name="old"), lane="transactional")
    await bench.pool.execute(
        "UPDATE deliveries SET step = NULL, enrolment_id = NULL WHERE message_id = $1", message_named("old")
    )
    rows = await bench.pool.fetch(
        "SELECT message_id, campaign, step, enrolment_id, state, due_at FROM published_deliveries"
    )
    assert {row["message_id"] for row in rows} == {ONE, message_named("old")}
    assert {tuple(row)[1:] for row in rows} == {("care", "menu", message_named("run"), "waiting", NOON)}
