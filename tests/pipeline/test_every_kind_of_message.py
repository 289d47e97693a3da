"""Every kind of message, from a campaign's YAML and a shop's events to the body that LINE takes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.pipeline import open_pipeline
from tests.support.shop_events import added, event, line_subject
from tests.unit.docs.test_readme import blocks
from todoke_line_simulator.validation import messages_problems
from todoke_shared.campaigns.model import Campaign
from todoke_shared.jsons import dumps

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
PRODUCTS = [f"宇治抹茶 {number:02}号" for number in range(1, 15)]
LAST = {"product_id": PRODUCTS[-1], "name": PRODUCTS[-1], "price": 980}


def campaign() -> Campaign:
    """One that sends all that the page about messages shows, and last a text of its own zone."""
    shown = [YAML(typ="safe", pure=True).load(text) for text in blocks(PAGE, "yaml message")]
    messages: dict[str, Any] = {f"m{number}": message for number, message in enumerate(shown)}
    last = "{{ today | jpday }} {{ event.seen_at | jptime }} {{ person.points | points }} {{ person.points_expire_on }}"
    messages["last"] = [{"type": "text", "text": last}]
    return Campaign.model_validate(
        {
            "campaign": "every-kind",
            "class": "transactional",
            "zone": "Pacific/Honolulu",
            "enter": {"on": "cart.changed", "when": {"cart.items": {"at_least": 14}}},
            "steps": [{"send": name} for name in messages],
            "messages": messages,
        }
    )


async def test_every_kind_reaches_line_as_line_takes_it(postgres_dsn: str) -> None:
    """All that the page shows, for a customer with fourteen things in the cart: lists are cut to what LINE takes."""
    hana = line_subject("hana")
    async with open_pipeline(postgres_dsn, NOON - timedelta(hours=1), campaigns=[campaign()]) as pipeline:
        await pipeline.follow("hana")
        await pipeline.run_until(NOON)  # by now a reply to the follow would come too late
        await pipeline.post(
            event("customer.updated", hana, NOON, {"name": "佐藤 {花子}", "points": 1280}),
            event("points.expiring", hana, NOON, {"points": 300, "expires_on": "2026-04-30"}),
            *added(hana, NOON, *PRODUCTS[:-1]),
        )
        await pipeline.post(
            event("cart.item_added", hana, NOON, {"item": LAST, "seen_at": "2026-04-01T03:00:00Z"}),
        )
        await pipeline.run_until(NOON + timedelta(minutes=1))
        sent = [json.loads(one.body)["messages"] for one in pipeline.line.accepted]
        failed = await pipeline.pool.fetch(
            "SELECT step, reason FROM dispatcher.published_deliveries WHERE state = 'failed'"
        )
    assert failed == []
    assert len(sent) == len(campaign().messages)
    assert [messages_problems(dumps(messages)) for messages in sent] == [()] * len(sent)
    by_kind = {
        f"{one['type']} {one.get('template', one.get('contents', {})).get('type', '')}": one for [one, *_] in sent
    }
    assert len(by_kind["flex carousel"]["contents"]["contents"]) == 12
    assert len(by_kind["template carousel"]["template"]["columns"]) == 10
    assert by_kind["textV2 "]["text"] == "佐藤 ｛花子｝、お待ちしています {moon}"
    bubble = [one.get("text") for one in by_kind["flex bubble"]["contents"]["body"]["contents"]]
    assert bubble == [PRODUCTS[0], *(text for name in PRODUCTS[1:5] for text in (None, name)), "ほか 9 点"]
    assert "hero" not in by_kind["flex bubble"]["contents"]
    texts = {one["text"] for messages in sent for one in messages if one["type"] == "text"}
    assert "3月31日(火) 17:00 1,280ポイント 2026-04-30" in texts
