"""EC-CUBE 4's entities as its Web API gives them, as far as we read them (https://doc4.ec-cube.net/eccube-api4/schema).

Ids are GraphQL's text, dates carry their offset. The shop may lack any field that its plugins or version do not know.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Entity(BaseModel):
    """Anything with an id; what we do not read is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True)


class Named(Entity):
    """A row of a master table, such as a prefecture or a status."""

    id: str
    name: str = ""


class Ref(Entity):
    """Another entity, by its id."""

    id: str


class Customer(Entity):
    """会員."""

    id: str
    name01: str | None = None
    name02: str | None = None
    email: str | None = None
    phone_number: str | None = None
    birth: AwareDatetime | None = None
    addr01: str | None = None
    point: float | None = Field(default=None, allow_inf_nan=False)
    create_date: AwareDatetime
    update_date: AwareDatetime
    status: Named | None = Field(default=None, alias="Status")
    sex: Named | None = Field(default=None, alias="Sex")
    prefecture: Named | None = Field(default=None, alias="Pref")


class Image(Entity):
    """商品画像."""

    file_name: str
    sort_no: int = 0


class ItemProduct(Ref):
    """The product that an order's line is about."""

    images: list[Image] | None = Field(default=None, alias="ProductImage")


class OrderItem(Entity):
    """受注明細: a product, but also postage, a fee, a discount, by its type."""

    product_name: str
    price: float = Field(allow_inf_nan=False)
    tax: float = Field(default=0, allow_inf_nan=False)
    quantity: float = Field(default=1, allow_inf_nan=False)
    class_category_name1: str | None = None
    class_category_name2: str | None = None
    product: ItemProduct | None = Field(default=None, alias="Product")
    product_class: Ref | None = Field(default=None, alias="ProductClass")
    type: Ref | None = Field(default=None, alias="OrderItemType")
    tax_display: Ref | None = Field(default=None, alias="TaxDisplayType")


class Carrier(Entity):
    """配送方法."""

    confirm_url: str | None = None


class Shipping(Entity):
    """出荷."""

    shipping_delivery_name: str | None = None
    shipping_date: AwareDatetime | None = None
    tracking_number: str | None = None
    carrier: Carrier | None = Field(default=None, alias="Delivery")


class Order(Entity):
    """受注."""

    id: str
    order_no: str | None = None
    email: str | None = None
    phone_number: str | None = None
    payment_total: float | None = Field(default=None, allow_inf_nan=False)
    currency_code: str | None = None
    update_date: AwareDatetime
    order_date: AwareDatetime | None = None
    payment_date: AwareDatetime | None = None
    customer: Ref | None = Field(default=None, alias="Customer")
    status: Ref | None = Field(default=None, alias="OrderStatus")
    items: list[OrderItem] | None = Field(default=None, alias="OrderItems")
    shippings: list[Shipping] | None = Field(default=None, alias="Shippings")


class TaxRule(Entity):
    """商品税率設定."""

    tax_rate: float = Field(ge=0, le=100)


class ProductClass(Entity):
    """商品規格: what is sold, at a price before tax, out of a stock."""

    price02: float = Field(ge=0, allow_inf_nan=False)
    stock: float | None = Field(default=None, allow_inf_nan=False)
    stock_unlimited: bool = False
    visible: bool = True
    update_date: AwareDatetime
    tax_rule: TaxRule | None = Field(default=None, alias="TaxRule")


class ProductCategory(Entity):
    """商品カテゴリ."""

    category: Named | None = Field(default=None, alias="Category")


class Product(Entity):
    """商品."""

    id: str
    name: str
    update_date: AwareDatetime
    status: Ref | None = Field(default=None, alias="Status")
    classes: list[ProductClass] | None = Field(default=None, alias="ProductClasses")
    images: list[Image] | None = Field(default=None, alias="ProductImage")
    categories: list[ProductCategory] | None = Field(default=None, alias="ProductCategories")
