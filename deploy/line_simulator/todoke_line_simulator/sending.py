"""Sending messages: push, multicast, broadcast, reply, and the validation calls.

The order of the checks is LINE's as far as it can be seen: retry key, body, recipients, quota; then the request is
accepted, and only then is its retry key remembered. A call runs without interruption, so two requests with one key
cannot both pass: the second finds the first accepted, even while the first still waits for its answer.
"""

from todoke_line_simulator.calls import EMPTY, Answer, Call, answer_json
from todoke_line_simulator.message_log import AcceptedMessages
from todoke_line_simulator.problems import LineError, monthly_limited
from todoke_line_simulator.retry_keys import AcceptedRequest
from todoke_line_simulator.units import unit_of
from todoke_line_simulator.validation import (
    MAX_MESSAGES,
    Messages,
    check_envelope,
    checked_messages,
    multicast_recipients,
    parse_body,
    push_recipient,
    reply_token,
)

_FIRST_MESSAGE_ID = 10**17  # LINE's ids have 18 digits


def push(call: Call) -> Answer:
    """Send to one user. 200 also when the user has blocked the account; then nothing is delivered or billed."""
    _refuse_accepted(call)
    body = parse_body(call.body)
    to = push_recipient(body)
    check_envelope(call.endpoint, body)
    messages = checked_messages(body, minimal=call.simulator.settings.minimal)
    account = call.account
    if to not in account.users:
        raise LineError(400, "Failed to send messages")
    delivered = (to,) if account.friends.reached_by_push(to, call.now) else ()
    message_ids = _accept(call, (to,), delivered, messages)
    account.units.count(unit_of(body), len(delivered), call.now)
    return answer_json(_sent_messages(message_ids))


def multicast(call: Call) -> Answer:
    """Send to up to 500 users, all or nobody: one unknown user refuses the whole request without naming the user."""
    _refuse_accepted(call)
    body = parse_body(call.body)
    to = multicast_recipients(body)
    check_envelope(call.endpoint, body)
    messages = checked_messages(body, minimal=call.simulator.settings.minimal)
    account = call.account
    if not all(user_id in account.users for user_id in to):
        raise LineError(400, "Failed to send messages")
    delivered = tuple(user_id for user_id in dict.fromkeys(to) if account.friends.is_friend(user_id))
    _accept(call, tuple(to), delivered, messages)
    account.units.count(unit_of(body), len(delivered), call.now)
    return EMPTY


def broadcast(call: Call) -> Answer:
    """Send to all friends."""
    _refuse_accepted(call)
    body = parse_body(call.body)
    check_envelope(call.endpoint, body)
    messages = checked_messages(body, minimal=call.simulator.settings.minimal)
    _accept(call, (), call.account.friends.ids(), messages)
    return EMPTY


def reply(call: Call) -> Answer:
    """Answer an event: free of charge, once, within a minute."""
    body = parse_body(call.body)
    token = reply_token(body)
    check_envelope(call.endpoint, body)
    messages = checked_messages(body, minimal=call.simulator.settings.minimal)
    account = call.account
    user_id = account.reply_tokens.owner(token, call.now)
    if user_id is None:
        raise LineError(400, "Invalid reply token")
    account.reply_tokens.use(token)
    delivered = () if account.friends.is_blocked_by(user_id) else (user_id,)
    return answer_json(_sent_messages(_accept(call, (user_id,), delivered, messages, free=True)))


def validate(call: Call) -> Answer:
    """Check message objects without sending them. LINE looks at ``messages`` only."""
    checked_messages(parse_body(call.body), minimal=False)
    return EMPTY


def _refuse_accepted(call: Call) -> None:
    """409 when a request with this retry key was accepted; a push is told its message ids again, as LINE does."""
    accepted = call.account.retry_keys.find(call.retry_key, call.now) if call.retry_key else None
    if accepted is not None:
        raise LineError(
            409,
            "The retry key is already accepted",
            headers={"x-line-accepted-request-id": accepted.request_id},
            extra=_sent_messages(accepted.message_ids) if call.endpoint == "push" else None,
        )


def _accept(
    call: Call, to: tuple[str, ...], delivered: tuple[str, ...], messages: Messages, *, free: bool = False
) -> tuple[str, ...]:
    """Bill, record, remember the retry key; gives the message ids. Raises 429 when the quota has no room for all."""
    account, log = call.account, call.simulator.log
    if not free:
        if not account.quota.take(len(delivered), call.now):
            raise monthly_limited()
        account.stats.billed += len(delivered)
    account.stats.accepted += 1
    seq = log.next_seq()
    record = AcceptedMessages(
        seq, account.name, call.endpoint, to, delivered, messages.written, call.retry_key, call.request_id, call.now
    )
    log.add(record)
    message_ids = tuple(str(_FIRST_MESSAGE_ID + seq * MAX_MESSAGES + i) for i in range(messages.number))
    if call.retry_key is not None:
        account.retry_keys.remember(call.retry_key, AcceptedRequest(call.request_id, call.now, message_ids))
    return message_ids


def _sent_messages(message_ids: tuple[str, ...]) -> dict[str, object]:
    return {"sentMessages": [{"id": message_id} for message_id in message_ids]}
