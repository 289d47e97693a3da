"""The pages about messages: every example passes `campaigns check`, every row of the table of formats is so."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.unit.docs.test_readme import blocks, name_of
from todoke_dispatcher.domain.rendering import render
from todoke_local.campaign_check import check_campaigns
from todoke_local.messages.checking import message_remarks
from todoke_shared.campaigns.message_parts import HIGHEST_MOST

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "messages.md", DOCS / "ja" / "messages.md"]
KINDS = {
    *("text", "textV2", "image", "video", "audio", "location", "sticker", "imagemap"),
    *("bubble", "carousel", "buttons", "confirm", "template carousel", "image_carousel", "quickReply", "sender"),
}
CAMPAIGN = """campaign: cart
class: marketing
enter: {on: cart.changed, when: {cart.items: {at_least: 1}}}
steps: [send: shown]
messages:
  shown:
"""


def kinds(message: dict[str, Any]) -> set[str]:
    """What is shown by a message object."""
    found = {message["type"], *({"quickReply", "sender"} & message.keys())}
    if message["type"] == "template":
        kind = message["template"]["type"]
        found.add("template carousel" if kind == "carousel" else kind)
    if message["type"] == "flex":
        found.add(message["contents"]["type"])
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_message_shown_passes_the_check(page: Path, tmp_path: Path) -> None:
    """In the campaign that the page names; and there is one of each kind that LINE takes."""
    shown: set[str] = set()
    for text in blocks(page, "yaml message"):
        shown |= {kind for message in YAML(typ="safe", pure=True).load(text) for kind in kinds(message)}
        indented = "".join(f"    {line}\n" for line in text.splitlines())
        (tmp_path / "cart.yaml").write_text(CAMPAIGN + indented, encoding="utf-8")
        [campaign] = check_campaigns(tmp_path / "cart.yaml")
        assert list(message_remarks(campaign)) == []
    assert KINDS - shown == set()
    assert "`enter: {on: cart.changed, when: {cart.items: {at_least: 1}}}`" in page.read_text(encoding="utf-8")


def test_both_languages_show_the_same_messages() -> None:
    """Word for word."""
    assert blocks(PAGES[0], "yaml message") == blocks(PAGES[1], "yaml message")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_format_reads_as_the_table_says(page: Path) -> None:
    """Each row is a template and what it gives; every filter of ours has one."""
    rows = re.findall(r"^\| `(\{\{ .*? \}\})` \| `(.*?)` \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    templates = [template.replace("\\|", "|") for template, _ in rows]
    [filled] = render([{"type": "text", "text": "\n".join(templates)}], {})
    assert isinstance(filled, dict)
    assert filled["text"].splitlines() == [reads for _, reads in rows]
    ours = ("yen", "number", "points", "jpdate", "jpday", "jpyear", "jptime", "jpdatetime", "short", "default")
    assert [name for name in ours if not any(f"| {name}" in template for template in templates)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_parts_are_described_whole(page: Path) -> None:
    """Every key of `for` and `if`, and how many there may be."""
    text = page.read_text(encoding="utf-8")
    assert [key for key in ("for", "in", "most", "each", "if", "then", "else") if f"`{key}: " not in text] == []
    assert str(HIGHEST_MOST) in text
