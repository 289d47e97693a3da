"""Which links lead through the redirect: those that the shop answers for, whatever customers' data say."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.shared.campaign_files import campaign_of
from todoke_dispatcher.domain.linking import LeftAloneError, Marked, Tracker, Tracking, hosts_named, mark
from todoke_dispatcher.domain.links import LONGEST_BASE, LinkRefusedError, redirect_url
from todoke_dispatcher.domain.rendering import content_of, render
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.campaigns.model import Campaign

BASE = "https://go.shop.example"
HOSTS = ("shop.example", "*.shop.example")


def says(*texts: str, **told: Any) -> Campaign:
    """A campaign with these texts."""
    return campaign_of(messages={"hello": [{"type": "text", "text": text} for text in texts or ("お茶",)]}, **told)


def tracker(*texts: str, hosts: tuple[str, ...] = HOSTS, trial: bool = False, **told: Any) -> Tracker:
    """What decides about such a campaign's links."""
    return Tracking(BASE, hosts, trial=trial).of(says(*texts, **told))


def marked(campaign: Campaign, variables: dict[str, Any], hosts: tuple[str, ...] = ()) -> Marked:
    """Its message as it is rendered with these variables."""
    return mark(render(campaign.messages["hello"], variables), Tracking(BASE, hosts).of(campaign))


def destinations(content: Marked) -> list[str]:
    """Where its tracked links lead."""
    return [link.destination for link in content.links]


def test_a_shops_links_lead_where_they_led() -> None:
    """Its own hosts, in ASCII."""
    assert tracker().destination("https://www.shop.example/商品") == "https://www.shop.example/%E5%95%86%E5%93%81"


@pytest.mark.parametrize(
    "link",
    [
        "tel:0312345678",
        "mailto:tea@shop.example",
        "line://ti/p/@tea",
        "https://line.me/R/ti/p/@tea",
        "https://liff.line.me/123-abc",
        "https://page.line.me/tea",
        "https://lin.ee/abc",
        f"{BASE}/r/{'a' * 22}",
        "https://app.shop.example/cart",
        "https://app.shop.example?x=1",
        "https://shop.example/terms/2026",
    ],
)
def test_some_links_stay_by_rule(link: str) -> None:
    """LINE's own, what is no web page, what is tracked already, and what the campaign's author leaves alone."""
    with pytest.raises(LeftAloneError):
        tracker(links={"except": ["app.shop.example", "https://shop.example/terms"]}).destination(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://other.example/",
        "http://shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example\\@evil.example/",
        "https://evil.example/line.me",
        "https://app.shop.example.evil.example/",
        "https://日本.jp/",
        "https://shop.example/" + "a" * 2000,
    ],
)
def test_no_token_is_made_for_what_the_shop_does_not_answer_for(link: str) -> None:
    """Other hosts, other names for hosts, what browsers read otherwise."""
    with pytest.raises(LinkRefusedError) as refused:
        tracker(link, links={"except": ["app.shop.example"]}).destination(link)
    assert not isinstance(refused.value, LeftAloneError)


def test_without_link_hosts_the_campaigns_own_words_count() -> None:
    """A host that its file names, to the letter; what data name stays as it is."""
    campaign = says("https://shop.example/p/{{ id }} {{ url }} https://{{ sub }}.shop.example/")
    assert hosts_named(campaign) == {"shop.example"}
    told = marked(campaign, {"id": "7", "url": "https://evil.example/", "sub": "www"})
    assert destinations(told) == ["https://shop.example/p/7"]
    assert b" https://evil.example/ https://www.shop.example/" in told.content
    assert destinations(marked(campaign, {"id": "7", "url": "https://shop.example/8", "sub": "x"})) == [
        "https://shop.example/p/7",
        "https://shop.example/8",
    ]


VALUES = st.one_of(
    st.text(max_size=12),
    st.lists(
        st.sampled_from(
            [
                "evil.example",
                ".evil.example",
                "@evil.example",
                "//",
                "/",
                "\\",
                ":",
                "#",
                "?",
                "https://",
                " ",
                "%40",
                "あ",
            ]
        ),
        max_size=5,
    ).map("".join),
)


@given(VALUES, VALUES, VALUES, st.sampled_from([(), HOSTS]))
def test_whatever_data_say_no_token_leads_elsewhere(host: str, rest: str, whole: str, hosts: tuple[str, ...]) -> None:
    """Whether they are a part of the host, of the path, or the whole address: it is no open redirect."""
    text = "https://shop.example{{ rest }} https://{{ host }}.shop.example/ {{ whole }}"
    campaign = campaign_of(
        messages={
            "hello": [
                {"type": "text", "text": text},
                *(
                    {
                        "type": "template",
                        "altText": "a",
                        "template": {"type": "buttons", "text": "a", "actions": [action]},
                    }
                    for action in (
                        {"type": "uri", "label": "a", "uri": "https://shop.example{{ rest }}"},
                        {"type": "uri", "label": "a", "uri": "{{ whole }}"},
                    )
                ),
            ]
        }
    )
    told = marked(campaign, {"host": host, "rest": rest, "whole": whole}, hosts)
    for destination in destinations(told):
        name = urlsplit(destination).hostname or ""
        assert name == "shop.example" or (hosts and name.endswith(".shop.example"))
        assert "@" not in urlsplit(destination).netloc


def test_a_marked_content_becomes_one_with_tokens() -> None:
    """In each link its own token, 22 characters behind the public address, and nothing else in it."""
    told = marked(says("{{ a }} https://shop.example/1 https://shop.example/2"), {"a": "茶"})
    assert [link.place for link in told.links] == [0, 1]
    tokens = ["a" * 22, "b" * 22]
    text = json.loads(told.with_tokens(tokens))["messages"][0]["text"]
    assert text == f"茶 {redirect_url(BASE, tokens[0])} {redirect_url(BASE, tokens[1])}"


def test_nothing_is_tracked_without_a_tracker_or_links() -> None:
    """The content is byte for byte what it would be."""
    messages = [{"type": "text", "text": "https://shop.example/"}]
    assert mark(messages, None) == Marked(content_of(messages))
    assert mark(messages, tracker(links="off")) == Marked(content_of(messages))
    plain = [{"type": "text", "text": "お茶"}]
    assert mark(plain, tracker()) == Marked(content_of(plain))


def test_links_of_a_message_that_would_be_too_long_are_not_stored() -> None:
    """It stays as it is; the others' places stay what they are."""
    full = "あ" * 4980 + " https://shop.example/1"
    told = mark(render(says(full, "https://shop.example/2").messages["hello"], {}), tracker())
    assert [(link.place, link.destination) for link in told.links] == [(1, "https://shop.example/2")]


@pytest.mark.parametrize(
    ("link", "behind"),
    [
        ("https://shop.example/?openExternalBrowser=1", "?openExternalBrowser=1"),
        ("https://shop.example/?a=b&openInAppBrowser=0#c", "?openInAppBrowser=0"),
        ("https://shop.example/?openExternalBrowser=10", ""),
        ("https://shop.example/#?openExternalBrowser=1", ""),
    ],
)
def test_line_still_sees_in_which_browser_to_open(link: str, behind: str) -> None:
    """It looks at the address that is tapped."""
    told = mark([{"type": "text", "text": link}], tracker())
    assert told.with_tokens(["t" * 22]) == content_of([{"type": "text", "text": f"{BASE}/r/{'t' * 22}{behind}"}])
    assert destinations(told) == [link]


def test_a_tracked_address_is_never_longer_than_line_takes() -> None:
    """With the longest public address that the dispatcher starts with."""
    base = f"https://go.example/{'x' * LONGEST_BASE}"[:LONGEST_BASE]
    longest = redirect_url(base, "t" * 22) + "?openExternalBrowser=1&openInAppBrowser=0"
    assert len(longest) <= 1000
    given = {"postgres_dsn": "p", "kafka_bootstrap_servers": "k"}
    assert DispatcherSettings.model_validate({**given, "public_url": base}).public_url == base
    with pytest.raises(ValidationError):
        DispatcherSettings.model_validate({**given, "public_url": base + "x"})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://go.shop.example/", BASE),
        ("https://go.shop.example/in/", f"{BASE}/in"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("", None),
        (None, None),
    ],
)
def test_the_public_address_is_checked_when_the_dispatcher_starts(given: str | None, kept: str | None) -> None:
    """https, or this machine; an empty variable is none."""
    told = {"postgres_dsn": "p", "kafka_bootstrap_servers": "k", "public_url": given}
    assert DispatcherSettings.model_validate(told).public_url == kept


@pytest.mark.parametrize(
    "given", ["http://go.shop.example", "go.shop.example", f"{BASE}?a=1", f"{BASE}/#a", "https://"]
)
def test_a_public_address_that_is_none_stops_the_dispatcher(given: str) -> None:
    """Rather than that customers find links that lead nowhere."""
    with pytest.raises(ValidationError, match=r"https://go\.shop\.example"):
        DispatcherSettings.model_validate({"postgres_dsn": "p", "kafka_bootstrap_servers": "k", "public_url": given})


def test_a_schedules_links_are_shared_unless_its_author_says_otherwise() -> None:
    """So that its copies stay alike; anything else is a person's."""
    schedule = {"schedule": {"at": "2026-12-24 10:00"}}
    assert says("a").links_per == "person"
    assert says("a", enter=schedule).links_per == "message"
    assert says("a", enter=schedule, links="person").links_per == "person"
    assert says("a", enter=schedule, links={"except": ["app.shop.example"]}).links_per == "message"
    assert says("a", links="off").links_per == "off"
