"""Requests that are alike go out together: the same messages to the same people, in fewer records."""

import json
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from todoke_scheduler.domain.owing import in_crowds
from todoke_shared.contracts.requests import LARGEST_CROWD, CrowdRequest, OwnCrowd, OwnRequest, OwnTemplateRef
from todoke_shared.ids import message_id

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)


def requests(shops: list[str]) -> list[OwnRequest]:
    """One for somebody of each of these shops."""
    return [
        OwnRequest(
            schema_version=1,
            id=message_id(UUID(int=number), "0:news"),
            shop=shop,
            account="main",
            to=f"U{number:032x}",
            person=UUID(int=number),
            campaign="sale",
            step="news",
            enrolment=UUID(int=number + 10_000),
            due_at=NOON,
            template=OwnTemplateRef("sale", 1, "news", {"today": "2026-04-01"}),
        )
        for number, shop in enumerate(shops)
    ]


@given(st.lists(st.sampled_from(["tea", "coffee"]), max_size=1_100))
def test_everybody_is_in_one_record_with_what_was_theirs(shops: list[str]) -> None:
    """No message is lost, doubled or another's; as many in a record as LINE takes in a request, of one shop."""
    alone = {str(each.id): json.loads(each.to_json()) for each in requests(shops)}
    found = {}
    records = list(in_crowds(requests(shops)))
    for record in records:
        value = json.loads(record.to_json())
        if isinstance(record, OwnCrowd):
            assert not CrowdRequest.from_json(record.to_json()).model_extra
            assert 2 <= len(value["recipients"]) <= LARGEST_CROWD
        for one in value.pop("recipients", [{}]):
            own = value | one
            assert found.setdefault(own["id"], own) is own
    assert found == alone
    assert len(records) == sum(-(-shops.count(shop) // LARGEST_CROWD) for shop in ("tea", "coffee"))
