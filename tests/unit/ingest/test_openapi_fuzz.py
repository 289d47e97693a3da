"""Whatever the document allows, and whatever it does not, the doors answer as the document says.

schemathesis makes the requests and holds the answers against the document. What needs PostgreSQL is tried in
tests/connected/test_openapi_fuzz_connected.py.
"""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.documented import NEEDS_POSTGRESQL, Ingest, open_ingest
from tests.support.fuzzing import Fuzzed, families

pytestmark = pytest.mark.asyncio(loop_scope="module")
MEDIA_TYPES: st.SearchStrategy[dict[str, str | None]] = st.just({}) | st.sampled_from(
    [
        {"content-type": text}
        for text in (None, "", "text/xml", "multipart/form-data", "application/json; charset=cp932")
    ]
)
"""The document's own, mostly; no other is looked for by schemathesis."""
LONG = os.environ.get("TODOKE_TEST_LONG") == "1"
BOUNDED = settings(
    max_examples=600 if LONG else 30,
    deadline=None,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
FAMILIES = families()
ALONE = {name: family for name, family in FAMILIES.items() if family[0].path not in NEEDS_POSTGRESQL}
ASKING = {name: family for name, family in FAMILIES.items() if family[0].ways != [None]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ingest() -> AsyncIterator[Ingest]:
    """An ingest that keeps nothing."""
    async with open_ingest() as ingest:
        yield ingest


@pytest.mark.parametrize("family", ALONE.values(), ids=ALONE)
@given(st.data())
@BOUNDED
async def test_what_comes_with_a_key_or_signature_is_answered_as_documented(
    ingest: Ingest, family: list[Fuzzed], data: st.DataObject
) -> None:
    """Let in by every way in, and then: no error of ours, a status that is told, its media type, schema and headers."""
    operation = data.draw(st.sampled_from(family))
    case, way = data.draw(operation.cases(placed=True)), data.draw(st.sampled_from(operation.ways))
    changes = {"idempotency-key": None, **data.draw(MEDIA_TYPES)}
    answer = await operation.answers_as_documented(ingest, case, way, **changes)
    assert answer.status_code not in (401, 403)


@pytest.mark.parametrize("family", ASKING.values(), ids=ASKING)
@given(st.data())
@settings(BOUNDED, max_examples=300 if LONG else 15)
async def test_what_comes_without_is_refused_as_documented(
    ingest: Ingest, family: list[Fuzzed], data: st.DataObject
) -> None:
    """Whatever stands where a key or a signature belongs: 4xx, as told, and nothing in any topic."""
    before = len(ingest.topics.records)
    operation = data.draw(st.sampled_from(family))
    answer = await operation.answers_as_documented(ingest, data.draw(operation.cases()), None)
    assert 400 <= answer.status_code < 500
    assert len(ingest.topics.records) == before
