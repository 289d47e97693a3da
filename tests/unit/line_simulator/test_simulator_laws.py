"""Laws that hold for every sequence of requests: rate limit, retry keys, quota, and the short way of validation."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from todoke_line_simulator.buckets import TokenBucket
from todoke_line_simulator.problems import LineError
from todoke_line_simulator.quota import MonthlyQuota
from todoke_line_simulator.retry_keys import RETRY_KEY_LIFE_SECONDS, AcceptedRequest, RetryKeys
from todoke_line_simulator.settings import RateLimit
from todoke_line_simulator.stats import BusiestSecond
from todoke_line_simulator.validation import checked_messages, messages_problems

START = 1_785_553_200.0
limits = st.builds(RateLimit, requests=st.integers(1, 50), per_seconds=st.sampled_from([0.5, 1.0, 60.0, 3600.0]))
waits = st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=200)


def moments(gaps: list[float]) -> list[float]:
    at, found = START, []
    for gap in gaps:
        at += gap
        found.append(at)
    return found


@given(limits, waits)
def test_no_stretch_of_time_lets_more_pass_than_bucket_and_refill(limit: RateLimit, gaps: list[float]) -> None:
    """Between any two passed requests there are at most a full bucket and what flowed in meanwhile."""
    bucket = TokenBucket(limit, START)
    passed = [at for at in moments(gaps) if bucket.take(at)]
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            stretch = passed[last] - passed[first]
            room = limit.requests + limit.requests * stretch / limit.per_seconds
            assert last - first + 1 <= room + 1e-3


@given(limits, st.integers(1, 300))
def test_who_keeps_to_the_limit_is_never_refused(limit: RateLimit, requests: int) -> None:
    """Evenly spaced at the limit, from a full bucket: every request passes."""
    bucket = TokenBucket(limit, START)
    step = limit.per_seconds / limit.requests
    assert all(bucket.take(START + number * step) for number in range(requests))


@given(limits, waits)
def test_a_bucket_refuses_only_when_it_is_empty(limit: RateLimit, gaps: list[float]) -> None:
    """After a refusal the wait for one token is enough, and it is never longer than the limit says."""
    bucket = TokenBucket(limit, START)
    for at in moments(gaps):
        if not bucket.take(at):
            assert bucket.take(at + limit.per_seconds / limit.requests + 1e-3)
            return


@given(limits, st.floats(0, 1e6))
def test_a_clock_that_steps_back_gives_no_tokens(limit: RateLimit, back: float) -> None:
    """An empty bucket stays empty."""
    bucket = TokenBucket(limit, START)
    while bucket.take(START):
        pass
    assert not bucket.take(START - back)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 50_000)), max_size=60))
def test_a_key_is_accepted_once_within_any_24_hours(requests: list[tuple[str, float]]) -> None:
    """Two acceptances of one key are at least a day apart, and a repetition names the acceptance before it."""
    keys, at = RetryKeys(), START
    last: dict[str, float] = {}
    for key, gap in requests:
        at += gap
        found = keys.find(key, at)
        if found is None:
            assert at - last.get(key, -1e12) >= RETRY_KEY_LIFE_SECONDS
            keys.remember(key, AcceptedRequest(f"{key} at {at}", at, ()))
            last[key] = at
        else:
            assert found.request_id == f"{key} at {last[key]}"
            assert at - last[key] < RETRY_KEY_LIFE_SECONDS
        assert len(keys) <= 3


@given(st.integers(0, 50), st.lists(st.integers(0, 20), max_size=30))
def test_a_quota_is_never_exceeded_and_never_wasted(limit: int, demands: list[int]) -> None:
    """Each demand is billed whole or not at all, and refused only when it does not fit."""
    quota, billed = MonthlyQuota(limit), 0
    for recipients in demands:
        fits = billed + recipients <= limit
        assert quota.take(recipients, START) is fits
        billed += recipients if fits else 0
        assert quota.usage(START) == billed <= limit


@given(waits)
def test_the_busiest_second_is_the_true_maximum(gaps: list[float]) -> None:
    """The sliding count equals counting for every arrival who came within the second before."""
    busiest, arrivals = BusiestSecond(), moments(gaps)
    for at in arrivals:
        busiest.arrived(at)
    assert busiest.most == max(
        sum(1 for other in arrivals[: index + 1] if at - other < 1.0) for index, at in enumerate(arrivals)
    )


messages = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "flex", 1]), "text": st.one_of(st.text(max_size=20), st.integers(0, 9))},
        optional={"sender": st.none()},
    ),
    min_size=1,
    max_size=5,
)


@given(messages, st.integers(1, 3000))
def test_the_short_way_of_validation_passes_only_what_the_long_way_passes(
    given_messages: list[dict[str, object]], repeat: int
) -> None:
    """Plain texts skip the models; whatever passes so would have passed the models and limits too."""
    given_messages[0]["text"] = "😀a"[: repeat % 3] * repeat
    written = orjson.dumps(given_messages)
    try:
        checked_messages({"messages": given_messages}, minimal=False)
    except LineError as error:
        assert error.status == 400
        assert messages_problems(written)
    else:
        assert not messages_problems(written)
