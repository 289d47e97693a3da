"""POST /v1/campaigns/{campaign}/start and /stop: another system's wish, durable, or refused in plain words."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.documented import NOW, Ingest, open_ingest
from todoke_segmenter.domain.shop_records import read_shop_event

START, STOP = "/v1/campaigns/welcome/start", "/v1/campaigns/welcome/stop"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    """An ingest that keeps nothing, and so cannot tell which campaigns are in force."""
    async with open_ingest() as ingest:
        yield ingest


async def call(ingest: Ingest, path: str, body: Any, **headers: str) -> Any:
    """With the backend's key."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ingest.ask("POST", path, body=content, headers={**JSON, **headers}, way="bearerKey")


async def test_a_start_becomes_an_event_of_the_persons(ingest: Ingest) -> None:
    """With all that was said, under the person's key, as the vocabulary has it; 202 names the id."""
    told = {"subject": "customer:42", "id": "c-1", "key": "A-1", "context": {"reason": "相談"}}
    answer = await call(ingest, START, told | {"at": "2026-12-30T10:00:00+09:00"})
    assert (answer.status_code, answer.json()) == (202, {"accepted": ["c-1"], "refused": []})
    [record] = ingest.topics.records
    assert record.key == b"customer:42"
    [value] = ingest.topics.values()
    assert value == {
        "specversion": "1.0",
        "id": "c-1",
        "source": "/v1/campaigns/welcome/start",
        "type": "campaign.start_requested",
        "time": "2026-12-30T10:00:00+09:00",
        "subject": "customer:42",
        "datacontenttype": "application/json",
        "shop": "main",
        "data": {"campaign": "welcome", "key": "A-1", "context": {"reason": "相談"}},
    }
    headers = [(name, text.encode()) for name, text in (record.headers or {}).items()]
    assert read_shop_event(record.value, headers, NOW).type == "campaign.start_requested"


async def test_the_same_id_is_one_call_and_a_stop_is_another(ingest: Ingest) -> None:
    """Inboxes know an event by shop, source and id: start and stop, and each campaign, have ids of their own."""
    body = {"subject": "customer:42", "id": "c-1"}
    for path in (START, START, STOP, "/v1/campaigns/spring/start"):
        assert (await call(ingest, path, body)).status_code == 202
    keys = [read_shop_event(record.value, (), NOW).key for record in ingest.topics.records]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


async def test_without_an_id_every_call_is_new_and_happens_now(ingest: Ingest) -> None:
    """The answer says which id it was given."""
    answers = [await call(ingest, STOP, {"subject": "line:main:U" + "0" * 32}) for _ in range(2)]
    values = ingest.topics.values()
    assert [answer.json()["accepted"] for answer in answers] == [[value["id"]] for value in values]
    assert len({value["id"] for value in values}) == 2
    assert [value["time"] for value in values] == [NOW.isoformat()] * 2
    assert values[0]["data"] == {"campaign": "welcome"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "subject"),
        ({"subject": "taro@example.jp"}, "subject"),
        ({"subject": "line:other:U" + "0" * 32}, "subject"),
        ({"subject": "customer:42", "person": "x"}, "person"),
        ({"subject": "customer:42", "id": ""}, "id"),
        ({"subject": "customer:42", "key": "x" * 256}, "key"),
        ({"subject": "customer:42", "key": 5}, "key"),
        ({"subject": "customer:42", "context": []}, "context"),
        ({"subject": "customer:42", "context": {"text": "茶" * 5500}}, "context"),
        ({"subject": "customer:42", "context": {"text": ["a\x00"]}}, "context.text[0]"),
        ({"subject": "customer:42", "at": "tomorrow"}, "at"),
        ({"subject": "customer:42", "at": "2026-12-30T10:00:00"}, "at"),
        ({"subject": "customer:42", "at": "2027-12-30T10:00:00Z"}, "at"),
        ([], "(the whole body)"),
        (b'{"subject": "customer:42", "context": {"weight": NaN}}', "context.weight"),
        (b"{", "(the whole body)"),
    ],
)
async def test_a_call_is_refused_by_the_name_of_its_own_field(ingest: Ingest, body: Any, field: str) -> None:
    """Not the event's that it would have become; and nothing is taken."""
    answer = await call(ingest, START, body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert error["reason"]
    assert ingest.topics.records == []


@pytest.mark.parametrize("name", ["Welcome", "w%20e", "-x", "x" * 64, "%E8%8C%B6", "a.b"])
async def test_what_no_campaign_can_be_called_is_not_found(ingest: Ingest, name: str) -> None:
    """In plain words, and the log and the answer repeat nothing."""
    answer = await call(ingest, f"/v1/campaigns/{name}/start", {"subject": "customer:42"})
    assert answer.status_code == 404
    assert "todoke campaigns list" in answer.json()["detail"]


async def test_other_paths_and_methods_are_no_doors(ingest: Ingest) -> None:
    """A parameter is one part of a path, and never empty."""
    for path in ("/v1/campaigns/start", "/v1/campaigns//start", "/v1/campaigns/a/b/start", "/v1/campaigns/a/pause"):
        assert (await call(ingest, path, {"subject": "customer:42"})).status_code == 404
    assert (await ingest.ask("POST", "/v1/campaigns//start")).status_code == 404  # and not 401
    answer = await ingest.ask("GET", START)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_json_is_asked_for(ingest: Ingest) -> None:
    """Another form of body would be taken for something else."""
    for media in ("text/plain", "application/cloudevents+json"):
        answer = await call(ingest, START, {"subject": "customer:42"}, **{"content-type": media})
        assert answer.status_code == 415


async def test_what_is_not_durable_is_not_taken(ingest: Ingest) -> None:
    """503, to be sent again with an id."""
    ingest.topics.away = True
    answer = await call(ingest, START, {"subject": "customer:42"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "with an id" in answer.json()["detail"]
