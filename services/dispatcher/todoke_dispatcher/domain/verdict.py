"""LINE's answers, and what each means (RELIABILITY: dispatcher; LINE-API.md: retry key).

| answer | verdict |
|---|---|
| 200 with a request id and a JSON object, 409 | accepted |
| 400 | refused, for ever |
| 401, 403 | the channel is stopped |
| 429 that names the monthly limit | the month's messages are used up |
| 429 otherwise: rate, concurrency, too many to one user | slow down |
| 5xx, timeout, network, garbage, anything else | unclear: LINE may have it |

A refusal or a 409 that does not bear LINE's hand is garbage too: a proxy's 400 would lose the message, its 403 stop the
channel.
"""

from dataclasses import dataclass, field

from todoke_shared.jsons import loads

_LONGEST_REASON = 300
HAD_IT = "LINE 409: an earlier request with this key was accepted"


@dataclass(frozen=True, slots=True)
class Answer:
    """What LINE answered. Header fields that were absent are None."""

    status: int
    body: bytes = field(default=b"", repr=False)
    request_id: str | None = None
    accepted_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """LINE has the message, by this request or, as `reason` then says, by an earlier one with its key."""

    line_request_id: str | None
    reason: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """LINE will never take this message."""

    reason: str
    line_request_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ChannelStopped:
    """LINE takes nothing from this channel until an operator has seen to it. `status`: 401 or 403."""

    reason: str
    status: int = 401
    line_request_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MonthlyLimit:
    """The channel has used up its messages of this month."""

    reason: str = "monthly limit"
    line_request_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TooFast:
    """LINE did not take it: the channel sends too fast, or too much at once."""

    reason: str = "LINE asks to slow down"
    line_request_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unclear:
    """LINE may have taken it, or not."""

    reason: str
    line_request_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """Our own: its time slot had passed before the request could go out, so it did not."""

    reason: str = "its time slot had passed"


Verdict = Accepted | Refused | ChannelStopped | MonthlyLimit | TooFast | Unclear | NotSent


def judge(answer: Answer) -> Verdict:
    """What an answer means. Total: whatever it is, there is a verdict, and the safe one is `Unclear`.

    Each keeps LINE's id of the request: LINE asks for it, and has no logs for its users (LINE-API.md: sending).
    """
    asked = answer.request_id
    match answer.status:
        case 200 | 409:
            return _judge_acceptance(answer)
        case 400 | 401 | 403:
            return _judge_refusal(answer) if is_lines(answer) else _not_lines(answer)
        case 429:
            # Message strings are not guaranteed (LINE-API.md), so only a clear word parks a channel for the month.
            is_monthly = "monthly limit" in _told(answer.body).lower()
            return MonthlyLimit(line_request_id=asked) if is_monthly else TooFast(line_request_id=asked)
        case status:
            return Unclear(f"LINE {status}", asked)


def is_lines(answer: Answer) -> bool:
    """Whether a refusal bears LINE's hand: its request id, or at least JSON."""
    return answer.request_id is not None or _json_object(answer.body) is not None


def _judge_acceptance(answer: Answer) -> Verdict:
    if answer.status == 409 and (earlier := answer.accepted_request_id or answer.request_id):
        return Accepted(earlier, HAD_IT)
    if answer.status == 200 and answer.request_id and _json_object(answer.body) is not None:
        return Accepted(answer.request_id)
    return _not_lines(answer)


def _judge_refusal(answer: Answer) -> Verdict:
    reason = f"LINE {answer.status}: {_told(answer.body)}"
    if answer.status == 400:
        return Refused(reason, answer.request_id)
    return ChannelStopped(reason, answer.status, answer.request_id)


def _not_lines(answer: Answer) -> Unclear:
    """A proxy's page, not LINE's word; if LINE did take the message, the retry is told so with 409."""
    return Unclear(f"LINE {answer.status} without LINE's own answer", answer.request_id)


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        value = loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _told(body: bytes) -> str:
    """LINE's own words, with the properties meant. Without U+0000, which PostgreSQL's text cannot hold."""
    answer = _json_object(body) or {}
    told = str(answer.get("message", "no reason given"))
    details = answer.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            told += f"; {detail.get('property', '?')}: {detail.get('message', '?')}"
    return told.replace("\x00", "")[:_LONGEST_REASON]
