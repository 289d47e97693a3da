"""Requests that schemathesis makes from ingest's document, sent to a running ingest, their answers held against it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import schemathesis
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.documented import Ingest, Operation, operations
from todoke_ingest.openapi import openapi

AnyCase: TypeAlias = "Case[Any]"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_SCHEMA = schemathesis.openapi.from_dict(openapi())
_OF_SCHEMATHESIS = {"user-agent", "x-schemathesis-testcaseid"}
_OF_KEYS = {"authorization", "x-api-key"}


@dataclass(frozen=True)
class Fuzzed(Operation):
    """An operation that is called in every way that the document allows, and in others."""

    def cases(self, *, placed: bool = False) -> SearchStrategy[AnyCase]:
        """Requests by the document and, where that can be, against it; `placed`: for a shop or token that is there."""
        places = {each["in"] for each in self.told.get("parameters", [])} - ({"path"} if placed else set())
        modes = list(GenerationMode) if places or "requestBody" in self.told else [GenerationMode.POSITIVE]
        at = self.shown("path") if placed else None
        return st.one_of([_SCHEMA[self.path][self.method].as_strategy(mode, path_parameters=at) for mode in modes])

    def cases_with_examples(self) -> SearchStrategy[AnyCase]:
        """Requests by the document, each with one of its examples as the body."""
        operation = _SCHEMA[self.path][self.method]
        return st.one_of([operation.as_strategy(body=value, media_type=media) for media, _, value in self.examples])

    async def answers_as_documented(
        self, ingest: Ingest, case: AnyCase, way: str | None, **changes: str | None
    ) -> httpx.Response:
        """Send the case with the right key or signature for `way`. The answer, which is as documented.

        `changes`: headers, by lower-case name, that stand instead of the case's; None takes one away.
        """
        told = case.as_transport_kwargs(base_url="http://in")
        left_out = _OF_SCHEMATHESIS | (_OF_KEYS if way else set())
        given = {name.lower(): text for name, text in told["headers"].items()} | changes
        headers = {name: text for name, text in given.items() if name not in left_out and text is not None}
        query = [(str(name), str(value)) for name, value in told["params"].items()]
        answer = await ingest.ask(told["method"], told["url"], body=_body(told), headers=headers, way=way, query=query)
        case.validate_response(answer, checks=CHECKS)
        return answer


def _body(told: Mapping[str, object]) -> bytes:
    if "json" in told:
        return json.dumps(told["json"]).encode()
    data = told.get("data", b"")
    return data if isinstance(data, bytes) else str(data).encode()


def families() -> dict[str, list[Fuzzed]]:
    """The operations by the name of the first that is described like them: a call of Segment's has several paths."""
    found: dict[int, list[Fuzzed]] = {}
    for each in operations():
        found.setdefault(id(each.told), []).append(Fuzzed(each.path, each.method, each.told))
    return {family[0].name: family for family in found.values()}
