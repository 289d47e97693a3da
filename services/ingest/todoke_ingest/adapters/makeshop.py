"""makeshop's GraphQL API (https://developers.makeshop.jp/api/graphql/index.html): bearer, x-api-key, x-timestamp.

An order is asked for by searchOrder. That its request takes `systemOrderNumber` is our guess; the page's copy that we
could read names only dates, states and pages. A wrong guess is an error that makeshop answers, counted and retried; a
search that passes the number over is seen by the number of the order it gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from todoke_ingest.adapters.graphql import ShopError, ask
from todoke_ingest.domain.notices import Notice
from todoke_shared.shops import MakeShop

_ORDER = """
query searchOrder($input: SearchOrderRequest!) { searchOrder(input: $input) { orders {
  systemOrderNumber displayOrderNumber orderDate memberId sumPrice paymentStatusCode
  deliveryInfos { deliveryStatus slipNumber basketInfos { productCode productName price amount } }
} } }"""


@dataclass(frozen=True, slots=True)
class MakeShopApi:
    """One shop's API. `wall` is real time: makeshop takes a request for an hour after its x-timestamp."""

    session: aiohttp.ClientSession
    config: MakeShop
    wall: Callable[[], datetime]

    async def fetch(self, notice: Notice) -> Mapping[str, object] | None:
        """The order as it is now, or None when there is none of that number. Raises ShopError."""
        headers = {
            "Authorization": f"Bearer {self.config.access_token}",
            "x-api-key": self.config.api_key,
            "x-timestamp": str(int(self.wall().timestamp())),
        }
        variables = {"input": {"systemOrderNumber": notice.entity_id, "page": 1, "limit": 1}}
        data = await ask(self.session, self.config.endpoint, _ORDER, variables, headers)
        found = data.get("searchOrder")
        orders = found.get("orders") if isinstance(found, dict) else None
        if not isinstance(orders, list):
            raise ShopError("garbage", "makeshop answered without the orders asked for")
        if not orders:
            return None
        order = orders[0]
        if not isinstance(order, dict) or order.get("systemOrderNumber") != notice.entity_id:
            raise ShopError("garbage", "makeshop answered with another order than the one asked for")
        return order
