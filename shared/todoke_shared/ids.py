"""Deterministic identities: the same cause always gives the same id, so that doing a thing again changes nothing.

Every id is a UUID version 5 (RFC 9562, section 5.5) of its parts joined by "|".
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha1
from uuid import UUID, SafeUUID, uuid5

_FREE, _VERSION_5 = ~(0xF << 76 | 0x3 << 62), 0x5 << 76 | 0x2 << 62
"""The bits of a UUID that say of which version and variant it is, and those that are free."""
_TODOKE = UUID("0f1d7f3e-58f1-5c4e-9b0a-7d0d0ce0e001")


def _ids_of(kind: str) -> Callable[[str], UUID]:
    """`uuid5` below the namespace of a kind, which is hashed once for all of them: three times as fast."""
    namespace = sha1(uuid5(_TODOKE, kind).bytes, usedforsecurity=False)

    def made_of(parts: str) -> UUID:
        digest = namespace.copy()
        digest.update(parts.encode())
        return _uuid(int.from_bytes(digest.digest()[:16]) & _FREE | _VERSION_5)

    return made_of


def _uuid(number: int) -> UUID:
    """`UUID(int=number)` in a third of its time: it asks five times what it was given. A test holds both to be one."""
    made = object.__new__(UUID)
    object.__setattr__(made, "int", number)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


_of_event = _ids_of("event")
_of_person = _ids_of("person")
_of_trigger = _ids_of("trigger")
_of_enrolment = _ids_of("enrolment")
_of_message = _ids_of("message")
_of_retry = _ids_of("retry")
_of_outcome = _ids_of("outcome")
_of_click = _ids_of("click")
_of_shared_link = _ids_of("shared-link")
_of_account_link = _ids_of("account-link")
_of_multicast = _ids_of("multicast")
_of_reply = _ids_of("reply")
_of_segment_change = _ids_of("segment-change")
_of_date = _ids_of("date")
_of_broadcast = _ids_of("broadcast")
_of_effect = _ids_of("effect")


def event_key(shop: str, source: str, source_id: str) -> UUID:
    """The identity of an event in every inbox: shop, source and the id that the source gave it."""
    unmistakable = source.replace("\\", "\\\\").replace("|", "\\|")  # or a|b + c would be a + b|c, and an event be lost
    return _of_event(f"{shop}|{unmistakable}|{source_id}")


def person_id(shop: str, identifier: str) -> UUID:
    """The person first seen under `identifier` (`customer:1`, `visitor:abc`, `line:main:U…`) at `shop`."""
    return _of_person(f"{shop}|{identifier}")


def trigger_id(cause: UUID, campaign: str, kind: str, person: UUID) -> UUID:
    """What became true of a person for a campaign because of one event."""
    return _of_trigger(f"{cause}|{campaign}|{kind}|{person}")


def enrolment_id(campaign: str, person: UUID, key: str, started_at: datetime) -> UUID:
    """One run of a person through a campaign; two entries in the same instant are one run."""
    return _of_enrolment(f"{campaign}|{person}|{key}|{started_at.timestamp():.6f}")


def message_id(enrolment: UUID, step: str) -> UUID:
    """The message that a step of an enrolment owes: there is exactly one."""
    return _of_message(f"{enrolment}|{step}")


def retry_key(message: UUID, epoch: int) -> UUID:
    """LINE's retry key for a message, or a group. The epoch changes only by an operator's decision (RELIABILITY)."""
    return _of_retry(f"{message}|{epoch}")


def multicast_id(first_message: UUID, claim: int) -> UUID:
    """A group of messages that leave in one request. Its first message is taken up for the `claim`th time by it.

    A crowd's is named after the crowd, which is taken up once.
    """
    return _of_multicast(f"{first_message}|{claim}")


def crowd_id(first_message: UUID) -> UUID:
    """Messages that are asked for together, by the first of them."""
    return _of_multicast(f"{first_message}|crowd")


def half_id(multicast: UUID, half: int) -> UUID:
    """The first (0) or second (1) half of a group that LINE has refused."""
    return _of_multicast(f"{multicast}|half|{half}")


def reply_id(event: UUID, use: int) -> UUID:
    """The reply to a webhook event; its token is taken for the `use`th time by it."""
    return _of_reply(f"{event}|{use}")


def outcome_id(message: UUID, state: str) -> UUID:
    """What became of a message; told twice, it is still one outcome."""
    return _of_outcome(f"{message}|{state}")


def click_id(token: str, at: datetime) -> UUID:
    """A click on a message's link: a double tap, or a second look within the same minute, is the same click."""
    return _of_click(f"{token}|{int(at.timestamp()) // 60}")


def shared_link_id(*parts: object) -> UUID:
    """A link that all copies of a message share: whose, in which message, at which place, and where it leads."""
    return _of_shared_link("|".join(str(part).replace("\\", "\\\\").replace("|", "\\|") for part in parts))


def account_link_key(webhook: UUID) -> UUID:
    """That a LINE user and a customer are one, by LINE's webhook and the shop's nonce, whichever was heard first."""
    return _of_account_link(str(webhook))


def segment_change_id(segment: str, person: UUID, at: datetime) -> UUID:
    """A person's entering or leaving a segment because an instant has come, whoever saw it, and however late."""
    return _of_segment_change(f"{segment}|{person}|{at.astimezone(UTC).isoformat()}")


def date_key(campaign: str, day: date) -> UUID:
    """That a date of somebody's has come for a campaign which people enter by theirs; whose it is, the trigger says."""
    return _of_date(f"{campaign}|{day.isoformat()}")


def broadcast_id(campaign: str, due_at: datetime) -> UUID:
    """One occurrence of a scheduled campaign, whoever plans it."""
    return _of_broadcast(f"{campaign}|{due_at.astimezone(UTC).isoformat()}")


def effect_id(enrolment: UUID, step: str) -> UUID:
    """What a step of an enrolment tells others, as an event: there is exactly one."""
    return _of_effect(f"{enrolment}|{step}")
