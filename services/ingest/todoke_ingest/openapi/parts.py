"""What the description of a door is made of.

The answers that a door gives because of what it is (it has a key, it reads a body, it may be closed) are added here, so
that no family forgets one; the test of the examples holds them against the table of doors.
"""

from collections.abc import Callable, Mapping

Json = dict[str, object]
Told = Callable[[str], Json]
"""How a family writes a problem: a description -> an answer."""

JSON = "application/json"
PROBLEM = "application/problem+json"


def ref(name: str) -> Json:
    """A schema of the document's."""
    return {"$ref": f"#/components/schemas/{name}"}


def parameter(name: str, place: str, description: str, example: object = None, **more: object) -> Json:
    """A parameter, text unless `schema` says otherwise. In a path it is required; elsewhere `required` says so."""
    told: Json = {"name": name, "in": place, "required": place == "path", "description": description}
    shown: Json = {} if example is None else {"example": example}
    return {**told, "schema": {"type": "string"}, **shown, **more}


def body(*contents: tuple[str, Json, Mapping[str, object]]) -> Json:
    """A body that is needed: media type, schema, and examples by name."""
    return {
        "required": True,
        "content": {
            media: {"schema": schema, "examples": {name: {"value": value} for name, value in examples.items()}}
            for media, schema, examples in contents
        },
    }


def said(description: str, headers: Mapping[str, str] | None = None) -> Json:
    """An answer by its status alone, with the headers that it always has."""
    return {"description": description, **_headers(headers or {})}


def answer(description: str, media: str, schema: Json, headers: Mapping[str, str] | None = None) -> Json:
    """An answer with a body."""
    return {**said(description, headers), "content": {media: {"schema": schema}}}


def problem(description: str) -> Json:
    """A 4xx or 5xx as most doors write it."""
    return answer(description, PROBLEM, ref("Problem"))


def answers(
    own: Mapping[str, Json], *, key: bool = False, limit: str = "", away: str, told: Told = problem
) -> dict[str, Json]:
    """All answers of a door, by status: its `own`, and those it gives because of what it is.

    `key`: it asks for one; `limit`: the largest body it reads, in words; `away`: what its caller does after a 503.
    """
    given = dict(own)
    if key:
        refusals = {
            "401": "No key in force (docs/keys.md)",
            "403": "The key is one for another door",
        }
        given = {status: told(text) for status, text in refusals.items()} | given
        given["429"] = _later(told("The key was used too often; come again after Retry-After seconds"))
    if limit:
        given.setdefault("413", told(f"The body is larger than {limit}"))
        given["408"] = told("The body took longer than 10 seconds to arrive")
    given["500"] = told("An error of ours; its log tells more, and nothing of the request may be relied on")
    given.setdefault("503", _later(told(f"Nothing of it may be relied on; {away}")))
    return dict(sorted(given.items()))


def later(description: str, *contents: tuple[str, Json]) -> Json:
    """An answer that names the seconds to wait, in one of several media types."""
    return _later({"description": description, "content": {media: {"schema": schema} for media, schema in contents}})


def _later(told: Json) -> Json:
    return {**told, **_headers({"Retry-After": "Seconds to wait"}, schema={"type": "integer", "minimum": 0})}


def _headers(headers: Mapping[str, str], schema: Json | None = None) -> Json:
    if not headers:
        return {}
    return {
        "headers": {
            name: {"description": text, "required": True, "schema": schema or {"type": "string"}}
            for name, text in headers.items()
        }
    }
