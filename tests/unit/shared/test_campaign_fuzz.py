"""Whatever stands in a campaign file, an author is told about it in sentences and never by a traceback."""

import re
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.shared.campaign_files import WHOLE, read
from todoke_shared.campaigns.diagram import mermaid
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.remarks import remarks
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.jsons import dumps
from todoke_shared.mistakes import FileMistakesError

BASE: Any = read(WHOLE) | {"starts": "2026-12-01 10:00", "ends": "2026-12-31 23:59"}
WORDS = [
    "",
    "none",
    "1h",
    "10:00",
    "friday 12:00",
    "first",
    "custom.a",
    "call",
    "event.a",
    "birthday",
    "\x00",
    "-",
    "😀",
]

PYDANTICS_OWN = re.compile(r"\b(Input|Tuple|String|List|Dictionary|Value|Extra inputs?) (should|error|are)\b|<\w+>")
"""A library's words tell an author nothing of what to write."""

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**7)
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["on", "at", "date", "until", "days", "wait", "send", "if", "then", "split", "a", "event.a"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document but its root."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(part, (*path, key))


PLACES = list(places(BASE))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3))
def test_whatever_is_put_wherever_is_read_or_told(tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Each file is a campaign that can be published and drawn, or a list of mistakes with their lines."""
    document = deepcopy(BASE)
    for (*way, last), value in changes:
        with suppress(KeyError, IndexError, TypeError):  # a change before this one has taken the place away
            container = document
            for part in way:
                container = container[part]
            container[last] = value
    file = tmp_path / "campaign.yaml"
    file.write_bytes(dumps(document))
    try:
        campaign = load_campaign(file)
    except FileMistakesError as error:
        assert error.mistakes
        assert [mistake for mistake in error.mistakes if not (mistake.line >= 1 and mistake.what)] == []
        assert [mistake.what for mistake in error.mistakes if PYDANTICS_OWN.search(mistake.what)] == []
        return
    assert Campaign.model_validate(campaign.to_document()) == campaign
    assert mermaid(campaign)
    assert list(remarks(campaign))
