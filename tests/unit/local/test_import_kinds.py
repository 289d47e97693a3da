"""What a row of each kind becomes, in our columns and in those of other tools' exports."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.local.imports import AS_OF, CHOICES, USER, entries, events, opened, reasons, write
from todoke_local.importing.columns import heading_key
from todoke_local.importing.customers import CUSTOMERS
from todoke_local.importing.friends import FRIENDS
from todoke_local.importing.kinds import Kind
from todoke_local.importing.orders import ORDERS
from todoke_local.importing.products import PRODUCTS
from todoke_local.importing.values import (
    RowError,
    read_birthday,
    read_gender,
    read_number,
    read_prefecture,
    read_time,
    read_truth,
)
from todoke_shared.contracts.contacts import email_sha256, phone_sha256
from todoke_shared.contracts.ec_events import EcEvent, check_event
from todoke_shared.jsons import dumps

TOKYO = ZoneInfo("Asia/Tokyo")
KINDS = (CUSTOMERS, ORDERS, PRODUCTS, FRIENDS)


def told(folder: Path, kind: Kind, *lines: str, **choices: Any) -> list[dict[str, Any]]:
    """The events of a file, each in the vocabulary."""
    found = events(opened(write(folder, *lines), kind), kind, replace(CHOICES, **choices))
    for event in found:
        check_event(EcEvent.from_json(dumps(event)))
    return found


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-05 10:00:00", "2024-01-05T10:00:00+09:00"),
        ("2024/1/5 9:05", "2024-01-05T09:05:00+09:00"),
        ("2024/01/05", "2024-01-05T00:00:00+09:00"),
        ("2024年1月5日 10時30分", "2024-01-05T10:30:00+09:00"),
        ("2024年1月5日(金) 10:30", "2024-01-05T10:30:00+09:00"),
        ("２０２４／０１／０５", "2024-01-05T00:00:00+09:00"),
        ("20240105", "2024-01-05T00:00:00+09:00"),
        ("2024-01-05T10:00:00.123Z", "2024-01-05T10:00:00+00:00"),
        ("2024-01-05 10:00:00 -0500", "2024-01-05T10:00:00-05:00"),
        ("2024-01-05 10:00:00 UTC", "2024-01-05T10:00:00+00:00"),
        ("2000-01-01", "2000-01-01T00:00:00+09:00"),
    ],
)
def test_times_are_read_as_exports_write_them(text: str, instant: str) -> None:
    """Without an offset it is the zone's."""
    found = read_time({"at": text}, "at", TOKYO)
    assert found is not None
    assert found.isoformat() == instant


@pytest.mark.parametrize(
    "text", ["1/5/2024", "yesterday", "2024-02-30", "2024-01-05 25:00", "1999-12-31", "2200-01-01", "9999-12-31"]
)
def test_a_time_that_is_none_or_ambiguous_is_refused(text: str) -> None:
    """1/5 is a day in May somewhere; the reason names the column and repeats nothing."""
    with pytest.raises(RowError, match=r"^at ") as error:
        read_time({"at": text}, "at", TOKYO)
    assert text not in str(error.value)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (read_number, "¥1,980", 1980),
        (read_number, "￥１，９８０", 1980),
        (read_number, "1980円", 1980),
        (read_number, "19.80", 19.8),
        (read_number, "", None),
        (read_truth, "希望する", True),
        (read_truth, "No", False),
        (read_truth, "", None),
        (read_gender, "女性", "female"),
        (read_gender, "1", "male"),
        (read_gender, "回答しない", None),
        (read_prefecture, "東京", "東京都"),
        (read_prefecture, "北海道", "北海道"),
        (read_prefecture, "JP-27", "大阪府"),
        (read_prefecture, "47", "沖縄県"),
        (read_prefecture, "Tokyo", "東京都"),
        (read_prefecture, "jp-13", "東京都"),
        (read_prefecture, "NV", "NV"),
        (read_birthday, "1990/5/12", "1990-05-12"),
        (read_birthday, "0000-00-00", None),
        (read_birthday, "1931年3月1日", "1931-03-01"),
    ],
)
def test_values_are_read_as_exports_write_them(
    read: Callable[[dict[str, str], str], Any], text: str, value: Any
) -> None:
    """Numbers with and without yen, words of yes and no, genders, prefectures, birthdays."""
    assert read({"x": text}, "x") == value


@pytest.mark.parametrize(
    ("read", "text"), [(read_number, "-1"), (read_number, "1e9"), (read_number, "NaN"), (read_truth, "perhaps")]
)
def test_a_value_that_is_none_is_refused(read: Callable[[dict[str, str], str], Any], text: str) -> None:
    """By its column's name."""
    with pytest.raises(RowError, match=r"^x is"):
        read({"x": text}, "x")


def test_a_customer_as_ec_cube_exports_it(tmp_path: Path) -> None:
    """EC-CUBE 4's headings: one record, contacts as hashes alone, and as old as its last change."""
    [event] = told(
        tmp_path,
        CUSTOMERS,
        "会員ID,お名前(姓),お名前(名),郵便番号,都道府県(ID),都道府県(名称),住所1,メールアドレス,TEL,性別(ID),性別(名称),"
        "誕生日,登録日,更新日",
        "77,山田,花子,6000000,26,京都府,京都市中京区,Hana@Example.com,090-1234-5678,2,女性,"
        "1990-05-12,2021-04-01 10:00:00,2024-02-03 11:00:00",
    )
    assert event == {
        "specversion": "1.0",
        "id": event["id"],
        "source": "import:customers",
        "type": "customer.updated",
        "time": "2024-02-03T11:00:00+09:00",
        "shop": "main",
        "subject": "customer:77",
        "history": True,
        "data": {
            "name": "山田 花子",
            "email_sha256": email_sha256("hana@example.com"),
            "phone_sha256": phone_sha256("09012345678"),
            "birthday": "1990-05-12",
            "gender": "female",
            "prefecture": "京都府",
            "city": "京都市中京区",
            "registered_at": "2021-04-01T10:00:00+09:00",
        },
    }


def test_a_customer_as_shopify_exports_it(tmp_path: Path) -> None:
    """No date at all: what the shop knew when it was exported. The number's text mark is none of it."""
    [event] = told(
        tmp_path,
        CUSTOMERS,
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Province Code,Phone,"
        "Total Spent,Tags",
        "'7210448301122,Hana,Yamada,hana@example.com,yes,JP-26,'+819012345678,7790.44,\"vip, tea\"",
    )
    assert (event["type"], event["time"], event["subject"]) == (
        "customer.updated",
        AS_OF.isoformat(),
        "customer:7210448301122",
    )
    assert event["data"]["phone_sha256"] == phone_sha256("09012345678")
    assert event["data"]["prefecture"] == "京都府"
    assert event["data"]["tags"] == ["vip", "tea"]
    assert event["data"]["accepts_marketing"] is True


def test_what_a_segment_may_ask_of_a_customer_can_be_imported(tmp_path: Path) -> None:
    """The job, interests, worries and tier that another tool knew; a cell of several is a list."""
    heading = "会員ID,職業,趣味,お悩み,会員ステージ,会員ランク"
    [event] = told(tmp_path, CUSTOMERS, heading, "77,看護師,茶道、コーヒー,乾燥|くすみ,ゴールド,常連")
    assert event["data"] == {
        "job": "看護師",
        "interests": ["茶道", "コーヒー"],
        "worries": ["乾燥", "くすみ"],
        "tier": "ゴールド",
        "tags": ["常連"],
    }


def test_a_customer_may_be_a_line_user_and_a_guest(tmp_path: Path) -> None:
    """The LINE user id is linked wherever it stands; the e-mail address only when asked, since nobody can unlink it."""
    lines = (
        "会員番号,メールアドレス,LINE UID,登録日",
        f"77,hana@example.com,{USER},2021/4/1",
        "78,jiro@example.com,,2021/4/2",
    )
    registered, linked, alone = told(tmp_path, CUSTOMERS, *lines)
    assert (registered["type"], alone["type"]) == ("customer.registered", "customer.registered")
    assert linked["type"] == "customer.identified"
    assert linked["data"]["identifiers"] == [f"line:main:{USER}"]
    guest = f"visitor:email:{email_sha256('jiro@example.com')}"
    assert told(tmp_path, CUSTOMERS, *lines, link_emails=True)[-1]["data"]["identifiers"] == [guest]


def test_an_e_mail_address_as_member_number_is_hashed(tmp_path: Path) -> None:
    """Nobody's address enters a topic, in whichever column it stands."""
    [event] = told(tmp_path, CUSTOMERS, "customer_id", "Hana@Example.com")
    assert event["subject"] == f"customer:{email_sha256('hana@example.com')}"


def test_an_order_as_ec_cube_exports_it(tmp_path: Path) -> None:
    """A row a line item: postage is no item, the order's number is the one that its webhook tells."""
    [event] = told(
        tmp_path,
        ORDERS,
        "注文ID,注文番号,会員ID,メールアドレス,支払合計,対応状況(名称),受注日,商品ID,商品名,商品コード,価格,個数,明細区分(ID),明細区分(名称)",
        "12,R-1012,77,hana@example.com,4560,発送済み,2024-11-05 20:15:00,5,宇治抹茶 30g,tea-001,1980,2,1,商品",
        "12,R-1012,77,hana@example.com,4560,発送済み,2024-11-05 20:15:00,,送料,,600,1,2,送料",
    )
    assert (event["type"], event["subject"], event["time"]) == (
        "order.placed",
        "customer:77",
        "2024-11-05T20:15:00+09:00",
    )
    assert event["data"] == {
        "order_id": "R-1012",
        "items": [{"product_id": "5", "name": "宇治抹茶 30g", "price": 1980, "quantity": 2}],
        "amount": 4560,
    }


def test_an_order_as_shopify_exports_it(tmp_path: Path) -> None:
    """What is told of the order stands in its first row; its id is the one of the webhooks, its buyer an address."""
    placed, refunded, other = told(
        tmp_path,
        ORDERS,
        "Name,Email,Financial Status,Currency,Total,Discount Code,Created at,Lineitem quantity,Lineitem name,"
        "Lineitem price,Lineitem sku,Cancelled at,Refunded Amount,Id",
        "#1001,hana@example.com,refunded,JPY,4560,WELCOME,2024-11-05 20:15:00 +0900,2,抹茶,1980,TEA-1,,600.00,"
        "7410991464714",
        "#1001,hana@example.com,,,,,2024-11-05 20:15:00 +0900,1,茶筅,600,,,,",
        "#1002,jiro@example.com,paid,JPY,600,,2024-11-06 09:00:00 +0900,1,茶筅,600,CUP-1,,0.00,7410991464715",
    )
    assert [item["product_id"] for item in placed["data"]["items"]] == ["TEA-1", "茶筅"]
    assert (placed["data"]["order_id"], placed["data"]["coupons"]) == ("7410991464714", ["WELCOME"])
    assert placed["subject"] == f"visitor:email:{email_sha256('hana@example.com')}"
    assert (refunded["type"], refunded["data"]) == ("order.refunded", {"order_id": "7410991464714", "amount": 600})
    assert other["data"]["order_id"] == "7410991464715"


def test_an_order_cancelled_or_never_finished(tmp_path: Path) -> None:
    """The first is placed and cancelled; of the second there is nothing to tell."""
    lines = ("注文番号,受注日,会員ID,対応状況(名称)", "1,2024/1/5,77,注文取消し", "2,2024/1/6,77,購入処理中")
    assert [event["type"] for event in told(tmp_path, ORDERS, *lines)] == ["order.placed", "order.cancelled"]


def test_rows_of_an_order_that_stand_apart_are_refused(tmp_path: Path) -> None:
    """The order was told without them: the reason says to sort, and the others are taken."""
    lines = ("order_id,ordered_at,customer_id,product_id", "1,2024/1/5,7,a", "2,2024/1/5,7,b", "1,2024/1/5,7,c")
    source = opened(write(tmp_path, *lines), ORDERS)
    assert [len(entry.events) for entry in entries(source, ORDERS)] == [1, 1, 0]
    [(line, reason)] = reasons(source, ORDERS)
    assert line == 4
    assert "sort the file" in reason


@pytest.mark.parametrize("bad", ["1,2024/1/5,7,x,many", "1,2024/1/5", '1,"2024/1/5,7,x,1'])
def test_an_order_is_taken_whole_or_not(tmp_path: Path, bad: str) -> None:
    """One of its rows that cannot be read refuses the order, and only that order."""
    lines = (
        "order_id,ordered_at,customer_id,product_id,quantity",
        "1,2024/1/5,7,a,1",
        bad,
        "1,2024/1/5,7,c,1",
        "2,2024/1/5,7,d,1",
    )
    source = opened(write(tmp_path, *lines), ORDERS)
    assert [line for line, _ in reasons(source, ORDERS)] in ([2, 3, 4], [2, 4, 3])
    assert [len(entry.events) for entry in entries(source, ORDERS)] == [0, 1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",2024/1/5,7,a@b.c,1", "order_id is empty"),
        ("1,,7,,1", "ordered_at is empty"),
        ("1,2024/1/5,,,1", "neither customer_id nor email"),
        ("1,2024/1/5,,nobody,1", "neither customer_id nor email"),
        ("1,2024/1/5,7,,0", "quantity is 0"),
        (f"1,2024/1/5,{'7' * 256},,1", "customer_id is longer"),
    ],
)
def test_an_order_without_what_it_needs_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    """By the column that it lacks."""
    source = opened(write(tmp_path, "order_id,ordered_at,customer_id,email,quantity,product_id", f"{row},tea"), ORDERS)
    assert reason in reasons(source, ORDERS)[0][1]


def test_live_orders_are_news_with_the_same_ids(tmp_path: Path) -> None:
    """--live leaves the mark of history out; imported once more as news, an order is no second order."""
    lines = ("order_id,ordered_at,customer_id", "1,2024/1/5,7")
    [history], [live] = told(tmp_path, ORDERS, *lines), told(tmp_path, ORDERS, *lines, history=False)
    assert history == {**live, "history": True}


def test_products_as_ec_cube_exports_them(tmp_path: Path) -> None:
    """Rows of one product are its variants: the lowest price, the stock together, as its webhook tells it."""
    [event, other] = told(
        tmp_path,
        PRODUCTS,
        "商品ID,商品名,商品規格ID,商品コード,在庫数,通常価格,販売価格,商品カテゴリ(名称)",
        "5,宇治抹茶,10,tea-30,4,2200,1980,日本茶",
        "5,宇治抹茶,11,tea-100,6,5500,4980,日本茶",
        "6,茶筅,12,cup-1,,1200,980,道具",
    )
    product = {"product_id": "5", "name": "宇治抹茶", "price": 1980, "category": "日本茶", "stock": 10}
    assert event["data"] == {"product": product}
    assert "subject" not in event
    assert "stock" not in other["data"]["product"]


def test_products_as_shopify_exports_them(tmp_path: Path) -> None:
    """Below a handle each SKU is a product with the first row's name; a row for a picture is nothing to tell."""
    found = told(
        tmp_path,
        PRODUCTS,
        "Handle,Title,Body (HTML),Type,Variant SKU,Variant Inventory Qty,Variant Price,Image Src",
        'matcha,宇治抹茶,"<p>抹茶,\n粉</p>",日本茶,TEA-30,4,1980,https://cdn.example/1.jpg',
        "matcha,,,,TEA-100,6,4980,",
        "matcha,,,,,,,https://cdn.example/2.jpg",
    )
    assert [(p["product_id"], p["name"], p["price"]) for p in (event["data"]["product"] for event in found)] == [
        ("TEA-30", "宇治抹茶", 1980),
        ("TEA-100", "宇治抹茶", 4980),
    ]


def test_friends_as_line_tools_export_them(tmp_path: Path) -> None:
    """Friends since they were added, former friends since they blocked; else since the export."""
    others = ["U" + digit * 32 for digit in "1234"]
    found = told(
        tmp_path,
        FRIENDS,
        "UID,LINE登録名,友だち追加日時,ユーザーブロック,ブロック日時,会員番号",
        f"{USER},花子,2023/08/19 18:04,0,,77",
        f"{others[0]},次郎,2023/08/20 18:04,1,2024/01/01 00:00,",
        f"{others[1]},三郎,2023/08/21,ブロック,,",
        f"{others[2]},四郎,,,,",
        account="second",
    )
    assert [(event["data"]["friend"], event["time"]) for event in found] == [
        (True, "2023-08-19T18:04:00+09:00"),
        (False, "2024-01-01T00:00:00+09:00"),
        (False, AS_OF.isoformat()),
        (True, AS_OF.isoformat()),
    ]
    assert found[0]["subject"] == f"line:second:{USER}"
    assert [event["data"].get("customer_id") for event in found] == ["77", None, None, None]


def test_a_tools_own_number_is_no_line_user(tmp_path: Path) -> None:
    """Lステップ's ID column, say: each row is refused with what is missing."""
    source = opened(write(tmp_path, "ID,表示名,友だち追加日時", "10234,花子,2023/08/19"), FRIENDS)
    assert "is no LINE user id" in reasons(source, FRIENDS)[0][1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_heading_means_two_fields_of_a_kind(kind: Kind) -> None:
    """An alias belongs to one field; which one a column is never depends on the order of a table."""
    fields = [{heading_key(name) for name in (column.field, *column.aliases)} for column in kind.columns]
    assert [a & b for index, a in enumerate(fields) for b in fields[:index] if a & b] == []


def test_ids_follow_from_what_a_row_says(tmp_path: Path) -> None:
    """The same row in another file, on another day, has the same id; any other word in it another."""
    heading = "customer_id,name"
    [first] = told(tmp_path, CUSTOMERS, heading, "1,花子")
    [again] = told(tmp_path, CUSTOMERS, heading, "1,花子", as_of=AS_OF.replace(year=2027))
    [changed] = told(tmp_path, CUSTOMERS, heading, "1,はなこ")
    [elsewhere] = told(tmp_path, CUSTOMERS, heading, "1,花子", shop="second")
    assert first["id"] == again["id"]
    assert len({event["id"] for event in (first, changed, elsewhere)}) == 3


@pytest.mark.parametrize("page", ["docs/import.md", "docs/ja/import.md"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_pages_list_every_column(page: str, kind: Kind) -> None:
    """Each field has its row, with every heading that it is known by, below its kind."""
    text = (Path(__file__).parents[3] / page).read_text(encoding="utf-8")
    [chapter] = [part for part in text.split("\n## ")[1:] if kind.name in part.partition("\n")[0]]
    rows = [line.split(" | ") for line in chapter.splitlines() if line.startswith("| `")]
    found = {cells[0].removeprefix("| ").strip("`"): cells[2].strip() for cells in rows}
    assert found == {column.field: " · ".join(column.aliases) for column in kind.columns}
