"""What the browser tag has seen arrives: from a page that is left, hidden or offline, and while ingest refuses."""

from typing import Any

import pytest

from tests.support.browser_pages import leave, open_page, page, until_struck_out, waiting
from tests.support.browsers import BrowsedShop, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_what_is_told_on_leaving_arrives(shop: BrowsedShop) -> None:
    """By sendBeacon, at once; the next page tells it again, under the same id, since nobody saw the answer."""
    shop.site.pages["/next"] = page(shop.tag())
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        await until_struck_out(browser)
        await leave(browser)
        [left] = await shop.wait_for("custom.left")
        beacon = shop.knocks.seen[-1]
        assert (beacon.mode, beacon.content_type, beacon.status) == ("no-cors", "text/plain;charset=UTF-8", 202)
        await open_page(shop, browser, "/next")
        await until_struck_out(browser)
        again = await shop.wait_for("custom.left", 2)
    assert {event["id"] for event in again} == {left["id"]}


async def test_a_hidden_page_tells_what_it_has(shop: BrowsedShop) -> None:
    """A phone may never show the page again: what waits leaves when it is hidden."""
    async with shop.visitor("Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'})") as (
        browser,
        _,
    ):
        await open_page(shop, browser)
        await browser.evaluate("todoke('search', 'a'); document.dispatchEvent(new Event('visibilitychange'))")
        await shop.wait_for("products.searched")
    assert [knock.mode for knock in shop.knocks.seen] == ["cors", "no-cors"]


async def test_without_sendbeacon_leaving_is_told_by_fetch(shop: BrowsedShop) -> None:
    """A browser that has none, or will not queue more, sends by a fetch that outlives the page."""
    async with shop.visitor("navigator.sendBeacon = () => false") as (browser, _):
        await open_page(shop, browser)
        await leave(browser)
        await shop.wait_for("custom.left")
    assert [knock.mode for knock in shop.knocks.seen] == ["cors", "cors"]


async def test_events_wait_while_the_browser_is_offline(shop: BrowsedShop) -> None:
    """They are kept, and arrive by themselves once it is online again."""
    async with shop.visitor() as (browser, context):
        await open_page(shop, browser)
        await until_struck_out(browser)
        await context.set_offline(True)
        async with browser.expect_event("requestfailed"):
            await browser.evaluate("todoke('search', 'offline')")
        [kept] = await waiting(browser)
        assert shop.events("products.searched") == []
        await context.set_offline(False)
        [event] = await shop.wait_for("products.searched")
        await until_struck_out(browser)
    assert event["id"] == kept["id"]


async def test_events_wait_for_the_next_page_while_ingest_refuses(shop: BrowsedShop) -> None:
    """After a 503 the last 50 are kept, and the next page brings them, in order, in bodies below the limit."""
    text = "茶" * 2000
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        await until_struck_out(browser)
        shop.topics.away = True
        await browser.evaluate("t => { for (let n = 0; n < 60; n++) todoke('track', 'n', {n, t}) }", text)
        await until(lambda: shop.knocks.seen[-1].status == 503, lambda: str(shop.knocks.seen))
        assert [one["data"]["n"] for one in await waiting(browser)] == list(range(10, 60))
        knocks = len(shop.knocks.seen)
        shop.topics.away = False
        await browser.goto(shop.shop + "/")
        await until_struck_out(browser)
    found = [dict[str, Any](event["data"])["n"] for event in map(dict[str, Any], shop.events("custom.n"))]
    assert found == list(range(11, 60))  # the page view of the next page took the place of the oldest
    assert {knock.status for knock in shop.knocks.seen[knocks:]} == {202}
    assert len(shop.knocks.seen) - knocks > 5
