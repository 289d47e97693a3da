"""Crowds: what is read of a record, what each member's own request is, and which groups they leave as."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import NOON, crowd, message_named, request, user_named
from todoke_dispatcher.domain.crowd import read_crowd
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.rendering import content_of, recipients_and_content
from todoke_shared.contracts.requests import LARGEST_CROWD, CrowdRequest, MessageRequest
from todoke_shared.errors import BadMessageError

NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=20, unique=True)
FIELDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "shop": st.just("tea"),
        "campaign": st.just("news"),
        "step": st.just("hello"),
        "expires_at": st.just(NOON + timedelta(hours=3)),
        "added_in_v9": st.just({"to": "everybody"}),
    },
)


@given(NAMES, FIELDS)
def test_each_member_asks_for_what_it_would_have_asked_for_alone(names: list[str], fields: dict[str, Any]) -> None:
    """Opening a crowd loses nothing: field by field the requests are those that it stands for."""
    asked = crowd(*names, text="お知らせ", **fields)
    read = read_crowd(asked.to_json())
    alone = [
        request(name, text="お知らせ", due_at=asked.due_at, **fields).model_dump(exclude_none=True) for name in names
    ]
    own = [MessageRequest.from_json(read.request_of(member)) for member in read.members]
    assert [each.model_dump(exclude_none=True) for each in own] == alone
    assert (read.account, read.shop, read.campaign, read.step, read.expires_at) == (
        own[0].account,
        own[0].shop,
        own[0].campaign,
        own[0].step,
        own[0].expires_at,
    )


BROKEN = st.sampled_from(
    [
        {"id": "no uuid"},
        {"recipients": []},
        {"recipients": "all"},
        {"recipients": [{"to": user_named("a")}]},
        {"recipients": [{"id": str(message_named("a")), "to": "U1"}]},
        {"recipients": [{"id": str(message_named("a")), "to": user_named("a"), "person": "hana"}]},
        {"account": "No Name"},
        {"due_at": "tomorrow"},
        {"due_at": "9999-12-31T23:59:59Z"},
        {"messages": None},
        {"messages": [{"type": "text", "text": "a\x00b"}]},
        {"template": {"campaign": "news", "version": 1, "message": "hello"}},
        {"schema_version": 2},
    ]
)


@given(NAMES, BROKEN)
def test_what_the_contract_refuses_is_refused(names: list[str], broken: dict[str, Any]) -> None:
    """The quick way of reading takes nothing that the model would not."""
    value = json.dumps(json.loads(crowd(*names).to_json()) | broken).encode()
    with pytest.raises(BadMessageError):
        CrowdRequest.from_json(value)
    with pytest.raises(BadMessageError):
        read_crowd(value)


def test_a_crowd_is_as_large_as_a_multicast_and_no_larger() -> None:
    """LINE takes 500 recipients."""
    whole = json.loads(crowd(*(str(number) for number in range(LARGEST_CROWD))).to_json())
    assert len(read_crowd(json.dumps(whole).encode()).members) == LARGEST_CROWD
    whole["recipients"].append({"id": str(message_named("more")), "to": user_named("more")})
    with pytest.raises(BadMessageError, match="recipients"):
        read_crowd(json.dumps(whole).encode())


@given(NAMES, st.sets(st.sampled_from("abcdefgh")))
def test_who_is_taken_out_is_in_one_part_and_all_others_in_the_other(names: list[str], gone: set[str]) -> None:
    """Nobody is lost between them, and nobody is in both."""
    whole = read_crowd(crowd(*names).to_json())
    rest, left = whole.parted({user_named(name) for name in gone})
    assert {member.to for member in left} == {user_named(name) for name in names if name in gone}
    assert sorted([*rest.members, *left], key=lambda one: one.id) == sorted(whole.members, key=lambda one: one.id)
    assert rest.request == whole.request


def test_the_group_holds_everybody_once_in_the_order_of_the_body() -> None:
    """LINE names a bad recipient by its place: members and recipients are in one order."""
    read = read_crowd(crowd("a", "b", "c").to_json())
    content = content_of([{"type": "text", "text": "お知らせ"}])
    group = read.as_multicast(content, wall=NOON, month=month_of(NOON))
    to, sent = recipients_and_content(group.body)
    assert to == [user_named(name) for name in "abc"]
    assert list(group.members) == [message_named(name) for name in "abc"]
    assert (sent, group.crowd, group.next_attempt_at) == (content, read.id, NOON)
    assert group == read.as_multicast(content, wall=NOON, month=month_of(NOON))


@pytest.mark.parametrize(("names", "whole"), [("a", False), ("ab", True), ("aba", False)])
def test_only_several_different_people_make_a_multicast(names: str, whole: bool) -> None:
    """One is pushed; LINE would deliver once to whoever stands in it twice."""
    messages = [str(place) for place in range(len(names))]
    read = read_crowd(crowd(*messages, to=[user_named(name) for name in names]).to_json())
    assert read.is_multicast() is whole
    assert isinstance(read.id, UUID)
