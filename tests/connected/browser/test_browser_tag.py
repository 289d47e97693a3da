"""The browser tag in a real Chromium, on a shop's pages of another origin than ingest."""

import json

import pytest

from tests.support.browser_pages import LINE, cookies, leave, open_page, page, until_struck_out, visitor_of, waiting
from tests.support.browsers import BrowsedShop, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


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
