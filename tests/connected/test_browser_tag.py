"""The browser tag in a real Chromium, on a shop's pages of another origin than ingest."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Route

from tests.support.browsers import IDENTITY_SECRET, OPEN_KEY, BrowsedShop, browsed_shop, until
from tests.support.chromium import find_chromium
from todoke_ingest.handlers.tag import load_tag

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LINE = "<script>window.todoke=window.todoke||function(){(todoke.q=todoke.q||[]).push(arguments)}</script>"
"""What a page brings to call before the tag is there, as docs/browser-tag.md has it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_shop() -> AsyncIterator[BrowsedShop]:
    """One browser for all: starting it takes longer than a test."""
    chromium = find_chromium()
    assert chromium is not None
    async with browsed_shop(chromium) as shop:
        yield shop


@pytest.fixture
def shop(one_shop: BrowsedShop) -> BrowsedShop:
    """The shop with one page, `/`, that nobody has visited."""
    one_shop.clear()
    one_shop.site.pages["/"] = page(one_shop.tag())
    return one_shop


def page(head: str, body: str = "", title: str = "お茶の店") -> str:
    """A page of the shop."""
    return f"<!doctype html><html lang=ja><head><title>{title}</title>{head}</head><body>{body}</body></html>"


def proof(customer: str) -> str:
    """What the shop's server puts into the page of a member."""
    return hmac.new(IDENTITY_SECRET.encode(), customer.encode(), hashlib.sha256).hexdigest()


async def open_page(shop: BrowsedShop, browser: Page, path: str = "/") -> None:
    """Go there, and wait until its view is told of."""
    before = len(shop.events("page.viewed"))
    await browser.goto(shop.shop + path)
    await shop.wait_for("page.viewed", before + 1)


async def visitor_of(browser: Page) -> str:
    """The visitor as the page's own scripts are told."""
    return str(await browser.evaluate("todoke('visitor')"))


async def cookies(context: BrowserContext) -> dict[str, Any]:
    """The browser's cookies, by name."""
    return {str(cookie.get("name")): cookie for cookie in await context.cookies()}


async def waiting(browser: Page) -> list[dict[str, Any]]:
    """The events that the browser has written down and not yet struck out."""
    kept = await browser.evaluate("localStorage.getItem('todoke_waiting')")
    return [one["event"] for one in json.loads(kept or "[]")]


async def leave(browser: Page) -> None:
    """Go elsewhere; the page tells of it at the last moment, when only what is sent at once is sent at all."""
    await browser.evaluate("addEventListener('pagehide', () => todoke('track', 'left'), {capture: true})")
    await browser.goto("about:blank")


async def until_struck_out(browser: Page) -> None:
    """Return once the browser knows that everything is taken."""
    await browser.wait_for_function("localStorage.getItem('todoke_waiting') == '[]'")


async def test_a_page_view_arrives_with_a_first_party_visitor(shop: BrowsedShop) -> None:
    """By fetch as text, so without a preflight; the cookie is the shop's own, lax, and of Chromium's longest life."""
    async with shop.visitor() as (browser, context):
        await browser.goto(shop.shop + "/?page=2&token=secret#part", referer="https://search.example/find?q=tea")
        [event] = await shop.wait_for("page.viewed")
        await until_struck_out(browser)
        cookie = (await cookies(context))["todoke_visitor"]
        now = await browser.evaluate("Date.now() / 1000")
        assert await visitor_of(browser) == cookie["value"]
    assert event["subject"] == f"visitor:{cookie['value']}"
    assert cookie["expires"] == pytest.approx(now + 400 * 86_400, abs=60)
    assert (cookie["domain"], cookie["path"], cookie["sameSite"], cookie["secure"]) == ("shop.test", "/", "Lax", False)
    assert event["data"] == {
        "url": f"{shop.shop}/?page=2",
        "title": "お茶の店",
        "referrer": "https://search.example/find",
    }
    [knock] = shop.knocks.seen
    assert (knock.mode, knock.content_type, knock.status) == ("cors", "text/plain;charset=UTF-8", 202)


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


async def test_calls_before_the_tag_is_there_are_made_up_for(shop: BrowsedShop) -> None:
    """In their order, after the page view."""
    calls = "todoke('search','煎茶');todoke('cart',{cart_id:'c1',items:[{product_id:'t1',quantity:2}]});"
    ask = "todoke('visitor',function(id){window.told=id});"
    shop.site.pages["/"] = page(f"{LINE}<script>{calls}{ask}</script>{shop.tag()}")
    async with shop.visitor() as (browser, _):
        await browser.goto(shop.shop + "/")
        [cart] = await shop.wait_for("cart.updated")
        assert f"visitor:{await browser.evaluate('window.told')}" == cart["subject"]
    assert [event["type"] for event in shop.events()] == ["page.viewed", "products.searched", "cart.updated"]
    assert shop.events()[1]["data"] == {"query": "煎茶"}
    assert cart["data"] == {"cart_id": "c1", "items": [{"product_id": "t1", "quantity": 2}]}
    assert len(shop.knocks.seen) == 1


async def test_every_command_tells_its_event(shop: BrowsedShop) -> None:
    """Products, cart, checkout and the shop's own events, each with an id of its own."""
    commands = """
      todoke('product', {product_id: 't1', name: '煎茶', price: 1200, url: 'https://shop.test/t1?sid=9'});
      todoke('product', {product_id: 't1'});
      todoke('add', {product_id: 't1', quantity: 1});
      todoke('remove', {product_id: 't1'});
      todoke('checkout', {cart_id: 'c1'});
      todoke('track', 'quiz.done', {score: 3});
    """
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        await browser.evaluate(commands)
        await shop.wait_for("custom.quiz.done")
        await until_struck_out(browser)
    assert {str(event["type"]): event["data"] for event in shop.events()[1:]} == {
        "product.viewed": {
            "product": {"product_id": "t1", "name": "煎茶", "price": 1200, "url": "https://shop.test/t1"}
        },
        "cart.item_added": {"item": {"product_id": "t1", "quantity": 1}},
        "cart.item_removed": {"product_id": "t1"},
        "checkout.started": {"cart_id": "c1"},
        "custom.quiz.done": {"score": 3},
    }
    assert len(shop.events("product.viewed")) == 1
    assert len({str(event["id"]) for event in shop.events()}) == len(shop.events())


async def test_products_in_the_page_are_seen(shop: BrowsedShop) -> None:
    """From an attribute always, from schema.org's Product where data-jsonld asks for it; broken ones stop nobody."""
    marked = """<div data-todoke-product='{"product_id":"t1","name":"煎茶"}'></div><i data-todoke-product='{'></i>"""
    graph = {
        "@graph": [
            {"@type": "BreadcrumbList"},
            {
                "@type": ["Product", "Thing"],
                "sku": "t2",
                "name": "抹茶",
                "image": ["https://shop.test/t2.jpg"],
                "offers": {"@type": "Offer", "price": "1,980"},
            },
        ]
    }
    described = (
        f'<script type="application/ld+json">{{</script><script type="application/ld+json">{json.dumps(graph)}</script>'
    )
    shop.site.pages["/"] = page(shop.tag(), marked + described)
    shop.site.pages["/both"] = page(shop.tag(data_jsonld=""), marked + described)
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        [seen] = await shop.wait_for("product.viewed")
        assert seen["data"] == {"product": {"product_id": "t1", "name": "煎茶", "url": f"{shop.shop}/"}}
        await open_page(shop, browser, "/both")
        matcha = (await shop.wait_for("product.viewed", 3))[2]
    assert matcha["data"] == {
        "product": {
            "product_id": "t2",
            "name": "抹茶",
            "price": 1980,
            "image_url": "https://shop.test/t2.jpg",
            "url": f"{shop.shop}/both",
        }
    }


async def test_single_page_navigation_is_seen(shop: BrowsedShop) -> None:
    """pushState and the way back are page views with the page before as referrer; a fragment is none."""
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        await browser.evaluate("history.pushState({}, '', '/tea?id=1'); document.title = '煎茶'")
        await shop.wait_for("page.viewed", 2)
        await browser.evaluate("location.hash = 'reviews'")
        await browser.evaluate("history.go(-2)")
        await shop.wait_for("page.viewed", 3)
        await browser.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
        views = await shop.wait_for("page.viewed", 4)
    home, tea = f"{shop.shop}/", f"{shop.shop}/tea?id=1"
    assert [view["data"] for view in views[1:3]] == [
        {"url": tea, "title": "煎茶", "referrer": home},
        {"url": home, "title": "煎茶", "referrer": f"{shop.shop}/tea"},
    ]


async def test_with_auto_off_only_calls_count(shop: BrowsedShop) -> None:
    """data-auto="off": no page view but the one that is called for."""
    marked = """<i data-todoke-product='{"product_id":"t1"}'></i>"""
    shop.site.pages["/"] = page(LINE + shop.tag(data_auto="off"), marked)
    async with shop.visitor() as (browser, _):
        await browser.goto(shop.shop + "/")
        await browser.wait_for_function("todoke('visitor')")
        await browser.evaluate("history.pushState({}, '', '/tea')")
        await browser.evaluate("setTimeout(() => todoke('page', {title: '別名'}), 100)")
        [view] = await shop.wait_for("page.viewed")
    assert (view["data"], len(shop.events())) == ({"url": f"{shop.shop}/tea", "title": "別名"}, 1)


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


async def test_a_foreign_site_cannot_use_the_shops_key(shop: BrowsedShop) -> None:
    """The same page on another site: 403, and nothing of it is published."""
    async with shop.visitor() as (browser, _):
        await browser.goto(shop.foreign + "/")
        await until(lambda: len(shop.knocks.seen) == 1, lambda: str(shop.knocks.seen))
        assert len(await waiting(browser)) == 1
    assert [(knock.origin, knock.status) for knock in shop.knocks.seen] == [(shop.foreign, 403)]
    assert shop.topics.records == []


async def test_a_page_may_ask_before_it_sends_json(shop: BrowsedShop) -> None:
    """A shop's own script that sends application/json passes its preflight, from the key's site alone."""
    post = """url => fetch(url, {method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'})
      .then(answer => answer.status, () => 'kept out')"""
    url = f"{shop.ingest}/v1/collect?key=tdk_browser_shop"
    shop.site.pages["/bare"] = page("")
    async with shop.visitor() as (browser, _):
        await browser.goto(shop.shop + "/bare")
        assert await browser.evaluate(post, url) == 400
        await browser.goto(shop.foreign + "/bare")
        assert await browser.evaluate(post, url) == "kept out"
    assert [knock.status for knock in shop.knocks.seen] == [204, 400, 403]


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


async def test_the_tag_never_breaks_the_page(shop: BrowsedShop) -> None:
    """Wrong calls end in the console, with what is wrong; nothing of them is kept, and what follows still works."""
    said: list[str] = []
    broken: list[str] = []
    wrong = """
      todoke('explode'); todoke('product'); todoke('cart', {items: [{}]}); todoke('track', 'big', {t: 'x'.repeat(3e4)});
      const round = {}; round.round = round; todoke('track', 'round', round);
    """
    shop.site.pages["/"] = page(shop.tag() + shop.tag())
    async with shop.visitor() as (browser, _):
        browser.on("console", lambda message: said.append(message.text))
        browser.on("pageerror", lambda error: broken.append(str(error)))
        await open_page(shop, browser)
        await browser.evaluate(wrong)
        await browser.evaluate("todoke('search', 'still here')")
        await shop.wait_for("products.searched")
        await until_struck_out(browser)
    told = "\n".join(said)
    assert broken == []
    for words in ('todoke: there is no call "explode"', "custom.big is too large", "data.items[0].product_id"):
        assert words in told
    assert len(shop.events("page.viewed")) == 1
    assert [event["type"] for event in shop.events()] == ["page.viewed", "products.searched"]


async def test_a_strict_content_security_policy_lets_the_tag_work(shop: BrowsedShop) -> None:
    """The two sources of docs/browser-tag.md are enough, for fetch and for the beacon."""
    shop.site.headers["content-security-policy"] = (
        f"default-src 'none'; script-src {shop.ingest}; connect-src {shop.ingest}; require-trusted-types-for 'script'"
    )
    shop.site.headers["cross-origin-embedder-policy"] = "require-corp"
    async with shop.visitor() as (browser, _):
        await open_page(shop, browser)
        await leave(browser)
        await shop.wait_for("custom.left")
    assert {knock.status for knock in shop.knocks.seen} == {202}
