"""LINE's webhook events -> the reply tokens that they bring. Nothing else of them is looked at here."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from todoke_dispatcher.domain.reply import Token, usable_until
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.records import Record

_LONGEST_TOKEN = 255
"""LINE's have 32 characters."""


def read_tokens(records: Sequence[Record], accounts: Collection[str], wall: datetime) -> list[Token]:
    """The tokens that may still be used at `wall`, each event's once.

    A record that nobody can read brings none, and is left to the segmenter, which puts it to the dead letters.
    """
    tokens: dict[UUID, Token] = {}
    for event in _events(records):
        token = _token(event) if event.account in accounts else None
        if token is not None and token.usable_until > wall:
            known = tokens.get(token.event)
            tokens[token.event] = token if known is None else max(known, token, key=lambda each: each.usable_until)
    return list(tokens.values())


def _events(records: Sequence[Record]) -> Iterable[LineEvent]:
    for record in records:
        try:
            yield LineEvent.from_json(record.value)
        except BadMessageError:
            continue


def _token(event: LineEvent) -> Token | None:
    """What may be answered to the person alone: never on behalf of a standby channel, nor into a group."""
    token, source = event.event.get("replyToken"), event.event.get("source")
    is_private = isinstance(source, dict) and source.get("type") == "user"
    if event.user is None or not is_private or event.event.get("mode") != "active":
        return None
    if not isinstance(token, str) or not 1 <= len(token) <= _LONGEST_TOKEN:
        return None
    delivery = event.event.get("deliveryContext")
    redelivered = isinstance(delivery, dict) and delivery.get("isRedelivery") is True
    until = usable_until(received_at=event.received_at, occurred_at=event.occurred_at, redelivered=redelivered)
    return Token(event.key, event.account, event.user.user_id, token, event.received_at, until)
