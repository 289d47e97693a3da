"""Reading from LINE, and the simulator's own paths."""

import pytest

from tests.unit.line_simulator.line_client import KEY, TEXT, LineClient, simulator_settings


async def test_a_readable_name_becomes_a_line_user_id_that_stays(line: LineClient) -> None:
    """Scripts say `mai`; LINE says U and 32 hexadecimal digits; an id stays what it is."""
    mai = await line.act("mai", "follow")
    assert mai == await line.act(mai, "message") == await line.act("mai", "message")
    assert mai[0] == "U"
    assert len(mai) == 33


async def test_a_profile_is_for_friends(line: LineClient) -> None:
    """Name and language for a friend; 404 once the person has blocked the account."""
    mai = await line.act("mai", "follow", displayName="舞")
    answer = await line.read(f"profile/{mai}")
    assert answer.json() == {"userId": mai, "displayName": "舞", "language": "ja"}
    await line.act("mai", "unfollow")
    gone = await line.read(f"profile/{mai}")
    assert (gone.status_code, gone.json()) == (404, {"message": "Not found"})


async def test_follower_ids_come_in_pages_that_miss_nobody(line: LineClient) -> None:
    """Pages of 300 unless asked otherwise, 1,000 at most; together every friend once, also while others join."""
    friends = await line.befriend(*(f"person {number}" for number in range(2100)))
    assert len((await line.read("followers/ids")).json()["userIds"]) == 300
    seen: list[str] = []
    path = "followers/ids?limit=1000"
    for _page in range(3):
        page = (await line.read(path)).json()
        seen += page["userIds"]
        await line.befriend("late" + str(_page))
        path = f"followers/ids?limit=1000&start={page.get('next')}"
    assert set(friends) <= set(seen)
    assert len(seen) == len(set(seen))
    assert "next" not in page
    assert (await line.read("followers/ids?limit=1001")).status_code == 400


async def test_bot_info_names_the_destination_of_the_webhooks(line: LineClient) -> None:
    """The user id by which `destination` in a webhook is recognised."""
    info = (await line.read("info")).json()
    assert info["userId"] == simulator_settings().accounts[0].destination
    assert set(info) >= {"basicId", "displayName", "chatMode", "markAsReadMode"}


async def test_many_people_are_befriended_at_once_with_or_without_webhooks(line: LineClient) -> None:
    """Quietly for load tests, told for replays, at a time of one's own."""
    await line.befriend("mai", "ken")
    answer = await line.http.post("/sim/users", json={"users": ["yui", "rin"], "webhook": True, "timestamp": 5})
    await line.webhooks_settled()
    told = {event["source"]["userId"] for event in line.receiver.events}  # type: ignore[index]
    assert told == set(answer.json()["userIds"].values())
    assert {event["timestamp"] for event in line.receiver.events} == {5}
    assert (await line.stats())["friends"] == 4


async def test_messages_are_read_page_by_page_and_by_person(line: LineClient) -> None:
    """`next` leads on; a filter by account or person shows theirs only."""
    mai, ken = await line.befriend("mai", "ken")
    for to in (mai, ken, mai):
        await line.push(to)
    await line.line("message/broadcast", {"messages": TEXT})
    page = (await line.http.get("/sim/messages", params={"limit": 3})).json()
    assert ([record["seq"] for record in page["messages"]], page["next"]) == ([1, 2, 3], 3)
    rest = (await line.http.get("/sim/messages", params={"after": page["next"]})).json()
    assert ([record["seq"] for record in rest["messages"]], rest["next"]) == ([4], 4)
    assert [record["seq"] for record in await line.accepted(to="mai")] == [1, 3, 4]
    assert [record["seq"] for record in await line.accepted(to=ken)] == [2, 4]
    assert await line.accepted(account="second") == []


async def test_only_the_newest_messages_are_kept() -> None:
    """The memory of a long run is bounded; numbers go on."""
    line = LineClient(simulator_settings(keep_messages=2))
    async with line.http:
        [mai] = await line.befriend("mai")
        for _ in range(5):
            await line.push(mai)
        assert [record["seq"] for record in await line.accepted()] == [4, 5]
        assert [record["seq"] for record in await line.accepted(after="4")] == [5]


async def test_statistics_count_what_happened(line: LineClient) -> None:
    """Requests by endpoint and status, acceptances, recipients, conflicts, repetitions, friends, blocks."""
    mai, ken = await line.befriend("mai", "ken")
    await line.act("ken", "unfollow")
    await line.push(mai, key=KEY)
    await line.push(mai, key=KEY)
    await line.push(mai)
    await line.line("message/multicast", {"to": [mai, ken], "messages": TEXT})
    await line.webhooks_settled()
    assert await line.stats() == {
        "requests": {"push": {"200": 2, "409": 1}, "multicast": {"200": 1}},
        "maxRequestsInOneSecond": {"push": 3, "multicast": 1},
        "accepted": 3,
        "billed": 3,
        "conflicts": 1,
        "units": {},
        "duplicates": 1,
        "quota": None,
        "usage": 3,
        "friends": 1,
        "blocked": 1,
        "retryKeys": 1,
        "accessTokens": 0,
        "webhooks": {"queued": 1, "delivered": 1, "redelivered": 0, "givenUp": 0, "pending": 0},
    }


async def test_the_busiest_second_is_a_sliding_one(line: LineClient) -> None:
    """Three requests within 0.8 s are found even when a full second of the clock lies between them."""
    [mai] = await line.befriend("mai")
    for step in (0.0, 0.4, 0.4, 1.0, 0.5):
        line.clock.now += step
        await line.push(mai)
    assert (await line.stats())["maxRequestsInOneSecond"] == {"push": 3}


async def test_the_clock_moves_forward_on_request(line: LineClient) -> None:
    """A day in one call: a retry key of before is forgotten. Backwards is refused."""
    [mai] = await line.befriend("mai")
    await line.push(mai, key=KEY)
    moved = await line.http.post("/sim/clock", json={"advanceSeconds": 86400})
    assert moved.json() == {"now": "2026-08-02T03:00:00+00:00"}
    assert (await line.push(mai, key=KEY)).status_code == 200
    assert (await line.http.post("/sim/clock", json={"advanceSeconds": -1})).status_code == 400


async def test_a_reset_forgets_everything(line: LineClient) -> None:
    """Users, messages, keys, faults, statistics and the moved clock: the next test starts with nothing."""
    [mai] = await line.befriend("mai")
    await line.push(mai, key=KEY)
    await line.faults({"fault": "server_error"})
    await line.http.post("/sim/clock", json={"advanceSeconds": 10})
    before = (await line.http.get("/sim/stats")).json()
    assert before["lastSeq"] == 1
    await line.http.post("/sim/reset")
    after = (await line.http.get("/sim/stats")).json()
    assert (after["lastSeq"], after["now"]) == (0, "2026-08-01T03:00:00+00:00")
    assert after["accounts"]["main"] == after["accounts"]["second"]
    assert await line.accepted() == []
    assert (await line.push(mai)).status_code == 400
    [mai] = await line.befriend("mai")
    assert (await line.push(mai, key=KEY)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/sim/users/mai/dance", {}, "unknown act"),
        ("/sim/users/mai/follow", {"account": "third"}, "no such account: give one of main, second"),
        ("/sim/users/mai/follow", {"txt": "a"}, "txt"),
        ("/sim/users/mai/postback", {}, "data"),
        ("/sim/users/mai/link", {"nonce": "short"}, "nonce"),
        ("/sim/users", {"people": []}, "users"),
        ("/sim/clock", {}, "advanceSeconds"),
    ],
)
async def test_a_wrong_request_to_the_simulator_says_what_to_do(
    line: LineClient, path: str, body: dict[str, object], reason: str
) -> None:
    """Field and reason, never a silent success."""
    answer = await line.http.post(path, json=body)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]


async def test_healthz_answers(line: LineClient) -> None:
    """For compose and Kubernetes."""
    assert (await line.http.get("/healthz")).json() == {"status": "ok"}
