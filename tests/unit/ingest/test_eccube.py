"""EC-CUBE 4: who gets in, and what its customers, orders and products become."""

import hashlib
import hmac
import json
from datetime import datetime, timedelta

import pytest

from tests.support.eccube_records import JST, customer, line, order, product, product_class
from tests.support.eccube_shop import WEBHOOK_SECRET, webhook
from tests.unit.ingest.stand_ins import NOW, CheckedTopics, Json
from todoke_ingest.answers import Answer, Problem
from todoke_ingest.domain import eccube
from todoke_ingest.domain.cloudevents import read_event
from todoke_ingest.domain.eccube_products import UNLIMITED_STOCK
from todoke_ingest.domain.notices import SETTLED, Action, Asked, Notice, merge, next_try
from todoke_ingest.domain.signature import is_signed
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.platforms import take_eccube
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.contacts import email_sha256, phone_sha256
from todoke_shared.errors import BadMessageError
from todoke_shared.shops import EcCube, Shop

SHOP = EcCube(webhook_secrets=("old", WEBHOOK_SECRET), url="https://tea.example/shop", access_token="t")


def asked(
    entity: str, id_: int = 7, action: Action = "updated", *, told: set[str] | None = None, settled: bool = False
) -> Asked:
    """A look at an entity, told of at NOW."""
    now = NOW + SETTLED if settled else NOW + timedelta(seconds=2)
    return Asked("eccube", "main", Notice(entity, str(id_), action), NOW, now, frozenset(told or ()))


def types(look: Asked, payload: Json | None, shop: EcCube = SHOP) -> list[object]:
    """The types told, each event sure to be in the vocabulary."""
    return [event["type"] for event in tell(look, payload, shop)]


def tell(look: Asked, payload: Json | None, shop: EcCube = SHOP) -> list[Json]:
    """The events told, as the topic will hold them."""
    told = eccube.tell(look, payload, shop).events
    return [json.loads(read_event(event, look.now).value) for event in told]


async def knock(body: bytes, signature: str | None, *, shop: str = "main") -> Answer:
    """At a door that has no PostgreSQL: whoever gets past the signature finds that out."""
    config = Config(accounts={}, shops={"main": Shop(eccube=SHOP), "bare": Shop()})
    headers = {} if signature is None else {"x-eccube-signature": signature}
    return await take_eccube(
        Intake(CheckedTopics(), FakeClock(NOW), config), DoorRequest(body, headers, {"shop": shop})
    )


BODY, SIGNATURE = webhook(("order", 1, "created"))


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "署名",
        SIGNATURE.upper(),
        SIGNATURE[:-1],
        SIGNATURE + "0",
        hmac.new(b"guessed", BODY, hashlib.sha256).hexdigest(),
        hmac.new(b"", BODY, hashlib.sha256).hexdigest(),
    ],
)
async def test_nobody_but_the_shop_gets_in(signature: str | None) -> None:
    """A missing, foreign, cut or wrong signature is 401, before anything is stored."""
    answer = await knock(BODY, signature)
    assert answer.status == 401
    assert isinstance(answer.body, Problem)
    assert answer.body.errors[0].field == "x-eccube-signature"


async def test_the_shop_gets_in_with_either_secret() -> None:
    """The right signature opens: this door then misses PostgreSQL; and no list of nothing needs any."""
    with pytest.raises(RuntimeError, match="PostgreSQL"):
        await knock(BODY, SIGNATURE)
    with pytest.raises(RuntimeError, match="PostgreSQL"):
        await knock(BODY, hmac.new(b"old", BODY, hashlib.sha256).hexdigest())
    body, signature = webhook()
    assert (await knock(body, signature)).status == 200


@pytest.mark.parametrize("shop", ["other", "bare"])
async def test_a_shop_without_eccube_is_not_found(shop: str) -> None:
    """404, signed or not."""
    assert (await knock(BODY, SIGNATURE, shop=shop)).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"7", b"[" * 10_000])
async def test_what_is_no_list_is_refused(body: bytes) -> None:
    """Even signed, a body that is no delivery is 400."""
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert (await knock(body, signature)).status == 400


def test_an_encoding_is_not_taken_for_the_other() -> None:
    """A hexadecimal signature does not open a door that wants base64, nor the other way round."""
    assert is_signed(BODY, SIGNATURE, [WEBHOOK_SECRET], "hex")
    assert not is_signed(BODY, SIGNATURE, [WEBHOOK_SECRET], "base64")


@pytest.mark.parametrize(
    "bad",
    [
        7,
        None,
        [],
        {},
        {"entity": "point", "id": 1, "action": "created"},
        {"entity": ["order"], "id": 1, "action": "created"},
        {"entity": "order", "id": True, "action": "created"},
        {"entity": "order", "id": 1.5, "action": "created"},
        {"entity": "order", "id": "1 or 2", "action": "created"},
        {"entity": "order", "id": "９", "action": "created"},
        {"entity": "order", "id": -1, "action": "created"},
        {"entity": "order", "id": 10**20, "action": "created"},
        {"entity": "order", "id": "9" * 21, "action": "created"},
        {"entity": "order", "id": 1, "action": "burnt"},
        {"entity": "order", "id": 1},
    ],
)
def test_a_notice_of_nothing_we_know_does_not_hold_up_the_others(bad: object) -> None:
    """A plugin's entities and malformed members are passed over."""
    good = {"entity": "order", "id": "1", "action": "created"}
    assert eccube.read_notices(json.dumps([bad, good]).encode()) == [Notice("order", "1", "created")]


def test_an_entity_is_noted_once_by_its_last_action() -> None:
    """But what was created and updated was created; and what was deleted is."""
    one, two = Notice("order", "1", "created"), Notice("order", "1", "updated")
    gone = Notice("order", "1", "deleted")
    assert merge([one, two]) == [one]
    assert merge([one, two, gone]) == [gone]
    assert merge([one, Notice("customer", "1", "updated")]) == [one, Notice("customer", "1", "updated")]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (1, ["placed"]),
        (3, ["placed", "cancelled"]),
        (4, ["placed"]),
        (5, ["placed", "shipped"]),
        (6, ["placed", "paid"]),
        (7, []),
        (8, []),
        (9, ["placed", "refunded"]),
        (10, ["placed", "shipped", "delivered"]),
        (11, ["placed"]),
    ],
)
def test_each_status_tells_what_it_means(status: int, told: list[str]) -> None:
    """EC-CUBE's statuses, one that the shop added as 配達完了, and one that we know nothing of."""
    shop = SHOP.model_copy(update={"delivered_statuses": frozenset({10})})
    assert types(asked("order"), order(7, status), shop) == [f"order.{name}" for name in told]


def test_a_status_seen_late_tells_each_step_once() -> None:
    """Shipped and paid between two looks: both are told, what was told before is not, nor is either again."""
    payload = order(7, 5, payment_date=f"2026-01-31T08:59:50{JST}")
    telling = eccube.tell(asked("order", told={"placed"}), payload, SHOP)
    assert [event["id"] for event in telling.events] == ["order/7/paid", "order/7/shipped"]
    assert telling.facts == {"paid", "shipped"}
    assert types(asked("order", told={"placed", "paid", "shipped"}), payload) == []


def test_the_same_state_fetched_twice_is_the_same_event() -> None:
    """Ids come from the state alone, not from the moment of the look."""
    for entity, payload in (("order", order(7)), ("customer", customer(7)), ("product", product(7))):
        first, second = (tell(asked(entity, settled=settled), payload) for settled in (False, True))
        assert [event["id"] for event in first] == [event["id"] for event in second] != []


@pytest.mark.parametrize("status", [1, 3, 6])
def test_an_order_that_was_never_placed_tells_nothing(status: int) -> None:
    """Without 注文日 the shop never accepted it: a payment that failed is no cancelled order."""
    assert types(asked("order"), order(7, status, order_date=None)) == []


def test_an_old_order_that_is_edited_tells_its_news_alone() -> None:
    """An order of last year was placed before we listened: it is shipped now, and not bought again."""
    payload = order(7, 5, order_date=f"2025-01-31T09:00:00{JST}", payment_date=f"2025-02-01T09:00:00{JST}")
    assert types(asked("order"), payload) == ["order.shipped"]


def test_an_order_carries_what_was_bought() -> None:
    """Products alone, at the price with tax; the shop's own order number; links that lead to the shop."""
    [event] = tell(asked("order"), order(7))
    assert (event["subject"], event["source"], event["shop"]) == ("customer:7", "eccube:main", "main")
    assert event["data"] == {
        "order_id": "A-7",
        "amount": 2660.0,
        "currency": "JPY",
        "items": [
            {
                "product_id": "3",
                "product_class_id": "31",
                "name": "煎茶 (100g)",
                "price": 1080.0,
                "quantity": 2,
                "url": "https://tea.example/shop/products/detail/3",
                "image_url": "https://tea.example/shop/html/upload/save_image/sencha%201.jpg",
            }
        ],
    }


def test_a_price_with_tax_is_not_taxed_again() -> None:
    """税込 lines carry the tax in their price."""
    payload = order(7, OrderItems=[line(TaxDisplayType={"id": "2"})])
    [event] = tell(asked("order"), payload)
    assert isinstance(event["data"], dict)
    assert event["data"]["items"][0]["price"] == 1000.0


def test_a_shipment_names_its_parcel() -> None:
    """Carrier, number and where to look it up."""
    [event] = tell(asked("order", told={"placed"}), order(7, 5))
    assert isinstance(event["data"], dict)
    known = {name: event["data"].get(name) for name in ("carrier", "tracking_number", "tracking_url")}
    assert known == {
        "carrier": "ヤマト",
        "tracking_number": "1234-5678",
        "tracking_url": "https://carrier.example/",
    }


def test_a_guest_is_known_by_hashes() -> None:
    """Somebody without an account is a visitor of this order; address and number never leave as they are."""
    [event] = tell(asked("order"), order(7, Customer=None))
    assert event["subject"] == "visitor:eccube-guest-7"
    assert isinstance(event["data"], dict)
    assert event["data"]["email_sha256"] == email_sha256("hana@example.jp")
    assert event["data"]["phone_sha256"] == phone_sha256("09012345678")
    assert "hana" not in json.dumps(event)
    assert "12345678" not in json.dumps(event)


def test_a_customer_is_known_by_attributes_and_hashes() -> None:
    """Birthday in Japan's calendar; no address, no number, no postal address."""
    [event] = tell(asked("customer"), customer(7, birth="1990-03-31T15:00:00+00:00"))
    assert (event["type"], event["subject"]) == ("customer.updated", "customer:7")
    assert event["data"] == {
        "name": "茶野 花",
        "email_sha256": email_sha256("hana@example.jp"),
        "phone_sha256": phone_sha256("+819012345678"),
        "birthday": "1990-04-01",
        "gender": "female",
        "prefecture": "京都府",
        "city": "京都市中京区",
        "points": 120,
        "registered_at": f"2026-01-31T08:59:00{JST}",
    }


def test_a_member_registers_once() -> None:
    """At creation; the second look at the same state tells nothing, and a later change is an update."""
    telling = eccube.tell(asked("customer", action="created"), customer(7), SHOP)
    assert [event["type"] for event in telling.events] == ["customer.registered"]
    known = set(telling.facts)
    assert types(asked("customer", action="created", told=known, settled=True), customer(7)) == []
    changed = customer(7, point=0.0)
    assert types(asked("customer", action="created", told=known, settled=True), changed) == ["customer.updated"]


def test_a_provisional_member_registers_on_confirming() -> None:
    """仮会員 tells nothing; 本会員 after it is the registration, whatever the notice called it."""
    telling = eccube.tell(asked("customer", action="created"), customer(7, Status={"id": "1"}), SHOP)
    assert (list(telling.events), set(telling.facts)) == ([], {"provisional"})
    assert types(asked("customer", told={"provisional"}), customer(7)) == ["customer.registered"]


def test_a_member_of_long_ago_does_not_register_by_an_update() -> None:
    """Nobody is welcomed because their address changed after we came."""
    assert types(asked("customer"), customer(7, create_date=f"2019-01-01T00:00:00{JST}")) == ["customer.updated"]


def test_a_state_that_returns_is_told_again() -> None:
    """Points from 120 to 0 and back: three states by their update_date."""
    points = [(120.0, "08:10:00"), (0.0, "08:20:00"), (120.0, "08:30:00")]
    states = [customer(7, point=point, update_date=f"2026-01-31T{at}{JST}") for point, at in points]
    assert len({str(tell(asked("customer"), state)[0]["id"]) for state in states}) == 3


@pytest.mark.parametrize("action", ["updated", "deleted"])
def test_a_withdrawn_member_is_deleted_once(action: Action) -> None:
    """退会, or no such member any more."""
    telling = eccube.tell(asked("customer", action=action), customer(7, Status={"id": "3"}), SHOP)
    [event] = telling.events
    assert (event["type"], event["subject"], event["data"]) == ("customer.deleted", "customer:7", {})
    assert types(asked("customer", action=action, told=set(telling.facts), settled=True), None) == []
    assert types(asked("customer", action=action, settled=True), None) == ["customer.deleted"]


@pytest.mark.parametrize("entity", ["customer", "order", "product"])
def test_what_is_not_committed_yet_is_not_taken_for_gone(entity: str) -> None:
    """EC-CUBE gives notice before it commits: an early look that finds nothing tells nothing."""
    assert types(asked(entity, action="created"), None) == []


def test_a_deleted_product_is_sold_out_and_a_deleted_order_is_nothing() -> None:
    """Nobody recommends what is gone; and an order deleted by the shop's staff was not cancelled."""
    [event] = tell(asked("product", action="deleted", settled=True), None)
    assert event["data"] == {"product": {"product_id": "7", "stock": 0}}
    assert tell(asked("order", action="deleted", settled=True), None) == []


def test_a_product_is_told_with_tax_and_stock() -> None:
    """The lowest price of what can be bought, by its own tax rule or the shop's; the stock of all of it."""
    [event] = tell(asked("product"), product(7))
    assert (event["type"], event["time"]) == ("product.updated", f"2026-01-31T08:55:00{JST}")
    assert event["data"] == {
        "product": {
            "product_id": "7",
            "name": "煎茶",
            "price": 1080,
            "url": "https://tea.example/shop/products/detail/7",
            "image_url": "https://tea.example/shop/html/upload/save_image/a.jpg",
            "category": "お茶",
            "stock": 7,
        }
    }


@pytest.mark.parametrize(
    ("classes", "status", "stock"),
    [
        ([product_class(stock_unlimited=True, stock=None)], "1", UNLIMITED_STOCK),
        ([product_class(stock=None)], "1", 0),
        ([product_class(stock=-3.0), product_class(stock=4.0)], "1", 4),
        ([product_class(stock=4.0)], "2", 0),
        ([product_class(stock_unlimited=True)], "3", 0),
        ([], "1", 0),
    ],
)
def test_stock_is_what_somebody_could_buy(classes: list[Json], status: str, stock: int) -> None:
    """Unlimited is very much, hidden is nothing."""
    [event] = tell(asked("product"), product(7, ProductClasses=classes, Status={"id": status}))
    assert isinstance(event["data"], dict)
    assert event["data"]["product"]["stock"] == stock


def test_tax_is_rounded_as_the_shop_does() -> None:
    """四捨五入, EC-CUBE's default: 1,999 yen and 10% are 2,199."""
    [event] = tell(asked("product"), product(7, ProductClasses=[product_class(price02=1999.0)]))
    assert isinstance(event["data"], dict)
    assert event["data"]["product"]["price"] == 2199


def test_a_shop_whose_clock_runs_ahead_is_not_refused() -> None:
    """An event is never later than our look at it."""
    [event] = tell(asked("order"), order(7, order_date=f"2026-02-01T09:00:00{JST}"))
    assert datetime.fromisoformat(str(event["time"])) == asked("order").now


@pytest.mark.parametrize(
    ("entity", "payload"),
    [
        ("order", order(7, update_date="yesterday")),
        ("order", order(7, update_date="2026-01-31T08:59:40")),
        ("order", order(7, OrderItems="none")),
        ("customer", customer(7, update_date=None)),
        ("product", product(7, ProductClasses=[product_class(price02=-1)])),
        ("product", {}),
    ],
)
def test_an_answer_that_nobody_can_read_says_where(entity: str, payload: Json) -> None:
    """BadMessageError names the field and repeats nothing of what it held."""
    with pytest.raises(BadMessageError) as caught:
        eccube.tell(asked(entity), payload, SHOP)
    assert caught.value.field
    assert "yesterday" not in str(caught.value)


def test_tries_grow_apart_up_to_an_hour() -> None:
    """Half of the wait at least, so that shops that come back are not overrun."""
    waits = [(next_try(NOW, attempts, jitter=1.0) - NOW).total_seconds() for attempts in (1, 2, 3, 10, 11, 1000)]
    assert waits == [5, 10, 20, 2560, 3600, 3600]
    assert next_try(NOW, 1, jitter=0.0) == NOW + timedelta(seconds=2.5)
