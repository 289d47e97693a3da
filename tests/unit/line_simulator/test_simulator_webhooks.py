"""Webhooks and reply tokens: what a person's act sends to the shop, and the one free answer to it."""

import pytest
from linebot.v3.webhook import WebhookParser
from ulid import ULID

from tests.unit.line_simulator.line_client import NOON, TEXT, LineClient, reply_token, simulator_settings

NONCE = "n" * 20


async def reply(line: LineClient, token: str) -> int:
    return (await line.line("message/reply", {"replyToken": token, "messages": TEXT})).status_code


async def test_a_follow_is_sent_signed_to_the_accounts_webhook(line: LineClient) -> None:
    """line-bot-sdk's own parser accepts signature and shape; the event has every field of LINE's definition."""
    mai = await line.act("mai", "follow")
    await line.webhooks_settled()
    [(url, body, headers)] = line.receiver.received
    assert url == "http://127.0.0.1:8080/webhooks/line/main"
    [parsed] = WebhookParser("simulator-secret-main").parse(body.decode(), headers["x-line-signature"])
    assert type(parsed).__name__ == "FollowEvent"
    [event] = line.receiver.events
    assert ULID.from_str(str(event["webhookEventId"])).timestamp == NOON
    assert len(reply_token(event)) == 32
    assert event | {"webhookEventId": "", "replyToken": ""} == {
        "type": "follow",
        "webhookEventId": "",
        "deliveryContext": {"isRedelivery": False},
        "timestamp": int(NOON * 1000),
        "source": {"type": "user", "userId": mai},
        "mode": "active",
        "replyToken": "",
        "follow": {"isUnblocked": False},
    }


async def test_every_act_becomes_its_own_event(line: LineClient) -> None:
    """Each is one that line-bot-sdk knows, in the order in which the person acted."""
    await line.act("mai", "follow")
    await line.act("mai", "message", text="営業時間")
    await line.act("mai", "postback", data="answer=1", params={"date": "2026-08-01"})
    await line.act("mai", "link", nonce=NONCE)
    await line.act("mai", "link", nonce=NONCE, result="failed")
    await line.act("mai", "unfollow")
    await line.act("mai", "follow")
    await line.webhooks_settled()
    parsed = [
        WebhookParser("simulator-secret-main").parse(body.decode(), headers["x-line-signature"])[0]
        for _, body, headers in line.receiver.received
    ]
    assert [type(event).__name__ for event in parsed] == [
        "FollowEvent",
        "MessageEvent",
        "PostbackEvent",
        "AccountLinkEvent",
        "AccountLinkEvent",
        "UnfollowEvent",
        "FollowEvent",
    ]
    _, message, postback, linked, not_linked, unfollow, again = line.receiver.events
    assert message["message"]["text"] == "営業時間"  # type: ignore[index]
    assert postback["postback"] == {"data": "answer=1", "params": {"date": "2026-08-01"}}
    assert linked["link"] == {"result": "ok", "nonce": NONCE}
    assert "replyToken" not in not_linked
    assert "replyToken" not in unfollow
    assert again["follow"] == {"isUnblocked": True}


async def test_an_act_may_say_when_it_happened_and_how_often_it_is_told(line: LineClient) -> None:
    """Late, repeated and standby events can be made on purpose; the copies are alike to the byte."""
    await line.act("mai", "follow", timestamp=1, duplicate=3, mode="standby", isUnblocked=True)
    await line.webhooks_settled()
    bodies = [body for _, body, _ in line.receiver.received]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    event = line.receiver.events[0]
    assert (event["timestamp"], event["mode"], event["follow"]) == (1, "standby", {"isUnblocked": True})


async def test_a_webhook_not_answered_with_2xx_is_sent_again_as_redelivery(line: LineClient) -> None:
    """A 500, a refused connection and a timeout are tried again with the same event id until one is answered."""
    line.receiver.answers = [500, ConnectionRefusedError(), TimeoutError(), 200]
    await line.act("mai", "follow")
    await line.webhooks_settled()
    events = line.receiver.events
    assert [event["deliveryContext"] for event in events] == [{"isRedelivery": number > 0} for number in range(4)]
    assert len({event["webhookEventId"] for event in events}) == 1
    assert (await line.stats())["webhooks"] == {
        "queued": 1, "delivered": 1, "redelivered": 3, "givenUp": 0, "pending": 0
    }  # fmt: skip


async def test_a_webhook_is_given_up_after_the_last_try(line: LineClient) -> None:
    """Five tries, then the event is lost and counted as such."""
    line.receiver.answers = [500] * 10
    await line.act("mai", "follow")
    await line.webhooks_settled()
    assert len(line.receiver.received) == 5
    assert (await line.stats())["webhooks"]["givenUp"] == 1  # type: ignore[index]


async def test_without_redelivery_there_is_one_try() -> None:
    """As LINE's console has it by default."""
    line = LineClient(simulator_settings(webhook_redelivery=False))
    async with line.http:
        line.receiver.answers = [500]
        await line.act("mai", "follow")
        await line.webhooks_settled()
        assert len(line.receiver.received) == 1


async def test_the_webhooks_of_one_person_keep_their_order(line: LineClient) -> None:
    """Many people at once, each of them in order, even when the receiver takes the earlier ones more slowly."""
    line.receiver.pauses = [0.02 - number / 3000 for number in range(60)]
    for number in range(20):
        for person in ("mai", "ken", "yui"):
            await line.act(person, "message", text=str(number))
    await line.webhooks_settled()
    told: dict[str, list[str]] = {}
    for event in line.receiver.events:
        told.setdefault(event["source"]["userId"], []).append(event["message"]["text"])  # type: ignore[index]
    assert list(told.values()) == [[str(number) for number in range(20)]] * 3


async def test_a_reply_token_works_once(line: LineClient) -> None:
    """The first reply reaches the person free of charge, the second is refused."""
    mai = await line.act("mai", "message")
    await line.webhooks_settled()
    token = reply_token(line.receiver.events[0])
    assert [await reply(line, token), await reply(line, token)] == [200, 400]
    assert [(record["endpoint"], record["delivered"]) for record in await line.accepted()] == [("reply", [mai])]
    assert (await line.stats())["billed"] == 0


@pytest.mark.parametrize(("seconds", "status"), [(60, 200), (61, 400)])
async def test_a_reply_token_lives_a_minute(line: LineClient, seconds: int, status: int) -> None:
    """At 60 seconds it works, at 61 it does not."""
    await line.act("mai", "message")
    await line.webhooks_settled()
    line.clock.now += seconds
    assert await reply(line, reply_token(line.receiver.events[0])) == status


@pytest.mark.parametrize(("late", "then", "status"), [(1100, 60, 200), (1100, 61, 400), (1190, 11, 400)])
async def test_a_redelivery_starts_the_minute_again_for_20_minutes_at_most(late: int, then: int, status: int) -> None:
    """A token that came by redelivery works for a minute from there, but never 20 minutes after the event."""
    line = LineClient(simulator_settings(webhook_backoff_seconds=0.01))
    async with line.http:
        line.receiver.answers = [500]
        await line.act("mai", "message")
        await line.first_webhook_sent()
        line.clock.now += late
        await line.webhooks_settled()
        line.clock.now += then
        assert await reply(line, reply_token(line.receiver.events[-1])) == status


async def test_a_reply_that_is_refused_for_its_messages_leaves_the_token_good(line: LineClient) -> None:
    """Only an accepted reply spends the token."""
    await line.act("mai", "message")
    await line.webhooks_settled()
    token = reply_token(line.receiver.events[0])
    assert (await line.line("message/reply", {"replyToken": token, "messages": [{"type": "zap"}]})).status_code == 400
    assert await reply(line, token) == 200


async def test_an_unknown_reply_token_is_refused_in_lines_words(line: LineClient) -> None:
    """Another account's token is as unknown as an invented one."""
    await line.act("mai", "message", account="second")
    await line.first_webhook_sent()
    for token in ("invented", reply_token(line.receiver.events[0])):
        answer = await line.line("message/reply", {"replyToken": token, "messages": TEXT})
        assert (answer.status_code, answer.json()) == (400, {"message": "Invalid reply token"})


async def test_a_link_token_is_good_once_for_its_user_and_ten_minutes(line: LineClient) -> None:
    """The account-link flow refuses a token of somebody else, a used one and an old one."""
    mai, ken = await line.befriend("mai", "ken")

    async def issue(user_id: str) -> str:
        return str((await line.line(f"user/{user_id}/linkToken", raw=b"")).json()["linkToken"])

    async def link(user_id: str, token: str) -> int:
        body = {"nonce": NONCE, "linkToken": token}
        return (await line.http.post(f"/sim/users/{user_id}/link", json=body)).status_code

    token = await issue(mai)
    assert [await link(mai, token), await link(mai, token)] == [202, 400]
    assert await link(ken, await issue(mai)) == 400
    old = await issue(mai)
    line.clock.now += 601
    assert await link(mai, old) == 400
    assert (await line.line(f"user/{'U' + '0' * 32}/linkToken", raw=b"")).status_code == 404
