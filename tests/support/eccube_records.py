"""People, orders and products as EC-CUBE's GraphQL gives them, every field that we ask for filled."""

from tests.support.eccube_shop import Json

JST = "+09:00"


def customer(id_: int, **changes: object) -> Json:
    """会員."""
    return {
        "id": str(id_),
        "name01": "茶野",
        "name02": "花",
        "email": "Hana@example.jp",
        "phone_number": "09012345678",
        "birth": f"1990-04-01T00:00:00{JST}",
        "addr01": "京都市中京区",
        "point": 120.0,
        "create_date": f"2026-01-31T08:59:00{JST}",
        "update_date": f"2026-01-31T08:59:30{JST}",
        "Status": {"id": "2"},
        "Sex": {"id": "2"},
        "Pref": {"id": "26", "name": "京都府"},
        **changes,
    }


def order(id_: int, status: int = 1, **changes: object) -> Json:
    """受注: two bags of tea at 1,000 yen before tax, and postage."""
    return {
        "id": str(id_),
        "order_no": f"A-{id_}",
        "email": "hana@example.jp",
        "phone_number": "09012345678",
        "payment_total": 2660.0,
        "currency_code": "JPY",
        "update_date": f"2026-01-31T08:59:40{JST}",
        "order_date": f"2026-01-31T08:59:35{JST}",
        "payment_date": None,
        "Customer": {"id": "7"},
        "OrderStatus": {"id": str(status)},
        "OrderItems": [
            line(),
            line(product_name="送料", price=500.0, tax=0.0, OrderItemType={"id": "2"}, Product=None),
        ],
        "Shippings": [
            {
                "shipping_delivery_name": "ヤマト",
                "shipping_date": None,
                "tracking_number": "1234-5678",
                "Delivery": {"confirm_url": "https://carrier.example/"},
            }
        ],
        **changes,
    }


def line(**changes: object) -> Json:
    """受注明細."""
    return {
        "product_name": "煎茶",
        "price": 1000.0,
        "tax": 80.0,
        "quantity": 2.0,
        "class_category_name1": "100g",
        "class_category_name2": None,
        "Product": {"id": "3", "ProductImage": [{"file_name": "sencha 1.jpg", "sort_no": 1}]},
        "ProductClass": {"id": "31"},
        "OrderItemType": {"id": "1"},
        "TaxDisplayType": {"id": "1"},
        **changes,
    }


def product(id_: int, **changes: object) -> Json:
    """商品, in two sizes, the larger without tax rule of its own."""
    return {
        "id": str(id_),
        "name": "煎茶",
        "update_date": f"2026-01-31T08:50:00{JST}",
        "Status": {"id": "1"},
        "ProductClasses": [
            product_class(price02=1000.0, stock=5.0, TaxRule={"tax_rate": 8.0}),
            product_class(price02=1999.0, stock=2.0),
            product_class(price02=1.0, stock=9.0, visible=False),
        ],
        "ProductImage": [{"file_name": "b.jpg", "sort_no": 2}, {"file_name": "a.jpg", "sort_no": 1}],
        "ProductCategories": [{"Category": {"id": "1", "name": "お茶"}}],
        **changes,
    }


def product_class(**changes: object) -> Json:
    """商品規格."""
    return {
        "price02": 1000.0,
        "stock": 0.0,
        "stock_unlimited": False,
        "visible": True,
        "update_date": f"2026-01-31T08:55:00{JST}",
        "TaxRule": None,
        **changes,
    }
