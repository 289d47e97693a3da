"""What `todoke campaigns check` says of links: whose clicks are counted, what that costs, which stay as they are."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.shared.campaign_files import campaign_of
from todoke_local.cli import app
from todoke_local.link_check import link_remarks
from todoke_shared.accounts import Account, Config
from todoke_shared.shops import Shop

GO = "https://go.shop.example"
SCHEDULE = {"schedule": {"at": "2026-12-24 10:00"}}
LINK = "https://shop.example/p/{{ event.id }}"


def said(*texts: str, hosts: tuple[str, ...] = (), public_url: str | None = GO, **told: Any) -> list[str]:
    """The remarks on a campaign of these texts, in a shop with these `link_hosts`."""
    objects: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    campaign = campaign_of(messages={"hello": told.pop("objects", objects)}, **told)
    accounts = {"main": Account(channel_secrets=("s",), access_token="t")}
    config = Config(accounts=accounts, shops={"main": Shop(link_hosts=hosts)})
    return list(link_remarks(campaign, config, public_url))


def button(uri: str) -> list[dict[str, Any]]:
    """A message with a button that opens it."""
    action = {"type": "uri", "label": "見る", "uri": uri}
    return [{"type": "template", "altText": "a", "template": {"type": "buttons", "text": "a", "actions": [action]}}]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"hosts": ("shop.example",)},
        {"links": "person"},
        {"links": "off"},
        {"enter": SCHEDULE, "links": "off"},
        {"public_url": None},
        {"public_url": None, "enter": SCHEDULE},
        {"links": {"except": ["other.example"]}},
    ],
)
def test_nothing_is_said_where_all_is_as_usual(told: dict[str, Any]) -> None:
    """A journey's links are its people's, LINE's own are LINE's; and nobody asks for what is not set up."""
    text = LINK if "except" not in str(told) else f"{LINK} https://other.example/"
    assert said(f"{text} https://line.me/R/ti/p/@tea tel:03", **told) == []


def test_no_links_no_words() -> None:
    """Whatever the campaign asks for."""
    assert said("お茶", enter=SCHEDULE, links="person", public_url=None) == []


def test_the_price_of_either_choice_is_told() -> None:
    """In requests and time, or in what is not known of a click."""
    [person] = said(LINK, enter=SCHEDULE, links="person")
    assert "100,000 people are 100,000 pushes (50s at LINE's 2,000 a second; a million: 8m 20s)" in person
    assert "instead of 200 multicasts (1s)" in person
    [message] = said("https://shop.example/", enter=SCHEDULE)
    assert "nobody knows whose they are: no segment, no trigger and no lift by clicks" in message


def test_a_campaign_that_asks_hears_that_nothing_answers() -> None:
    """Without a public address nothing is rewritten."""
    [missing] = said(LINK, links="person", public_url=None)
    assert missing.startswith("`links: person` needs TODOKE_PUBLIC_URL")
    first, second = said(LINK, links="message", public_url=None)
    assert "TODOKE_PUBLIC_URL" in first
    assert second.startswith("`links: message`")


@pytest.mark.parametrize(
    ("link", "hosts", "why"),
    [
        ("https://other.example/", ("shop.example",), "the host is not one of this shop's link_hosts (shop.example)"),
        ("http://shop.example/", (), "beginning with https://"),
        ("https://me@shop.example/", (), "leave out the user name"),
        ("https://{{ event.host }}/a", (), "its host comes from data"),
        ("{{ event.url }}", (), "its host comes from data"),
    ],
)
def test_a_link_that_stays_as_it_is_is_named(link: str, hosts: tuple[str, ...], why: str) -> None:
    """With its message and why, so that its author can do something about it."""
    [remark] = said(objects=button(link), hosts=hosts)
    assert remark.startswith("messages.hello[0]: ")
    assert "stays as it is" in remark
    assert why in remark


@pytest.mark.parametrize("link", ["https://{{ event.host }}/a", "{{ event.url }}"])
def test_with_link_hosts_data_may_name_the_host(link: str) -> None:
    """Which is held against them when the message is rendered."""
    assert said(objects=button(link), hosts=("shop.example",)) == []


def test_an_address_with_a_letter_behind_it_is_told() -> None:
    """Nobody can tell where it ends."""
    assert said("https://shop.example/cartをご覧ください") == [
        "messages.hello[0]: put a blank or a new line behind https://shop.example/cart: it is unclear where it ends"
    ]


def test_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the campaign's cost."""
    file = tmp_path / "news.yaml"
    file.write_text(
        "campaign: news\nclass: marketing\nenter: {schedule: {at: 2026-12-24 10:00}}\nsteps: [send: hello]\n"
        "messages:\n  hello:\n    - {type: text, text: 'https://shop.example/'}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("TODOKE_PUBLIC_URL", GO)
    result = CliRunner().invoke(app, ["campaigns", "check", str(file)], catch_exceptions=False)
    assert "news: `links: message`: clicks are counted" in result.output
    assert "1 campaign, no mistakes." in result.output
