"""The documentation that is written from the code says what the code says."""

import json
import shutil
from pathlib import Path

import pytest

from docs import generate
from todoke_shared.contracts.ec_events import EVENT_TYPES
from todoke_shared.contracts.topics import TOPICS

PAYLOADS = {
    ("ingest", "send", "ec.events.v1"): "EcEvent",
    ("ingest", "send", "line.events.v1"): "LineEvent",
    ("ingest", "send", "message.outcomes.v1"): "Outcome",
    ("segmenter", "receive", "ec.events.v1"): "EcEvent",
    ("segmenter", "receive", "line.events.v1"): "LineEvent",
    ("segmenter", "receive", "message.outcomes.v1"): "Outcome",
    ("segmenter", "send", "customer.triggers.v1"): "TriggerRecord",
    ("scheduler", "receive", "customer.triggers.v1"): "TriggerRecord",
    ("scheduler", "receive", "message.outcomes.v1"): "Outcome",
    ("scheduler", "send", "ec.events.v1"): "EcEvent",
    ("scheduler", "send", "message.requests.marketing.v1"): "MessageRequest or CrowdRequest",
    ("scheduler", "send", "message.requests.transactional.v1"): "MessageRequest",
    ("dispatcher", "receive", "message.requests.marketing.v1"): "MessageRequest or CrowdRequest",
    ("dispatcher", "receive", "message.requests.transactional.v1"): "MessageRequest",
    ("dispatcher", "send", "message.outcomes.v1"): "Outcome",
}


def test_the_files_say_what_the_code_says() -> None:
    """As `python docs/generate.py --check`."""
    assert generate.main(["--check"]) == 0


def test_a_file_that_differs_is_named_and_then_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check fails with what to do, writes nothing, and is content afterwards."""
    shutil.copytree(generate.DOCS, tmp_path / "docs")
    monkeypatch.setattr(generate, "DOCS", tmp_path / "docs")
    (tmp_path / "docs" / "events.md").write_text("# Events\n", encoding="utf-8")
    (tmp_path / "docs" / "asyncapi" / "ingest.json").unlink()
    assert generate.main(["--check"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in told] == ["docs/asyncapi/ingest.json", "docs/events.md"]
    assert (tmp_path / "docs" / "events.md").read_text(encoding="utf-8") == "# Events\n"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_every_topic_and_every_event_has_its_chapter() -> None:
    """A word that is not there does not exist."""
    topics, events = generate.topics(), generate.events()
    assert [topic.name for topic in TOPICS if f"\n## {topic.name}\n" not in topics] == []
    assert [type_ for type_ in EVENT_TYPES if f"\n## {type_}\n" not in events] == []


def test_asyncapi_shows_each_topic_with_the_model_of_one_record() -> None:
    """Who reads and writes what, as the topic map has it, and no array of batches."""
    found = {}
    for service in generate.SERVICES:
        document = json.loads(generate.asyncapi(service))
        for topic, operation in document["operations"].items():
            [message] = document["channels"][topic]["messages"]
            payload = document["components"]["messages"][f"{topic}:{message}"]["payload"]
            schema = document["components"]["schemas"][payload["$ref"].rpartition("/")[2]]
            models = [model["$ref"].rpartition("/")[2] for model in schema.get("anyOf", [payload])]
            found[service, operation["action"], topic] = " or ".join(models)
    assert found == PAYLOADS
