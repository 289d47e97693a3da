"""Every answer of LINE has one meaning, and what is not understood counts as maybe sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_dispatcher.domain.menus import judge_menu
from todoke_dispatcher.domain.verdict import (
    HAD_IT,
    Accepted,
    Answer,
    ChannelStopped,
    MonthlyLimit,
    Refused,
    TooFast,
    Unclear,
    judge,
)


def test_200_is_accepted_with_lines_request_id() -> None:
    """The id is the only trace of a message that LINE keeps for us."""
    assert judge(Answer(200, b'{"sentMessages":[{"id":"1"}]}', "id-1")) == Accepted("id-1")


def test_409_is_accepted_with_the_id_of_the_request_that_was() -> None:
    """The first request delivered it; the second only learnt so."""
    assert judge(Answer(409, b"{}", "id-2", accepted_request_id="id-1")) == Accepted("id-1")
    assert judge(Answer(409, b"{}", "id-2")) == Accepted("id-2")
    assert [getattr(judge(Answer(status, b"{}", "id")), "reason", "") for status in (200, 409)] == [None, HAD_IT]


@pytest.mark.parametrize(
    ("body", "request_id"),
    [(b"<html>\xff\xfe</html>", "id"), (b"{}", None), (b"", "id"), (b"[]", "id"), (b'{"a": NaN}', "id")],
)
def test_a_200_that_is_not_lines_is_unclear(body: bytes, request_id: str | None) -> None:
    """A proxy's page must not count as a delivered message; the retry finds out with the same key."""
    assert isinstance(judge(Answer(200, body, request_id)), Unclear)


@pytest.mark.parametrize("status", [400, 401, 403, 409])
@pytest.mark.parametrize("body", [b"<html>Bad Request</html>", b"", b"\xff", b"[]"])
def test_a_refusal_that_is_not_lines_is_unclear(status: int, body: bytes) -> None:
    """A proxy's 400 loses no message, its 403 stops no channel, and its 409 is no acceptance."""
    verdict = judge(Answer(status, body))
    assert verdict == Unclear(f"LINE {status} without LINE's own answer")
    assert not isinstance(judge(Answer(status, body, "LINE's id")), Unclear)
    assert judge_menu(Answer(404, body), "member") == Unclear("LINE 404")


def test_400_is_refused_with_lines_words() -> None:
    """The reason names the property, so that the campaign can be mended."""
    body = (
        b'{"message":"The request body has 1 error(s)",'
        b'"details":[{"message":"May not be empty","property":"messages[0].text"}]}'
    )
    assert judge(Answer(400, body)) == Refused(
        "LINE 400: The request body has 1 error(s); messages[0].text: May not be empty"
    )


def test_a_reason_fits_into_the_ledger() -> None:
    """However long and whatever its characters: PostgreSQL's text holds no U+0000."""
    verdict = judge(Answer(400, b'{"message":"a\\u0000' + b"x" * 5000 + b'"}'))
    assert isinstance(verdict, Refused)
    assert "\x00" not in verdict.reason
    assert len(verdict.reason) < 400


@pytest.mark.parametrize("status", [401, 403])
def test_401_and_403_stop_the_channel(status: int) -> None:
    """No message of this channel can succeed until somebody mends the token."""
    assert isinstance(judge(Answer(status, b'{"message":"Authentication failed"}')), ChannelStopped)


def test_429_is_told_apart_by_its_message() -> None:
    """Only the monthly limit parks a channel; everything else slows it, also words that we do not know."""
    assert judge(Answer(429, b'{"message":"You have reached your monthly limit."}')) == MonthlyLimit()
    for told in (b"The API rate limit has been exceeded. Try again later.", b"Too many concurrent requests", b""):
        assert judge(Answer(429, b'{"message":"' + told + b'"}')) == TooFast()
    assert judge(Answer(429, b"not JSON")) == TooFast()


@given(
    status=st.integers(100, 999).filter(lambda status: status not in {200, 400, 401, 403, 409, 429}),
    body=st.binary(max_size=50),
)
def test_any_other_answer_is_unclear(status: int, body: bytes) -> None:
    """5xx, redirects, statuses that LINE does not have: the same key again, never a verdict on the message."""
    assert isinstance(judge(Answer(status, body, "id")), Unclear)
