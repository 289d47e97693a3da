"""Marketing that waits, told apart before it is grouped: one that is wrong with itself keeps no other from leaving."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, cast

import pytest

from tests.support.broadcasts import campaign
from tests.support.deliveries import NOON, message_named, request, user_named
from todoke_dispatcher.adapters.multicasts import Fresh
from todoke_dispatcher.claiming import ClaimTime
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.links import new_token
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.rendering import MAX_BODY_BYTES, RenderError, addressed, check_content
from todoke_dispatcher.forming import sort_fresh
from todoke_dispatcher.linking import ClaimLinks, Linker
from todoke_dispatcher.settings import DispatcherSettings
from todoke_dispatcher.templates import Contents, Templates
from todoke_shared.accounts import Config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.shops import Shop

GIVEN = {"postgres_dsn": "", "kafka_bootstrap_servers": "", "public_url": "https://go.example"}
SETTINGS = DispatcherSettings.model_validate({**GIVEN, "aggregation_units": False})
AT = ClaimTime(NOON, NOON)


NIGHT = campaign("night", quiet_hours={"from": "22:00", "to": "08:00"})
NEWS = campaign("news", messages={"news": [{"type": "text", "text": "{{ about }}{{ about }}{{ about }}"}]})


async def contents(linker: Linker | None = None) -> Contents:
    """What is rendered where two campaigns are published."""
    catalogue = CampaignCatalogue(cast("Any", Published()))
    await catalogue.fetch({("news", 1), ("night", 1)})
    links = ClaimLinks(linker or Linker(SETTINGS, Config(accounts={})), NOON, month_of(NOON))
    return Contents(Templates(catalogue, {("gone", 1)}, links, {}))


class Published:
    """The pool of a database in which two campaigns are all there is."""

    async def fetch(self, *_: object) -> list[dict[str, object]]:
        """Whatever is asked."""
        return [{"campaign": one.campaign, "version": 1, "document": one.to_document()} for one in (NEWS, NIGHT)]


def fresh(name: str, **fields: object) -> Fresh:
    """A message that waits, as it is stored."""
    value = json.dumps({**json.loads(request(name).to_json()), **fields}).encode()
    return Fresh(message_named(name), value, 0, 0, 0, NOON, None, has_blocked=False)


async def test_a_message_that_is_too_large_fails_and_the_others_leave() -> None:
    """A request of half a megabyte that comes to one and a half fits; one of 0.8 MB comes to more than LINE takes."""
    found = sort_fresh(
        [
            fresh(name, messages=None, template=template("news", {"about": name * size}))
            for name, size in (("a", 800_000), ("b", 500_000), ("c", 1))
        ],
        await contents(),
        AT,
    )
    [(_, failed)] = found.ended
    assert (failed.message_id, failed.state) == (message_named("a"), State.FAILED)
    assert "LINE takes at most" in str(failed.reason)
    assert [each.message_id for each in found.candidates] == [message_named("b"), message_named("c")]


@pytest.mark.parametrize("size", [MAX_BODY_BYTES - 50, MAX_BODY_BYTES - 41, MAX_BODY_BYTES - 40, MAX_BODY_BYTES])
def test_the_size_is_that_of_a_push(size: int) -> None:
    """To the byte: what passes can be addressed to somebody, and what does not cannot."""
    content = b'{"messages":[]' + b" " * (size - 15) + b"}"
    assert len(content) == size
    assert is_too_large(partial(check_content, content)) == is_too_large(partial(addressed, user_named("a"), content))


@pytest.mark.parametrize(("clock", "quiet"), [("21:59", False), ("22:00", True), ("00:00", True), ("08:00", False)])
async def test_what_comes_late_wakes_nobody(clock: str, quiet: bool) -> None:
    """In its campaign's quiet hours it is put off, whatever it has waited for; what has no campaign leaves."""
    waiting = [fresh("a", messages=None, template=template("night", {"about": "a"})), fresh("b")]
    found = sort_fresh(waiting, await contents(), replace(AT, now=datetime.fromisoformat(f"2026-12-01T{clock}+09:00")))
    assert (found.quiet, found.ended) == ([message_named("a")] if quiet else [], [])
    assert message_named("b") in {each.message_id for each in found.candidates}


async def test_two_shops_messages_share_no_link() -> None:
    """Of one campaign and one account, and alike to the letter: a click is counted for the shop that sent it."""
    shops = {"tea": Shop(link_hosts=["shop.example"]), "cups": Shop(link_hosts=["shop.example"])}
    linker = Linker(SETTINGS, Config(accounts={}, shops=shops))
    variables: dict[str, object] = {"about": "https://shop.example/new "}
    waiting = [fresh(shop, shop=shop, messages=None, template=template("news", variables)) for shop in shops]
    tokens = {link: new_token() for link in sort_fresh(waiting, await contents(linker), AT).missing.links}
    linker._tokens.update(tokens)
    found = sort_fresh(waiting, await contents(linker), AT)
    content = {each.message_id: each.content for each in found.candidates}
    assert {link.shop for link in tokens} == {"tea", "cups"}
    for link, token in tokens.items():
        assert [name for name in shops if token.encode() in content[message_named(name)]] == [link.shop]


async def test_what_a_newer_release_wrote_waits_for_it_whatever_else_is_wrong() -> None:
    """Its template is not there and its version is unknown: put off, and the others leave."""
    newer = fresh("a", schema_version=2, messages=None, template=template("gone", {}))
    found = sort_fresh([newer, fresh("b")], await contents(), AT)
    assert found.unreadable == [message_named("a")]
    assert [each.message_id for each in found.candidates] == [message_named("b")]


def template(name: str, variables: dict[str, object]) -> dict[str, object]:
    """The one message of a first version."""
    return {"campaign": name, "version": 1, "message": "news", "variables": variables}


def is_too_large(call: Callable[[], object]) -> bool:
    """Whether it says so."""
    try:
        call()
    except RenderError:
        return True
    return False
