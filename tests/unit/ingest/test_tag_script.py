"""GET /tag.js: small, alone, cached."""

import gzip
import re
from importlib.resources import files

import pytest

from tests.unit.ingest.stand_ins import CheckedTopics, new_door
from todoke_ingest.answers import Answer
from todoke_ingest.handlers.tag import load_tag, take_tag
from todoke_ingest.requests import DoorRequest

MAX_BYTES = 3000
"""The promise: under 3 KB gzipped."""


async def fetch(**headers: str) -> Answer:
    """The answer to a browser that sends these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await take_tag(new_door(CheckedTopics()).intake, DoorRequest(headers=named, method="GET"))


async def test_the_tag_is_under_3_kb_gzipped() -> None:
    """What crosses the wire, to a browser that reads gzip."""
    answer = await fetch(accept_encoding="gzip, deflate, br")
    assert isinstance(answer.body, bytes)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < MAX_BYTES
    assert gzip.decompress(answer.body) == load_tag().plain


def test_the_tag_depends_on_nothing() -> None:
    """It loads no other script, names no other site, and leaves no eval to a Content-Security-Policy."""
    script = load_tag().plain.decode()
    assert not re.search(r"\b(import|require|eval|Function|importScripts|createElement)\b|https?://", script)


def test_the_tag_is_es2017() -> None:
    """No syntax that a browser of 2017 stumbles over: one error there and nothing of the tag runs."""
    script = load_tag().plain.decode()
    newer = (
        r"\?\.|\?\?|\*\*=|\|\|=|&&=|catch\s*\{|\{\s*\.\.\.|,\s*\.\.\.\w+\s*\}|\b\d+n\b|#\w+\s*[=(;]|\bstatic\b|\(\?<"
    )
    assert not re.search(newer, script)


def test_comments_are_for_readers_alone() -> None:
    """The source explains itself; what is served is every other line of it, unchanged."""
    source = (files("todoke_ingest") / "tag" / "tag.js").read_text(encoding="utf-8").splitlines()
    assert sum(line.strip().startswith("//") for line in source) > 10
    code = [line.strip() for line in source if line.strip() and not line.strip().startswith("//")]
    assert load_tag().plain.decode().splitlines() == code


async def test_any_site_may_load_and_keep_the_tag() -> None:
    """An hour's cache, an entity tag, and the headers that let pages of strict policies load it."""
    answer = await fetch()
    assert (answer.status, answer.body) == (200, load_tag().plain)
    assert answer.media_type == "text/javascript; charset=utf-8"
    assert answer.headers == {
        "Cache-Control": "public, max-age=3600",
        "ETag": load_tag().etag,
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize("sent", ["{}", '"other", {}'])
async def test_a_browser_that_has_the_tag_gets_none(sent: str) -> None:
    """304, empty, with the same tag and lifetime; one that has another gets the script."""
    answer = await fetch(if_none_match=sent.format(load_tag().etag), accept_encoding="gzip")
    assert (answer.status, answer.content()) == (304, b"")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert (await fetch(if_none_match='W/"0123456789abcdef"')).status == 200
