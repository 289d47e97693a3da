"""`todoke rebuild` and the scheduler: whoever it has never heard of, and would have written to, is counted."""

from datetime import timedelta

from tests.support.rebuilding.installation import Installation, Pool
from tests.support.rebuilding.story import CARE, NOW
from todoke_segmenter.rebuilding import SCHEMA
from todoke_segmenter.rebuilding.sides import LIVE
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Cause, Trigger


async def test_what_the_scheduler_never_heard_of_would_have_been_sent(installation: Installation) -> None:
    """By campaign; what it has taken is known by its id; and what is older than the campaign is told apart."""
    await installation.forget()
    await installation.take_topics(in_order=True)
    lost = await installation.hand_on(leave_out="order-confirmation")
    assert lost > 10
    sending = (await installation.rebuild()).sending
    confirmation = sending.entries.pop("order-confirmation")
    assert (confirmation.found, confirmation.known, confirmation.missing) == (lost, 0, lost)
    assert sending.entries.keys() >= {"cart-abandonment", "welcome", CARE.campaign}
    for entries in sending.entries.values():
        assert entries.found == entries.known > 0
    since = NOW + timedelta(days=1)
    await installation.pool.execute("UPDATE scheduler.campaign_versions SET published_at = $1", since)
    confirmation = (await installation.rebuild()).sending.entries["order-confirmation"]
    assert (confirmation.missing, confirmation.before) == (0, lost)


async def test_an_entry_is_known_whatever_the_person_was_called(installation: Installation) -> None:
    """Taken in another order, visitors entered before they were known to be members: the same cause, another id."""
    live = {(trigger.cause.key, trigger.campaign) for trigger in await entries_of(installation.pool, LIVE)}
    await installation.hand_on()
    sending = (await installation.rebuild(keep=True)).sending
    found = await entries_of(installation.pool, SCHEMA)
    known = [trigger for trigger in found if (trigger.cause.key, trigger.campaign) in live]
    ids = await installation.pool.fetch("SELECT key FROM scheduler.inbox")
    assert {trigger.id for trigger in known} - {row["key"] for row in ids}, "somebody is called otherwise"
    assert sum(entries.known for entries in sending.entries.values()) == len(known)
    assert sum(entries.found for entries in sending.entries.values()) == len(found) > len(known)


class Entry(Trigger):
    """A trigger that has a cause, as all of the segmenter's have."""

    cause: Cause


async def entries_of(pool: Pool, schema: str) -> list[Entry]:
    """The entries that wait in an outbox."""
    rows = await pool.fetch(f"SELECT value FROM {schema}.outbox WHERE topic = $1", CUSTOMER_TRIGGERS.name)  # noqa: S608
    triggers = [Entry.from_json(row["value"]) for row in rows]
    return [trigger for trigger in triggers if trigger.kind == "enter"]
