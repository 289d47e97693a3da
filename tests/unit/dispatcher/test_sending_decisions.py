"""Whether a due message goes out, and why not."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import NOON, delivery, request
from todoke_dispatcher.domain.conclude import conclude
from todoke_dispatcher.domain.decide import Channel, must_stand, worth_sending
from todoke_dispatcher.domain.delivery import Delivery, State, begin_attempt
from todoke_dispatcher.domain.quota import QuotaBook, month_of
from todoke_dispatcher.domain.verdict import (
    Accepted,
    Answer,
    ChannelStopped,
    MonthlyLimit,
    NotSent,
    Refused,
    TooFast,
    Unclear,
    Verdict,
    judge,
)
from todoke_shared.contracts.requests import Lane

NOVEMBER = date(2026, 11, 1)
OPEN = Channel("main")


def expiring(at: datetime) -> Delivery:
    """A delivery that is no longer useful after `at`."""
    return delivery(request=request(expires_at=at))


def test_an_expired_message_is_dropped_by_the_shops_time() -> None:
    """A campaign's expiry runs with the shop's clock, also when a replay hurries it; LINE's clock does not matter."""
    late = expiring(NOON)
    ended = worth_sending(late, now=NOON + timedelta(seconds=1), wall=NOON - timedelta(days=1), has_blocked=False)
    assert ended is not None
    assert (ended.state, ended.reason) == (State.DROPPED, "expired")
    assert worth_sending(late, now=NOON, wall=NOON + timedelta(days=1), has_blocked=False) is None


def test_a_person_who_blocked_the_account_gets_nothing() -> None:
    """LINE would answer 200 and deliver nothing, so we have to know."""
    ended = worth_sending(delivery(), now=NOON, wall=NOON, has_blocked=True)
    assert ended is not None
    assert (ended.state, ended.reason) == (State.DROPPED, "blocked")


def test_a_stopped_channel_holds_its_messages() -> None:
    """Nothing is lost while a token is being mended."""
    held = must_stand(delivery(), Channel("main", "LINE 401: no"), QuotaBook(NOVEMBER, None), wall=NOON)
    assert held is not None
    assert (held.state, held.reason) == (State.HELD, "channel stopped: LINE 401: no")


def test_a_message_that_may_be_out_waits_for_its_channel_without_being_held() -> None:
    """It is looked at again, so that the end of its key's life is noticed."""
    sent = begin_attempt(delivery(), b"{}", wall=NOON, lease=timedelta(seconds=15), month=NOVEMBER)
    stands = must_stand(sent, Channel("main", "LINE 401"), QuotaBook(NOVEMBER, None), wall=NOON)
    assert stands is not None
    assert stands.state is State.ATTEMPTING
    assert stands.next_attempt_at is not None
    assert stands.next_attempt_at > NOON
    assert stands.quota_month == NOVEMBER


@pytest.mark.parametrize(
    ("book", "marketing", "transactional"),
    [
        (QuotaBook(NOVEMBER, None), None, None),
        (QuotaBook(NOVEMBER, 100), 100, 100),
        (QuotaBook(NOVEMBER, 100, 0.1), 90, 100),
        (QuotaBook(NOVEMBER, 100, 0.1, transactional=4, marketing=90), 0, 6),
        (QuotaBook(NOVEMBER, 100, 0.1, transactional=30, marketing=60), 10, 10),
        (QuotaBook(NOVEMBER, 100, 0.1, transactional=30, marketing=70), 0, 0),
        (QuotaBook(NOVEMBER, 15, 0.1), 13, 15),
        (QuotaBook(NOVEMBER, 100, parked="marketing"), 0, 100),
        (QuotaBook(NOVEMBER, None, parked="all"), 0, 0),
    ],
)
def test_marketing_leaves_the_reserve_alone(book: QuotaBook, marketing: int | None, transactional: int | None) -> None:
    """The transactional lane may use all that is left; marketing what is left beside the reserve or its use."""
    assert (book.room("marketing"), book.room("transactional")) == (marketing, transactional)


@given(
    lanes=st.lists(st.sampled_from(["transactional", "marketing"])), limit=st.integers(0, 20), reserve=st.floats(0, 1)
)
def test_no_order_of_messages_passes_the_limit(lanes: list[Lane], limit: int, reserve: float) -> None:
    """Whatever comes when: both lanes stay within the limit, and a transactional message within the reserve fits."""
    book = QuotaBook(NOVEMBER, limit, reserve)
    for lane in lanes:
        if book.admits(lane):
            book = book.with_more(lane)
        elif lane == "transactional":
            assert book.transactional + book.marketing == limit
    assert book.transactional + book.marketing <= limit
    assert book.marketing <= limit * (1 - reserve) + 1e-9


def test_a_message_with_its_place_in_the_month_needs_no_second_one() -> None:
    """A retry is not held for a quota that it already has."""
    full = QuotaBook(NOVEMBER, 1, marketing=1)
    assert must_stand(delivery(quota_month=NOVEMBER), OPEN, full, wall=NOON) is None
    held = must_stand(delivery(), OPEN, full, wall=NOON)
    assert held is not None
    assert (held.state, held.reason) == (State.HELD, "monthly limit")


def test_lines_month_begins_at_midnight_in_tokyo() -> None:
    """15:00 UTC on the last day of a month is the next month there."""
    assert month_of(datetime(2026, 11, 30, 14, 59, 59, tzinfo=UTC)) == NOVEMBER
    assert month_of(datetime(2026, 11, 30, 15, 0, tzinfo=UTC)) == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("verdict", "keeps_its_place"),
    [
        (Accepted("id"), True),
        (Unclear("timeout"), True),
        (TooFast(), True),
        (Refused("LINE 400"), False),
        (ChannelStopped("LINE 401"), False),
        (MonthlyLimit(), False),
    ],
)
def test_quota_is_given_back_only_on_a_definitive_rejection(verdict: Verdict, keeps_its_place: bool) -> None:
    """What LINE has or may have stays counted, and so does what goes out again in a moment."""
    sent = begin_attempt(delivery(), b"{}", wall=NOON, lease=timedelta(seconds=15), month=NOVEMBER)
    after = conclude(delivery(), sent, verdict, wall=NOON, jitter=0.5)
    assert (after.quota_month == NOVEMBER) is keeps_its_place


@pytest.mark.parametrize("answer", [Answer(status, b"", "asked") for status in (400, 401, 403, 429, 500, 200)])
def test_lines_id_of_the_request_is_kept_whatever_it_answered(answer: Answer) -> None:
    """LINE asks for it, and keeps no logs for its users; a slot that has passed asks nothing and changes nothing."""
    sent = begin_attempt(delivery(), b"{}", wall=NOON, lease=timedelta(seconds=15), month=NOVEMBER)
    after = conclude(delivery(), sent, judge(answer), wall=NOON, jitter=0.5)
    assert after.line_request_id == "asked"


def test_a_slot_that_has_passed_asked_nothing() -> None:
    """What LINE called its last answer stays; an acceptance has the id of the request that was taken."""
    sent = begin_attempt(delivery(), b"{}", wall=NOON, lease=timedelta(seconds=15), month=NOVEMBER)
    waits = conclude(delivery(), sent, judge(Answer(500, b"", "first")), wall=NOON, jitter=0.5)
    again = begin_attempt(waits, b"{}", wall=NOON, lease=timedelta(seconds=15), month=NOVEMBER)
    assert conclude(waits, again, NotSent(), wall=NOON, jitter=0.5).line_request_id == "first"
    taken = judge(Answer(409, b"", "second", accepted_request_id="first"))
    assert conclude(waits, again, taken, wall=NOON, jitter=0.5).line_request_id == "first"
