"""The document says what the doors do: every door, every answer it may give, examples that it takes."""

import json
from collections.abc import AsyncIterator

import pytest
import schemathesis

from tests.support.documented import KEYS, NEEDS_POSTGRESQL, Ingest, Operation, as_sent, open_ingest, operations
from tests.unit.ingest.test_ingest_app import SETTINGS
from todoke_ingest.app import build_app
from todoke_ingest.doors import doors
from todoke_ingest.http import Door
from todoke_ingest.openapi import openapi

OPERATIONS = list(operations())
BY_DOOR = {(each.method, each.path): each for each in OPERATIONS}
DOORS = doors(SETTINGS)
EXAMPLES = [(each, *example) for each in OPERATIONS for example in each.examples if each.path not in NEEDS_POSTGRESQL]


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    """An ingest that keeps nothing."""
    async with open_ingest() as ingest:
        yield ingest


def filled(operation: Operation) -> str:
    """The path with its parameters' examples in it."""
    return operation.path.format(**operation.shown("path"))


def test_every_door_is_in_the_document_and_the_reverse() -> None:
    """Doors and pages, by method and path; the welcome at `/` alone is in neither."""
    pages = {("GET", str(getattr(route, "path", ""))) for route in build_app(SETTINGS, open_ingest).pages.routes}  # type: ignore[arg-type]
    assert set(BY_DOOR) == {(door.method, door.path) for door in DOORS} | (pages - {("GET", "/")})


def test_the_document_is_openapi() -> None:
    """It keeps to the schema of OpenAPI 3.1, and every reference in it leads somewhere."""
    document = openapi()
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
    text = json.dumps(document)
    schemas = document["components"]["schemas"]  # type: ignore[index]
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(schemas)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
def test_every_answer_that_a_door_gives_because_of_what_it_is_is_told(door: Door) -> None:
    """Of its key, of its body, of being closed; and which key it asks for."""
    told = BY_DOOR[door.method, door.path].told
    asks = {"401", "403", "429"} if door.purpose else set()
    reads = {"408", "413"} if door.method == "POST" else set()
    assert set(told["responses"]) >= {"500", "503"} | asks | reads
    assert bool(told.get("security")) == (door.purpose is not None or door.path.startswith("/webhooks/"))


@pytest.mark.parametrize(
    ("operation", "media", "name", "value"), EXAMPLES, ids=[f"{each[0].name} {each[2]}" for each in EXAMPLES]
)
async def test_every_example_of_the_document_is_taken(
    ingest: Ingest, operation: Operation, media: str, name: str, value: object
) -> None:
    """Who copies an example gets the first answer that the document tells, by every way in that it tells."""
    for way in operation.ways:
        headers = {"content-type": media, **operation.shown("header")}
        answer = await ingest.ask(operation.method, filled(operation), body=as_sent(value), headers=headers, way=way)
        assert answer.status_code == int(min(operation.told["responses"])), answer.text
    assert ingest.topics.records or name == "LINE's test"


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if not each.examples], ids=lambda operation: operation.name
)
async def test_every_door_without_a_body_answers_as_it_says(ingest: Ingest, operation: Operation) -> None:
    """With the examples of its parameters, and nobody's key where it asks for none."""
    answer = await ingest.ask(operation.method, filled(operation), way=operation.ways[0])
    assert answer.status_code == int(min(operation.told["responses"]))


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.ways != [None]], ids=lambda operation: operation.name
)
async def test_nobody_comes_in_without_what_the_document_asks_for(ingest: Ingest, operation: Operation) -> None:
    """Without a key or signature it is 401; with another door's key 403."""
    answer = await ingest.ask(operation.method, filled(operation), body=b"{}")
    assert answer.status_code == 401
    other = KEYS["browser" if "browserKey" not in operation.ways else "events"]
    headers = {"authorization": f"Bearer {other}"}
    if "403" in operation.told["responses"]:
        query = [("key", other)]
        answer = await ingest.ask(operation.method, filled(operation), body=b"{}", headers=headers, query=query)
        assert answer.status_code == 403
    assert ingest.topics.records == []
