"""Which messages leave together: each in one group, nobody twice in it, and halves that are always the same."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import NOON, message_named, user_named
from todoke_dispatcher.domain.grouping import LARGEST_GROUP, Candidate, form, group
from todoke_dispatcher.domain.multicast import Alone, Multicast, split
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.rendering import (
    MAX_BODY_BYTES,
    RenderError,
    addressed,
    content_of,
    recipients_and_content,
    variables_of,
)
from todoke_shared.ids import retry_key

NOVEMBER = month_of(NOON)


def content(text: str = "新茶が届きました") -> bytes:
    """What a request of one text sends."""
    return content_of([{"type": "text", "text": text}])


def candidate(number: int, *, to: int | None = None, text: str = "新茶が届きました", **fields: object) -> Candidate:
    """A message that waits, for a person of its own unless `to` says whose."""
    person = user_named(f"p{number if to is None else to}")
    waiting = Candidate(message_named(f"m{number}"), person, content(text), None, 0)
    return waiting._replace(**fields)  # type: ignore[arg-type]


def formed(number: int) -> Multicast:
    """A group of so many, as it is stored."""
    return form("main", [candidate(index) for index in range(number)], wall=NOON, month=NOVEMBER)


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), max_size=60))
def test_every_message_is_in_exactly_one_group_or_alone(waiting: list[tuple[int, str]]) -> None:
    """Whoever waits, with whatever content, how often it may be: nobody is left out, and nobody is twice in a group."""
    candidates = [candidate(number, to=to, text=text) for number, (to, text) in enumerate(waiting)]
    grouped = group(candidates)
    assert Counter(each for members in (*grouped.groups, grouped.alone) for each in members) == Counter(candidates)
    for members in grouped.groups:
        assert len({each.content for each in members}) == 1
        assert len({each.to for each in members}) == len(members) >= 2
    most = Counter((each.to, each.content) for each in candidates)
    for body in {each.content for each in candidates}:
        rounds = max(count for (_, of), count in most.items() if of == body)
        made = sum(members[0].content == body for members in grouped.groups)
        made += sum(each.content == body for each in grouped.alone)
        assert made == rounds, "as few requests as there can be"


def test_a_group_has_at_most_500_recipients() -> None:
    """LINE's limit; 1,201 of them are three requests, the last of 201, and 1,001 leave one alone."""
    assert [len(each) for each in group([candidate(number) for number in range(1201)]).groups] == [500, 500, 201]
    grouped = group([candidate(number) for number in range(1001)])
    assert ([len(each) for each in grouped.groups], len(grouped.alone)) == ([500, 500], 1)


def test_a_group_fits_into_lines_largest_body() -> None:
    """Content of nearly 2 MB goes to as many as there is room for; what fits for nobody is refused as a push is."""
    large = content("a" * (MAX_BODY_BYTES - 10_000))
    grouped = group([candidate(number)._replace(content=large) for number in range(LARGEST_GROUP)])
    sizes = [len(form("main", members, wall=NOON, month=NOVEMBER).body) for members in grouped.groups]
    assert len(sizes) == 2
    assert MAX_BODY_BYTES - 100 < sizes[0] <= MAX_BODY_BYTES
    with pytest.raises(RenderError, match="LINE takes at most"):
        addressed(user_named("one"), content("a" * MAX_BODY_BYTES))


def test_the_body_is_a_multicast_in_lines_words() -> None:
    """Recipients in the order of the members, and the content as each alone would get it."""
    group_of_three = formed(3)
    assert json.loads(group_of_three.body) == {
        "to": [user_named(f"p{number}") for number in range(3)],
        "messages": [{"type": "text", "text": "新茶が届きました"}],
    }
    assert group_of_three.members == tuple(message_named(f"m{number}") for number in range(3))


def test_a_group_expires_with_the_first_of_its_members() -> None:
    """By then it is not sent as it is."""
    early, late = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    members = [candidate(0, expires_at=late), candidate(1, expires_at=early), candidate(2)]
    assert form("main", members, wall=NOON, month=NOVEMBER).expires_at == early
    assert formed(2).expires_at is None


def test_a_groups_identity_comes_from_its_first_message_and_its_claim() -> None:
    """The same group formed again by the same claim has the same key; formed later, after it was dissolved, another."""
    first = formed(3)
    assert formed(3) == first
    assert first.retry_key == retry_key(first.id, 0)
    later = form("main", [candidate(0, claims=1), candidate(1)], wall=NOON, month=NOVEMBER)
    assert later.id != first.id
    assert later.retry_key != first.retry_key


@given(st.integers(2, 500))
def test_the_halves_of_a_refused_group_are_the_group(number: int) -> None:
    """In order, with the same content, each with a key of its own, and the same whoever splits it."""
    refused = formed(number)
    halves, alone = split(refused, month=NOVEMBER, wall=NOON)
    assert (halves, alone) == split(refused, month=NOVEMBER, wall=NOON)
    parts = sorted(
        [(each.members, each.body) for each in halves] + [((each.message_id,), each.body) for each in alone],
        key=lambda part: refused.members.index(part[0][0]),
    )
    assert tuple(member for members, _ in parts for member in members) == refused.members
    assert abs(len(parts[0][0]) - len(parts[1][0])) <= 1
    to, sent = recipients_and_content(refused.body)
    assert [person for _, body in parts for person in recipients_of(body)] == to
    assert {content_behind(body) for _, body in parts} == {sent}
    keys = {each.retry_key for each in halves} | {refused.retry_key}
    assert len(keys) == len(halves) + 1
    assert all((each.parent, each.quota_month, each.next_attempt_at) == (refused.id, NOVEMBER, NOON) for each in halves)


def recipients_of(body: bytes) -> list[str]:
    """Whom a push or a multicast is for."""
    to = json.loads(body)["to"]
    return [to] if isinstance(to, str) else to


def content_behind(body: bytes) -> bytes:
    """All of a body but its recipients."""
    return b"{" + body[body.index(b'"messages"') :]


@given(st.integers(2, 500), st.data())
def test_the_poison_is_found_in_logarithmically_many_requests(number: int, data: st.DataObject) -> None:
    """k bad ids among n: at most 1 + 2k·⌈log2 n⌉ requests, only the bad ones are refused alone, the rest delivered."""
    poison = data.draw(st.sets(st.integers(0, number - 1), max_size=8))
    bad = {user_named(f"p{each}") for each in poison}
    requests = 0
    delivered: list[str] = []
    failed: list[UUID] = []
    waiting: list[Multicast | Alone] = [formed(number)]
    while waiting:
        sent = waiting.pop()
        requests += 1
        to = recipients_of(sent.body)
        if bad.isdisjoint(to):
            delivered += to
        elif isinstance(sent, Multicast):
            halves, alone = split(sent, month=NOVEMBER, wall=NOON)
            waiting += [*halves, *alone]
        else:
            failed.append(sent.message_id)
    assert requests <= 1 + 2 * len(poison) * (number - 1).bit_length()
    assert Counter(delivered) == Counter({user_named(f"p{each}"): 1 for each in range(number) if each not in poison})
    assert sorted(failed) == sorted(message_named(f"m{each}") for each in poison)


def test_what_a_template_does_not_read_keeps_nobody_apart() -> None:
    """Only the variables that some text of it names, however deep the text stands."""
    template = [
        {"type": "text", "text": "{% for item in cart %}{{ item.name }}{% endfor %}"},
        {"type": "flex", "contents": {"body": ["{{ event.shop }}", 3, None]}},
    ]
    assert variables_of(template) == {"cart", "event"}
    assert variables_of([{"type": "text", "text": "{{ broken"}]) == frozenset()


def test_a_body_is_put_together_and_taken_apart_byte_for_byte() -> None:
    """Also when the content itself looks like the end of the recipients."""
    odd = content('"],"to":["U1"]')
    people = [user_named("a"), user_named("b")]
    assert recipients_and_content(addressed(people, odd)) == (people, odd)
    assert replace(formed(2), body=addressed(people, odd)).size == 2
