"""Who the browser tag says that a browser is: the same visitor, the member who has logged in, or nobody."""

from typing import Any

import pytest
from playwright.async_api import Route

from tests.support.browser_pages import LINE, cookies, open_page, page, proof, until_struck_out, visitor_of
from tests.support.browsers import OPEN_KEY, BrowsedShop, until
from todoke_ingest.handlers.tag import load_tag

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_visitor_survives_a_reload_and_a_lost_cookie(shop: BrowsedShop) -> None:
    """Cookie and localStorage each bring the other back; a new browser is a new visitor."""
    async with shop.visitor() as (browser, context):
        await open_page(shop, browser)
        first = await visitor_of(browser)
        await open_page(shop, browser)
        assert await visitor_of(browser) == first
        await context.clear_cookies()
        await open_page(shop, browser)
        assert (await cookies(context))["todoke_visitor"]["value"] == first
        await browser.evaluate("localStorage.clear()")
        await open_page(shop, browser)
        assert await browser.evaluate("localStorage.getItem('todoke_visitor')") == first
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        assert await visitor_of(browser) != first
    assert len({str(event["subject"]) for event in shop.events()}) == 2


async def test_a_proven_login_ties_the_browser_to_the_member(shop: BrowsedShop) -> None:
    """With the shop's signature; a stranger's own claim is refused, and the console says why."""
    said: list[str] = []
    async with shop.visitor() as (browser, _):
        browser.on("console", lambda message: said.append(message.text))
        await open_page(shop, browser)
        await browser.evaluate("id => todoke('identify', id, {signature: '00'})", "42")
        await until(lambda: any("data.signature" in text for text in said), lambda: str(said))
        await until_struck_out(browser)
        await browser.evaluate("([id, signature]) => todoke('identify', id, {signature})", ["42", proof("42")])
        [event] = await shop.wait_for("customer.identified")
        assert event["data"] == {"identifiers": [f"visitor:{await visitor_of(browser)}"]}
    assert event["subject"] == "customer:42"


async def test_a_shared_device_does_not_merge_two_members(shop: BrowsedShop) -> None:
    """forget at logout, or simply another member's login, is a new visitor; what waits is still the one's before."""
    login = "([id, signature]) => todoke('identify', id, {signature})"
    async with shop.visitor() as (browser, context):
        await open_page(shop, browser)
        await browser.evaluate(login, ["1", proof("1")])
        await browser.evaluate(login, ["1", proof("1")])
        first = await visitor_of(browser)
        await browser.evaluate("todoke('forget'); todoke('search', 'nobody')")
        second = await visitor_of(browser)
        await browser.evaluate(login, ["2", proof("2")])
        await browser.evaluate(login, ["3", proof("3")])
        third = await visitor_of(browser)
        await shop.wait_for("customer.identified", 4)
        assert (await cookies(context))["todoke_visitor"]["value"] == third
    assert len({first, second, third}) == 3
    ties = [
        (event["subject"], event["data"]["identifiers"])
        for event in map(dict[str, Any], shop.events())
        if event["type"] == "customer.identified"
    ]
    assert ties == [
        ("customer:1", [f"visitor:{first}"]),
        ("customer:1", [f"visitor:{first}"]),
        ("customer:2", [f"visitor:{second}"]),
        ("customer:3", [f"visitor:{third}"]),
    ]
    assert shop.events("products.searched")[0]["subject"] == f"visitor:{second}"


async def test_the_tag_works_where_storage_is_blocked(shop: BrowsedShop) -> None:
    """In a frame that may keep nothing, cookie and localStorage throw; one visitor lasts as long as its page."""
    calls = "<script>todoke('search', 'a'); todoke('search', 'b')</script>"
    shop.site.pages["/framed"] = page(LINE + shop.tag(OPEN_KEY), calls)
    shop.site.pages["/"] = page("", '<iframe sandbox="allow-scripts" src="/framed"></iframe>')
    async with shop.visitor() as (browser, context):
        await browser.goto(shop.shop + "/")
        await shop.wait_for("products.searched", 2)
        with pytest.raises(Exception, match="localStorage"):
            await browser.frames[1].evaluate("localStorage.length")
        assert await cookies(context) == {}
    assert [event["type"] for event in shop.events()] == ["page.viewed", "products.searched", "products.searched"]
    assert len({str(event["subject"]) for event in shop.events()}) == 1
    assert [knock.origin for knock in shop.knocks.seen] == ["null"]


async def test_a_domain_shares_the_visitor_among_its_hosts(shop: BrowsedShop) -> None:
    """data-domain: one cookie for the shop and its other hosts, also where one for the host alone was before."""
    port = shop.shop.rpartition(":")[2]
    shop.site.pages["/shared"] = page(shop.tag(OPEN_KEY, data_domain="shop.test"))
    async with shop.visitor() as (browser, context):
        await open_page(shop, browser)
        first = await visitor_of(browser)
        await open_page(shop, browser, "/shared")
        [cookie] = [cookie for cookie in await context.cookies() if cookie.get("name") == "todoke_visitor"]
        assert (cookie.get("domain"), cookie.get("value")) == (".shop.test", first)
        await browser.goto(f"http://blog.shop.test:{port}/shared")
        await shop.wait_for("page.viewed", 3)
        assert await visitor_of(browser) == first
        await browser.evaluate("todoke('forget')")
        await browser.goto(shop.shop + "/shared")
        assert await browser.evaluate("todoke('visitor')") != first


async def test_over_https_the_cookie_is_secure(shop: BrowsedShop) -> None:
    """The cookie of a shop on https never travels in the clear, nor with other sites' requests, in any browser."""
    spy = """const real = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie');
      Object.defineProperty(document, 'cookie', {
        get: () => real.get.call(document),
        set: (text) => { window.written = text; real.set.call(document, text); },
      });"""

    async def answer(route: Route) -> None:
        if route.request.url.endswith("/tag.js"):
            await route.fulfill(body=load_tag().plain, content_type="text/javascript")
        else:
            await route.fulfill(body=page('<script src="/tag.js" data-key="k"></script>'), content_type="text/html")

    async with shop.visitor(spy) as (browser, context):
        await context.route("https://secure.test/**", answer)
        await browser.goto("https://secure.test/")
        cookie = (await cookies(context))["todoke_visitor"]
        written = str(await browser.evaluate("window.written")).split("; ")  # Chromium takes a missing SameSite for Lax
    assert (cookie["secure"], cookie["sameSite"]) == (True, "Lax")
    assert written[1:] == ["path=/", "max-age=63072000", "SameSite=Lax", "Secure"]


async def test_a_signal_of_privacy_is_respected_where_the_shop_says_so(shop: BrowsedShop) -> None:
    """data-respect-gpc: who sends Global Privacy Control is not seen and gets no cookie; without it, he is."""
    shop.site.pages["/asked"] = page(LINE + shop.tag(data_respect_gpc=""))
    async with shop.visitor("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})") as (
        browser,
        context,
    ):
        await browser.goto(shop.shop + "/asked", wait_until="networkidle")
        assert await browser.evaluate("todoke('search', 'a'), todoke('visitor')") is None
        assert (await cookies(context), await browser.evaluate("localStorage.length")) == ({}, 0)
        await open_page(shop, browser)
    assert [dict[str, Any](event)["data"]["url"] for event in shop.events()] == [f"{shop.shop}/"]


async def test_a_prepared_page_counts_when_it_is_shown(shop: BrowsedShop) -> None:
    """A page that the browser loads in advance is no view until somebody sees it."""
    prepared = "window.prepared = true; Object.defineProperty(document, 'prerendering', {get: () => window.prepared})"
    async with shop.visitor(prepared) as (browser, context):
        await browser.goto(shop.shop + "/", wait_until="networkidle")
        assert (shop.knocks.seen, await cookies(context)) == ([], {})
        await browser.evaluate("prepared = false; document.dispatchEvent(new Event('prerenderingchange'))")
        await shop.wait_for("page.viewed")
