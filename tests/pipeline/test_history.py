"""Moving over from another tool: what was imported sends nothing, and is known from then on."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.line_webhooks import line_user_id
from tests.support.pipeline import CAMPAIGNS, Pipeline, open_pipeline
from tests.support.shop_events import added, ordered
from todoke_local.importing.customers import CUSTOMERS
from todoke_local.importing.friends import FRIENDS
from todoke_local.importing.importer import Import, begin
from todoke_local.importing.kinds import Choices, Kind
from todoke_local.importing.orders import ORDERS
from todoke_local.importing.source import open_source
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

REGULARS = Campaign.model_validate(
    {
        "campaign": "regulars",
        "class": "marketing",
        "enter": {"on": "cart.changed", "when": {"all": [{"friend": True}, {"orders.ever": True}]}},
        "steps": [{"send": "thanks"}],
        "messages": {"thanks": [{"type": "text", "text": "いつもありがとうございます"}]},
    }
)
"""Friends who have bought before: nobody is one unless both imports are known."""


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """A new installation with the shipped campaigns and one for regulars; it knows nobody."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[*load_campaigns(CAMPAIGNS), REGULARS]) as opened:
        yield opened


def written(file: Path, lines: Iterable[str]) -> Path:
    """The file, as a Japanese tool writes it."""
    file.write_text("\n".join(lines), encoding="cp932")
    return file


async def import_(pipeline: Pipeline, kind: Kind, file: Path, *lines: str, live: bool = False) -> None:
    """Import a file of these lines through the door, as the command does."""
    source = open_source(written(file, lines), kind, "auto", {})
    choices = Choices("main", "main", ZoneInfo("Asia/Tokyo"), NOON - HOUR, history=not live)

    async def post(body: bytes, _: int) -> dict[int, str]:
        answer = await pipeline.door.take_events(body, "application/cloudevents-batch+json")
        assert answer.status == 202, answer.content()
        return {}

    whole = Import(source, kind, choices, begin(source, choices, {}))
    await whole.run(post, lambda _: None)
    assert whole.progress.counts.refused == 0
    await pipeline.settle()


FRIENDS_FILE = (
    "LINE UID,友だち追加日時,ユーザーブロック,会員番号",
    f"{line_user_id('hana')},2021/05/01 10:00,0,1",
    f"{line_user_id('jiro')},2021/05/02 10:00,1,2",
)
ORDERS_FILE = (
    "注文番号,受注日,会員番号,商品ID,商品名",
    "A-1,2025/11/05 20:15,1,matcha,抹茶",
    "A-2,2025/11/06 20:15,2,matcha,抹茶",
)


async def test_an_import_sends_nothing_and_is_known_from_then_on(pipeline: Pipeline, tmp_path: Path) -> None:
    """No confirmation, no welcome; then Hana's cart is remembered, as a friend's and a buyer's, and Jiro's is not."""
    await import_(pipeline, CUSTOMERS, tmp_path / "customers.csv", "会員番号,登録日", "1,2020/1/1", "2,2020/1/2")
    await import_(pipeline, FRIENDS, tmp_path / "friends.csv", *FRIENDS_FILE)
    await import_(pipeline, ORDERS, tmp_path / "orders.csv", *ORDERS_FILE)
    await pipeline.run_until(NOON + 48 * HOUR)
    assert pipeline.sent == []

    now = pipeline.clock.now()
    await pipeline.post(*added("customer:1", now, "煎茶"), *added("customer:2", now, "煎茶"))
    assert pipeline.sent_to("hana") == ["いつもありがとうございます"]
    await pipeline.run_until(now + HOUR)
    assert "カートにお忘れもの" in pipeline.sent_to("hana")[1]
    assert pipeline.sent_to("jiro") == []


async def test_news_after_an_import_is_news(pipeline: Pipeline, tmp_path: Path) -> None:
    """A new order of an imported friend is confirmed; whoever befriends the account now is welcomed."""
    await import_(pipeline, FRIENDS, tmp_path / "friends.csv", *FRIENDS_FILE)
    await pipeline.post(ordered("customer:1", NOON, "B-1", "煎茶"))
    assert "B-1" in pipeline.sent_to("hana")[0]
    await pipeline.follow("mai")
    assert pipeline.sent_to("mai")[0].startswith("友だち追加ありがとうございます")


async def test_an_import_does_not_bring_back_who_has_left(pipeline: Pipeline, tmp_path: Path) -> None:
    """Who blocks the account after the list was written stays gone, whichever is told first."""
    await pipeline.follow("hana", kind="unfollow")
    await import_(pipeline, FRIENDS, tmp_path / "friends.csv", *FRIENDS_FILE)
    await pipeline.post(ordered("customer:1", NOON, "B-1", "煎茶"))
    assert pipeline.sent == []


async def test_live_orders_are_confirmed_and_only_once(pipeline: Pipeline, tmp_path: Path) -> None:
    """--live is news; the same file as history before it has told these very events already."""
    await import_(pipeline, FRIENDS, tmp_path / "friends.csv", *FRIENDS_FILE)
    await import_(pipeline, ORDERS, tmp_path / "old.csv", *ORDERS_FILE)
    await import_(pipeline, ORDERS, tmp_path / "old.csv", *ORDERS_FILE, live=True)
    assert pipeline.sent == []
    new = (ORDERS_FILE[0], "A-3,2026/04/01 11:00,1,matcha,抹茶")
    await import_(pipeline, ORDERS, tmp_path / "new.csv", *new, live=True)
    assert ["A-3" in text for text in pipeline.sent_to("hana")] == [True]
