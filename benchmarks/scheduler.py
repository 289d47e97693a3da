"""Due timers into message requests: `Scheduler.fire_due` on PostgreSQL, without Kafka.

Floor (issue "Scheduler: campaigns as a language"): per 500 timers one transaction that deletes them with
SKIP LOCKED and inserts an outbox row of the same size for each; no enrolment is read, moved on or written.
"""

from benchmarks.figures import Bench, Figure, Stopwatch, alternate
from benchmarks.rooms import Pool, one_connection, open_database
from todoke_scheduler.handlers import CLAIM, Scheduler
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.stream import OUTBOX_SHARDS

TIMERS = 20_000

_PEOPLE = """
INSERT INTO segmenter.people (person_id, shop, state, facts)
SELECT md5('person' || i)::uuid, 'main', '{}', jsonb_build_object('cart', jsonb_build_array(
       jsonb_build_object('product_id', 'tea-' || i, 'name', 'お茶 ' || i, 'quantity', 1, 'price', 980)))
  FROM generate_series(1, $1::int) AS i
"""
_FRIENDS = """
INSERT INTO segmenter.friend_status (account, user_id, shop, person_id, is_friend, changed_at)
SELECT 'main', 'U' || md5('user' || i), 'main', md5('person' || i)::uuid, true, now()
  FROM generate_series(1, $1::int) AS i
"""
_RUNS = """
INSERT INTO enrolments (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at, position, status,
                        context)
SELECT md5('run' || i)::uuid, 'cart-abandonment', 1, 'main', md5('person' || i)::uuid, '',
       now() - interval '1 hour' - i * interval '1 ms', now() - i * interval '1 ms', 1, 'active',
       jsonb_build_object('event', jsonb_build_object('item', jsonb_build_object('product_id', 'tea-' || i)))
  FROM generate_series(1, $1::int) AS i
"""
_DAYS = "SELECT hold_timer_days(ARRAY(SELECT DISTINCT (due_at AT TIME ZONE 'UTC')::date FROM enrolments ORDER BY 1))"
_TIMERS = "INSERT INTO timers (due_at, enrolment, position) SELECT due_at, enrolment_id, position FROM enrolments"

_FLOOR_TABLES = """
CREATE SCHEMA floor;
CREATE TABLE floor.timers (LIKE scheduler.timers INCLUDING ALL);
CREATE TABLE floor.outbox (LIKE scheduler.outbox INCLUDING ALL);
INSERT INTO floor.timers SELECT * FROM scheduler.timers;
"""
_CLAIM = """
DELETE FROM timers WHERE ctid = any(ARRAY(
    SELECT ctid FROM timers WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING due_at, enrolment, position
"""
_PUT = """
INSERT INTO outbox (shard, topic, key, value, headers)
SELECT s, $2, k, v, '{}' FROM unnest($1::int[], $3::bytea[], $4::bytea[]) AS r (s, k, v)
"""
_A_REQUEST = b"x" * 550
"""As long as the request of a cart reminder with one item."""


async def bare_claim(pool: Pool) -> int:
    """The floor: one claim."""
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_CLAIM, CLAIM)
        keys = [row["enrolment"].bytes for row in rows]
        shards, values = [key[0] % OUTBOX_SHARDS for key in keys], [_A_REQUEST] * len(keys)
        await connection.execute(_PUT, shards, REQUESTS_MARKETING.name, keys, values)
    return len(rows)


async def prepare(pool: Pool) -> None:
    """So many people, friends all of them, an hour after the last change of their carts."""
    for statement in (_PEOPLE, _FRIENDS, _RUNS):
        await pool.execute(statement, TIMERS)
    await pool.execute(_DAYS)
    await pool.execute(_TIMERS)
    await pool.execute("ANALYZE")


async def run(bench: Bench) -> list[Figure]:
    """Every timer sends the first cart reminder and sets the timer of the second."""
    async with (
        open_database() as dsn,
        one_connection(dsn, "scheduler") as (pool, postgres_cpu),
        one_connection(dsn, "floor") as (floor_pool, floor_postgres_cpu),
    ):
        await prepare(pool)
        await floor_pool.execute(_FLOOR_TABLES)
        catalogue = CampaignCatalogue(pool)
        await catalogue.refresh()
        scheduler = Scheduler(pool, await open_clock(pool), catalogue, cluster="benchmark", wake=lambda: None)
        ours, floor = Stopwatch(), Stopwatch()
        behind, floor_behind = postgres_cpu(), floor_postgres_cpu()
        contestants = [(ours, lambda _: scheduler.fire_due()), (floor, lambda _: bare_claim(floor_pool))]
        await alternate(bench, f"claims of {CLAIM} timers", TIMERS // CLAIM, contestants)
        behind, floor_behind = postgres_cpu() - behind, floor_postgres_cpu() - floor_behind
        requests = await pool.fetchval("SELECT count(*) FROM outbox")
    if requests != ours.items:
        raise RuntimeError(f"{ours.items} timers made {requests} requests: what was measured is not what was meant")
    remark = (
        f"PostgreSQL's CPU a timer {behind / ours.items * 1e6:,.0f} µs ({floor_behind / floor.items * 1e6:,.0f});"
        f" {TIMERS:,} pending"
    )
    return [bench.rates("timers fired, request in the outbox", "timers/s", ours, floor, remark)]
