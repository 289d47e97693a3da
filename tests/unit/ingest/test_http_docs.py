"""docs/http.md tells the truth: what it shows can be pasted; and the Japanese pages show the same code."""

import re
import shlex
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.support.documented import KEYS, open_ingest

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = {"python", "js", "php", "java", "ruby", "json", "html", "toml", "graphql", "nginx"}
BOTH = [page.name for page in sorted((DOCS / "ja").glob("*.md")) if (DOCS / page.name).exists()]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Kind and text of each fenced block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def requests() -> list[tuple[str, dict[str, str], bytes, str]]:
    """Path, headers, body and the answer shown below (empty when none is) of each curl of the page."""
    found: list[tuple[str, dict[str, str], bytes, str]] = []
    shown = blocks(DOCS / "http.md")
    for (kind, text), (_, after) in zip(shown, [*shown[1:], ("", "")], strict=True):
        if kind == "sh" and text.startswith("curl"):
            words = shlex.split(text.replace("$KEY", KEYS["events"]))
            headers = [word.split(": ", 1) for flag, word in pairwise(words) if flag == "-H"]
            body = words[words.index("-d") + 1].encode()
            path = next(word.removeprefix("$INGEST") for word in words if word.startswith("$INGEST"))
            found.append((path, dict(headers), body, after if after.startswith("HTTP/1.1") else ""))
    return found


async def test_each_request_is_answered_as_shown() -> None:
    """The status, and the ids taken. Idempotency-Key needs PostgreSQL: tests/connected/test_ingest_idempotency.py."""
    asked = requests()
    assert len(asked) == 6
    async with open_ingest() as ingest:
        for path, headers, body, shown in asked:
            if "Idempotency-Key" in headers:
                continue
            answer = await ingest.ask("POST", path, body=body, headers=headers)
            assert answer.status_code in (202, 207)
            if shown:
                assert f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}" == shown.splitlines()[0]
                assert str(answer.json()["accepted"]).replace("'", '"') in shown


def test_the_python_client_sends_again_what_may_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken line, 503 and 429 are tried again, the latter after Retry-After; 400 is an error at once."""
    [code] = [text for kind, text in blocks(DOCS / "http.md") if kind == "python"]
    waited: list[float] = []
    answers: list[httpx.Response | httpx.ConnectError] = [
        httpx.ConnectError("away"),
        httpx.Response(503, headers={"Retry-After": "90"}),
        httpx.Response(202),
    ]

    def post(*_: object, **__: object) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, httpx.ConnectError):
            raise answer
        return answer

    monkeypatch.setenv("INGEST", "http://in")
    monkeypatch.setenv("KEY", KEYS["events"])
    monkeypatch.setattr(httpx.Client, "post", post)
    monkeypatch.setattr(time, "sleep", waited.append)
    page: dict[str, object] = {}
    exec(code, page)  # noqa: S102 - our own page
    send = page["send"]
    assert callable(send)
    send({})
    assert len(waited) == 2
    assert waited[1] == 90
    answers.append(httpx.Response(400, text="why"))
    with pytest.raises(ValueError, match="why"):
        send({})


@pytest.mark.parametrize("name", BOTH)
def test_a_japanese_page_shows_the_code_of_the_english_one(name: str) -> None:
    """Word for word, so that a change of one is a change of both."""
    english, japanese = (
        {text for kind, text in blocks(page) if kind in CODE} for page in (DOCS / name, DOCS / "ja" / name)
    )
    assert japanese <= english


def test_every_page_names_its_other_language_and_is_in_the_index() -> None:
    """From English to Japanese at the top; from the index of its language to each page."""
    for name in BOTH:
        assert f"ja/{name}" in (DOCS / name).read_text(encoding="utf-8"), name
    for folder in (DOCS, DOCS / "ja"):
        index = (folder / "README.md").read_text(encoding="utf-8")
        assert [page.name for page in folder.glob("*.md") if f"]({page.name})" not in index] == ["README.md"]
