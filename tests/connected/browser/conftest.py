"""One Chromium for all tests of the browser tag."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.browser_pages import page
from tests.support.browsers import BrowsedShop, browsed_shop
from tests.support.chromium import find_chromium


@pytest_asyncio.fixture(scope="session", loop_scope="session")
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
