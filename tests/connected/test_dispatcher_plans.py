"""What the dispatcher asks PostgreSQL on the way of a message reads through no table, however much lies in it."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from tests.support.deliveries import NOON, user_named
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import channels
from todoke_shared.postgres.queries import load_queries

SOME = [UUID(int=number) for number in range(1, 9)]
KEYS_OVER = NOON - timedelta(hours=23)
MONTH = NOON.date().replace(day=1)

_LEDGER = """
INSERT INTO deliveries (message_id, account, lane, state, shop, user_id, request, body, retry_key, ambiguous,
                        quota_month, first_attempt_at, next_attempt_at, expires_at, received_at, changed_at)
SELECT gen_random_uuid(), 'main', CASE WHEN n % 10 = 0 THEN 'transactional' ELSE 'marketing' END, state, 'main',
       'U' || md5(n::text), '{"due_at": "2026-11-21T03:00:00Z"}', CASE WHEN state = 'attempting' THEN '{}'::bytea END,
       gen_random_uuid(), state = 'attempting', CASE WHEN state IN ('attempting', 'accepted') THEN $2::date END,
       $1, $1, $1, $1, $1
  FROM generate_series(1, 30000) AS n
 CROSS JOIN LATERAL (SELECT CASE WHEN n % 50 = 0 THEN 'attempting' WHEN n % 50 = 1 THEN 'held'
                                 WHEN n % 50 = 2 THEN 'unknown' WHEN n % 5 = 3 THEN 'waiting'
                                 ELSE 'accepted' END) AS s (state)
"""
_GROUPS = """
INSERT INTO multicasts (id, account, state, members, body, retry_key, ambiguous, first_attempt_at, next_attempt_at,
                        campaign, formed_at, changed_at)
SELECT gen_random_uuid(), 'main', CASE WHEN n % 50 = 0 THEN 'attempting' ELSE 'accepted' END,
       ARRAY[gen_random_uuid(), gen_random_uuid()], '{}', gen_random_uuid(), n % 50 = 0, $1, $1, 'news', $1, $1
  FROM generate_series(1, 5000) AS n
"""
_CROWDS = """
INSERT INTO crowds (id, account, shop, campaign, state, message_ids, user_ids, people, enrolments, request,
                    multicast_id, next_attempt_at, received_at, changed_at)
SELECT gen_random_uuid(), 'main', 'main', 'news',
       CASE WHEN n % 50 = 0 THEN 'waiting' WHEN n % 50 = 1 THEN 'accepted' ELSE 'told' END,
       ARRAY[gen_random_uuid()], ARRAY['U' || md5(n::text)], ARRAY[NULL::uuid], ARRAY[NULL::uuid],
       '{"due_at": "2026-11-21T03:00:00Z"}', gen_random_uuid(), $1, $1, $1
  FROM generate_series(1, 5000) AS n
"""
_REPLIES = """
INSERT INTO replies (id, account, event_key, state, members, body, told_until, begun_at, changed_at)
SELECT gen_random_uuid(), 'main', gen_random_uuid(), CASE WHEN n % 500 = 0 THEN 'attempting' ELSE 'accepted' END,
       ARRAY[gen_random_uuid()], '{}', $1, $1, $1
  FROM generate_series(1, 5000) AS n
"""
_TOKENS = """
INSERT INTO reply_tokens (event_key, account, user_id, token, received_at, usable_until)
SELECT gen_random_uuid(), 'main', 'U' || md5(n::text), CASE WHEN n % 10 = 0 THEN 't' END, $1,
       $1::timestamptz + interval '30 seconds'
  FROM generate_series(1, 5000) AS n
"""
TABLES = ("deliveries", "multicasts", "crowds", "replies", "reply_tokens")

ASKED: list[tuple[str, str, Sequence[object]]] = [
    ("channels.sql", "due_channels", (["main"], NOON)),
    ("deliveries.sql", "lock_due", ("main", NOON, 500)),
    ("deliveries.sql", "lock_over", ("main", KEYS_OVER, NOON)),
    ("deliveries.sql", "release_expired", (NOON, NOON, 1000)),
    ("deliveries.sql", "put_off", (SOME, NOON)),
    ("multicasts.sql", "lock_fresh", ("main", NOON, 100)),
    ("multicasts.sql", "lock_due_multicasts", ("main", NOON, 200)),
    ("multicasts.sql", "lock_over_multicasts", ("main", KEYS_OVER, NOON)),
    ("multicasts.sql", "recalled_multicasts", (SOME, [NOON] * 8, NOON)),
    ("multicasts.sql", "join_multicasts", (NOON, SOME)),
    ("multicasts.sql", "settle_members", (NOON, SOME, "accepted")),
    ("multicasts.sql", "free_members", (NOON, SOME, "waiting")),
    ("multicasts.sql", "leave_alone", (NOON, "waiting", SOME, [b"{}"] * 8, MONTH)),
    ("crowds.sql", "lock_waiting_crowds", ("main", NOON, 16)),
    ("crowds.sql", "blocked_in_crowds", (SOME,)),
    ("crowds.sql", "crowds_to_open", (SOME,)),
    ("crowds.sql", "accept_crowds", (NOON, SOME)),
    ("crowds.sql", "lock_untold", (1,)),
    ("replies.sql", "find_idle", (["main"], NOON, NOON, 200)),
    ("replies.sql", "find_tokens", ("main", [user_named("hana")], NOON)),
    ("replies.sql", "take_tokens", (SOME,)),
    ("replies.sql", "return_tokens", (SOME, ["t"] * 8)),
    ("replies.sql", "lock_lost", (NOON, 100)),
    ("replies.sql", "join_replies", (NOON, SOME)),
    ("replies.sql", "settle_riders", (NOON, SOME, "accepted")),
    ("replies.sql", "free_riders", (NOON, SOME, "waiting")),
    ("away.sql", "hurry_deliveries", ("main", NOON, 10)),
    ("away.sql", "hurry_multicasts", ("main", NOON, 10)),
    ("settlements.sql", "lock_named", (SOME[0],)),
    ("settlements.sql", "unknown_deliveries", ("main", 50)),
]


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A ledger with a day's messages in it, a few of which are on their way."""
    async with open_bench(postgres_dsn) as bench:
        async with bench.pool.acquire() as connection:
            await channels.add(connection, ["main"])
        await bench.pool.execute(_LEDGER, NOON, MONTH)
        for statement in (_GROUPS, _CROWDS, _REPLIES, _TOKENS):
            await bench.pool.execute(statement, NOON)
        await bench.pool.execute(f"ANALYZE {', '.join(TABLES)}")
        yield bench


async def test_no_table_is_read_through_on_the_way_of_a_message(bench: Bench) -> None:
    """Each by an index: so a claim takes as long with a year of messages in the ledger as with a day's."""
    read_through: dict[str, list[str]] = {}
    async with bench.pool.acquire() as connection:
        for file, name, arguments in ASKED:
            query = load_queries("todoke_dispatcher.adapters", file)[name]
            plan = [str(row[0]) for row in await connection.fetch(f"EXPLAIN {query}", *arguments)]
            if any(f"Seq Scan on {table}" in line for line in plan for table in TABLES):
                read_through[name] = plan
    assert not read_through, "\n".join(line for name, plan in read_through.items() for line in (name, *plan))
