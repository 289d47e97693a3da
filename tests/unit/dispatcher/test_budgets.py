"""Budgets of campaigns and messages sent elsewhere: nothing passes them, and nobody waits because of another."""

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import NOON, delivery, message_named, request, user_named
from todoke_dispatcher.domain.decide import Channel, must_stand
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.grouping import Candidate, group
from todoke_dispatcher.domain.quota import CampaignBook, QuotaBook, day_of, lower_of, month_after, month_of
from todoke_dispatcher.forming import share_out
from todoke_shared.campaigns.limits import Budget
from todoke_shared.contracts.requests import Lane

NOVEMBER = date(2026, 11, 1)
NAMES = st.sampled_from([None, "sale", "care"])
LANES = st.sampled_from(["marketing", "transactional"])
BOOKS = st.builds(
    QuotaBook,
    st.just(NOVEMBER),
    limit=st.one_of(st.none(), st.integers(0, 30)),
    reserve=st.sampled_from([0.0, 0.1, 0.5]),
    elsewhere=st.integers(0, 12),
    campaigns=st.fixed_dictionaries(
        {"sale": st.builds(CampaignBook, st.integers(0, 3), st.one_of(st.none(), st.integers(0, 10)))}
    ),
)


def candidate(number: int, campaign: str | None) -> Candidate:
    """A waiting marketing message, like all the others but for its person and campaign."""
    return Candidate(message_named(f"m{number}"), user_named(f"p{number}"), b"[]", None, 0, campaign)


@given(BOOKS, st.lists(st.tuples(LANES, NAMES), max_size=60))
def test_no_order_of_messages_passes_a_limit_or_a_budget(
    book: QuotaBook, wanted: list[tuple[Lane, str | None]]
) -> None:
    """Whatever comes when: ours and what was sent elsewhere stay within the month, each campaign within its budget."""
    begun, sent = book, Counter[str | None]()
    for lane, campaign in wanted:
        one = delivery(request=request(campaign=campaign), lane=lane)
        reason = book.refuses(one, lane)
        if reason is None:
            book = book.with_more(lane, campaign=campaign)
            sent[campaign] += 1
        elif reason == "monthly limit":
            assert not book.admits(lane)
        else:
            assert (reason, book.admits(lane)) == ("budget of sale", True)
    ours = book.transactional + book.marketing
    assert ours == sent.total()
    assert begun.limit is None or ours <= max(0, begun.limit - begun.elsewhere)
    budget = begun.campaigns["sale"]
    assert budget.limit is None or sent["sale"] <= max(0, budget.limit - budget.used)


@given(BOOKS, st.lists(NAMES, max_size=60))
def test_a_group_is_made_of_what_fits_alone(book: QuotaBook, waiting: list[str | None]) -> None:
    """Shared out in order, all at once as one by one: whom the budget leaves out takes nobody's place."""
    candidates = [candidate(number, campaign) for number, campaign in enumerate(waiting)]
    fitting, beyond, full = share_out(candidates, book)
    one_by_one = book
    admitted = []
    for each in candidates:
        one = delivery(request=request(campaign=each.campaign))
        if one_by_one.refuses(one, "marketing") is None:
            one_by_one = one_by_one.with_more("marketing", campaign=each.campaign)
            admitted.append(each)
    assert (fitting, full) == (admitted, one_by_one)
    assert Counter(fitting + beyond) == Counter(candidates)
    for each in beyond:
        assert full.refuses(delivery(request=request(campaign=each.campaign)), "marketing") is not None


def test_a_group_is_of_one_campaign() -> None:
    """Though LINE would take them together: its places are of one budget."""
    grouped = group([candidate(number, ("sale", "care")[number % 2]) for number in range(6)])
    assert [{each.campaign for each in members} for members in grouped.groups] == [{"sale"}, {"care"}]


def test_a_message_beyond_the_budget_is_held_with_its_reason() -> None:
    """Also a transactional one: the reserve is the lane's, the budget is the campaign's."""
    full = QuotaBook(NOVEMBER, 100, campaigns={"sale": CampaignBook(5, 5)})
    lanes: tuple[Lane, ...] = ("marketing", "transactional")
    for lane in lanes:
        held = must_stand(delivery(request=request(campaign="sale"), lane=lane), Channel("main"), full, wall=NOON)
        assert held is not None
        assert (held.state, held.reason) == (State.HELD, "budget of sale")
        assert (
            must_stand(delivery(request=request(campaign="care"), lane=lane), Channel("main"), full, wall=NOON) is None
        )


def test_a_message_with_its_place_needs_no_second_one_in_the_budget() -> None:
    """A retry is not held for a budget that it is counted in."""
    full = QuotaBook(NOVEMBER, None, campaigns={"sale": CampaignBook(5, 5)})
    placed = delivery(request=request(campaign="sale"), quota_month=NOVEMBER)
    assert must_stand(placed, Channel("main"), full, wall=NOON) is None


@pytest.mark.parametrize(
    ("book", "marketing", "transactional"),
    [
        (QuotaBook(NOVEMBER, 100, 0.1, elsewhere=30), 60, 70),
        (QuotaBook(NOVEMBER, 100, 0.1, elsewhere=100), 0, 0),
        (QuotaBook(NOVEMBER, 100, 0.1, elsewhere=120, marketing=5), 0, 0),
        (QuotaBook(NOVEMBER, None, 0.1, elsewhere=120), None, None),
    ],
)
def test_what_was_sent_elsewhere_makes_the_room_smaller(
    book: QuotaBook, marketing: int | None, transactional: int | None
) -> None:
    """The shop's own hands send marketing: the reserve stays what it is as long as it can."""
    assert (book.room("marketing"), book.room("transactional")) == (marketing, transactional)


@pytest.mark.parametrize(
    ("budget", "price", "messages"),
    [
        (Budget(messages=500), None, 500),
        (Budget(yen=1000), Decimal(3), 333),
        (Budget(yen=1000), Decimal("2.5"), 400),
        (Budget(messages=100, yen=1000), Decimal(3), 100),
        (Budget(messages=500, yen=1000), Decimal(3), 333),
        (Budget(yen=2), Decimal(3), 0),
        (Budget(yen=1000), None, 0),
        (Budget(messages=500, yen=1000), None, 0),
    ],
)
def test_yen_are_messages_at_the_accounts_price(budget: Budget, price: Decimal | None, messages: int) -> None:
    """Rounded down; with both, whichever is less; without a price nobody can tell, and nothing goes."""
    assert budget.messages_at(price) == messages


def test_months_follow_each_other() -> None:
    """Whatever their length; and the lower of two limits is the one that is there."""
    assert [month_after(date(2026, month, 1)).month for month in range(1, 13)] == [*range(2, 13), 1]
    assert month_after(date(2027, 1, 1)) == date(2027, 2, 1)
    assert (day_of(NOON), month_of(NOON)) == (date(2026, 11, 21), NOVEMBER)
    assert [lower_of(*both) for both in ((None, None), (5, None), (None, 5), (7, 5))] == [None, 5, 5, 5]
