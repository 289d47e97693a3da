"""Deterministic identities: the same cause always gives the same id, so that doing a thing again changes nothing.

Every id is a UUID version 5 (RFC 9562, section 5.5) of its parts joined by "|".
"""

from datetime import UTC, datetime
from uuid import UUID, uuid5

_TODOKE = UUID("0f1d7f3e-58f1-5c4e-9b0a-7d0d0ce0e001")
_EVENT = uuid5(_TODOKE, "event")
_PERSON = uuid5(_TODOKE, "person")
_TRIGGER = uuid5(_TODOKE, "trigger")
_ENROLMENT = uuid5(_TODOKE, "enrolment")
_MESSAGE = uuid5(_TODOKE, "message")
_RETRY = uuid5(_TODOKE, "retry")
_OUTCOME = uuid5(_TODOKE, "outcome")
_CLICK = uuid5(_TODOKE, "click")
_MULTICAST = uuid5(_TODOKE, "multicast")
_SEGMENT_CHANGE = uuid5(_TODOKE, "segment-change")


def event_key(shop: str, source: str, source_id: str) -> UUID:
    """The identity of an event in every inbox: shop, source and the id that the source gave it."""
    unmistakable = source.replace("\\", "\\\\").replace("|", "\\|")  # or a|b + c would be a + b|c, and an event be lost
    return uuid5(_EVENT, f"{shop}|{unmistakable}|{source_id}")


def person_id(shop: str, identifier: str) -> UUID:
    """The person first seen under `identifier` (`customer:1`, `visitor:abc`, `line:main:U…`) at `shop`."""
    return uuid5(_PERSON, f"{shop}|{identifier}")


def trigger_id(cause: UUID, campaign: str, kind: str, person: UUID) -> UUID:
    """What became true of a person for a campaign because of one event."""
    return uuid5(_TRIGGER, f"{cause}|{campaign}|{kind}|{person}")


def enrolment_id(campaign: str, person: UUID, key: str, started_at: datetime) -> UUID:
    """One run of a person through a campaign; two entries in the same instant are one run."""
    return uuid5(_ENROLMENT, f"{campaign}|{person}|{key}|{started_at.timestamp():.6f}")


def message_id(enrolment: UUID, step: str) -> UUID:
    """The message that a step of an enrolment owes: there is exactly one."""
    return uuid5(_MESSAGE, f"{enrolment}|{step}")


def retry_key(message: UUID, epoch: int) -> UUID:
    """LINE's retry key for a message, or a group. The epoch changes only by an operator's decision (RELIABILITY)."""
    return uuid5(_RETRY, f"{message}|{epoch}")


def multicast_id(first_message: UUID, claim: int) -> UUID:
    """A group of messages that leave in one request. Its first message is taken up for the `claim`th time by it."""
    return uuid5(_MULTICAST, f"{first_message}|{claim}")


def half_id(multicast: UUID, half: int) -> UUID:
    """The first (0) or second (1) half of a group that LINE has refused."""
    return uuid5(_MULTICAST, f"{multicast}|half|{half}")


def outcome_id(message: UUID, state: str) -> UUID:
    """What became of a message; told twice, it is still one outcome."""
    return uuid5(_OUTCOME, f"{message}|{state}")


def click_id(token: str, at: datetime) -> UUID:
    """A click on a message's link: a double tap, or a second look within the same minute, is the same click."""
    return uuid5(_CLICK, f"{token}|{int(at.timestamp()) // 60}")


def segment_change_id(segment: str, person: UUID, at: datetime) -> UUID:
    """A person's entering or leaving a segment because an instant has come, whoever saw it, and however late."""
    return uuid5(_SEGMENT_CHANGE, f"{segment}|{person}|{at.astimezone(UTC).isoformat()}")
