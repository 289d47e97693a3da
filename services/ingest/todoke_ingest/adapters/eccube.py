"""EC-CUBE 4's Web API: GraphQL at `{url}api` with an OAuth2 bearer (https://doc4.ec-cube.net/eccube-api4).

The questions hold only fields of the published schema (https://doc4.ec-cube.net/eccube-api4/schema).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from todoke_ingest.adapters.graphql import ShopError, ask
from todoke_ingest.adapters.platform_tokens import EcCubeTokens
from todoke_ingest.domain.notices import Notice

_CUSTOMER = """
query ($id: ID!) { customer(id: $id) {
  id name01 name02 email phone_number birth addr01 point create_date update_date
  Status { id } Sex { id } Pref { id name }
} }"""
_ORDER = """
query ($id: ID!) { order(id: $id) {
  id order_no email phone_number payment_total currency_code update_date order_date payment_date
  Customer { id } OrderStatus { id }
  OrderItems {
    product_name price tax quantity class_category_name1 class_category_name2
    Product { id ProductImage { file_name sort_no } } ProductClass { id } OrderItemType { id } TaxDisplayType { id }
  }
  Shippings { shipping_delivery_name shipping_date tracking_number Delivery { confirm_url } }
} }"""
_PRODUCT = """
query ($id: ID!) { product(id: $id) {
  id name update_date Status { id }
  ProductClasses { price02 stock stock_unlimited visible update_date TaxRule { tax_rate } }
  ProductImage { file_name sort_no }
  ProductCategories { Category { id name } }
} }"""
_QUESTIONS = {"customer": _CUSTOMER, "order": _ORDER, "product": _PRODUCT}


@dataclass(frozen=True, slots=True)
class EcCubeApi:
    """One shop's API. `wall` is real time, which ends access tokens."""

    session: aiohttp.ClientSession
    tokens: EcCubeTokens
    wall: Callable[[], datetime]

    async def fetch(self, notice: Notice) -> Mapping[str, object] | None:
        """The entity as it is now, or None when there is none of that id.

        Raises ShopError, or what PostgreSQL raises when the token cannot be looked up.
        """
        token = await self.tokens.current(self.session, self.wall())
        headers = {"Authorization": f"Bearer {token}"}
        url, variables = f"{self.tokens.config.home}api", {"id": notice.entity_id}
        try:
            data = await ask(self.session, url, _QUESTIONS[notice.entity], variables, headers)
        except ShopError as error:
            if error.outcome == "denied":
                await self.tokens.expire(token)
            raise
        return entity_of(data, notice.entity)


def entity_of(data: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    """The one field asked for. ShopError when the answer is about something else."""
    value = data.get(name)
    if name not in data or not (value is None or isinstance(value, dict)):
        raise ShopError("garbage", "the shop's API answered without the entity asked for")
    return value
