"""Pages of a shop with the tag in them, and what a browser there knows and does."""

import hashlib
import hmac
import json
from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.support.browsers import IDENTITY_SECRET, BrowsedShop

LINE = "<script>window.todoke=window.todoke||function(){(todoke.q=todoke.q||[]).push(arguments)}</script>"
"""What a page brings to call before the tag is there, as docs/browser-tag.md has it."""


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
