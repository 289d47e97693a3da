"""One PostgreSQL, a role per service: each can do its own work and sees of the others only what they publish."""

import uuid
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from todoke_local.rooms import ROOMS
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.grants import ROLES, create_roles, grant
from todoke_shared.postgres.migrate import migrate
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import admit, put_outbox

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SERVICES_WITH_TABLES = tuple(room.schema for room in ROOMS if room.schema != "platform")
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")

# Told apart from the code: the whole list of what a service may read outside its own schema.
READABLE = {
    "ingest": {"platform.simulated_clock", "dispatcher.published_links", "scheduler.current_campaigns"},
    "segmenter": {
        "platform.simulated_clock",
        "scheduler.published_campaigns",
        "scheduler.current_campaigns",
    },
    "scheduler": {
        "platform.simulated_clock",
        "segmenter.current_segments",
        "segmenter.friends",
        "segmenter.published_aliases",
        "segmenter.published_identities",
        "segmenter.published_people",
        "segmenter.published_products",
        "segmenter.published_states",
        "dispatcher.published_deliveries",
    },
    "dispatcher": {
        "platform.simulated_clock",
        "segmenter.friends",
        "segmenter.published_people",
        "segmenter.published_products",
        "scheduler.published_broadcasts",
        "scheduler.published_recalls",
        "scheduler.published_campaigns",
        "scheduler.current_campaigns",
    },
}


@pytest.fixture
async def migrated_dsn(empty_postgres_dsn: str) -> str:
    """A database with every room's tables, and the roles' rights granted twice, as a second `todoke migrate` does."""
    await migrate(empty_postgres_dsn, ROOMS)
    await grant(empty_postgres_dsn)
    await grant(empty_postgres_dsn)
    return empty_postgres_dsn


@pytest.fixture
async def owner(migrated_dsn: str) -> AsyncIterator[Connection]:
    """A connection of the user that owns the tables and may become any role."""
    connection = await asyncpg.connect(migrated_dsn)
    yield connection
    await connection.close()


def as_role(dsn: str, role: str) -> str:
    """The same database, in the role of a service from the first statement on."""
    return f"{dsn}{'&' if '?' in dsn else '?'}role={role}"


async def relations(connection: Connection) -> list[str]:
    """Every table and view of the installation, by its full name."""
    rows = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
        "AND n.nspname NOT LIKE 'pg_toast%'"
    )
    return [row["name"] for row in rows]


async def may_read(connection: Connection, relation: str) -> bool:
    """Whether the present role gets an answer, found by asking."""
    try:
        await connection.fetch(f"SELECT * FROM {relation} LIMIT 1")  # noqa: S608 - the catalogue gave the name
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


@pytest.mark.parametrize("service", READABLE)
async def test_a_service_reads_its_own_tables_and_what_others_publish(owner: Connection, service: str) -> None:
    """Asking every table and view in a service's role is answered for its own and the published, and for no other."""
    everything = await relations(owner)
    expected = {name for name in everything if name.startswith(f"{service}.")} | READABLE[service]
    await owner.execute(f"SET ROLE todoke_{service}")
    assert {name for name in everything if await may_read(owner, name)} == expected


@pytest.mark.parametrize("service", READABLE)
async def test_a_service_writes_nothing_outside_its_own_schema(owner: Connection, service: str) -> None:
    """Not the views that it reads, nor the clock, nor the record of migrations; nor may it add tables anywhere."""
    foreign = [name for name in await relations(owner) if not name.startswith(f"{service}.")]
    assert "public._pogo_migration" in foreign
    for name in foreign:
        for right in WRITES:
            allowed = await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", f"todoke_{service}", name, right)
            assert not allowed, f"todoke_{service} may {right} {name}"
    for schema in (*SERVICES_WITH_TABLES, "platform", "public"):
        assert not await owner.fetchval("SELECT has_schema_privilege($1, $2, 'CREATE')", f"todoke_{service}", schema), (
            f"todoke_{service} may create tables in {schema}"
        )


@pytest.mark.parametrize("service", SERVICES_WITH_TABLES)
async def test_a_service_may_run_each_of_its_queries(owner: Connection, service: str) -> None:
    """PostgreSQL plans, so checks the rights of, every named query that the service has, in its role and schema.

    What cannot be planned, LOCK alone, is done.
    """
    blocks = load_queries("todoke_shared.postgres", "stream.sql")
    for table in ("inbox", "consumed"):
        if not await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{service}.{table}"):
            blocks = {name: sql for name, sql in blocks.items() if table not in sql}
    own = [Path(str(folder)) for folder in files(f"todoke_{service}").joinpath("adapters").iterdir()]
    for file in (path for path in own if path.suffix == ".sql"):
        blocks |= load_queries(f"todoke_{service}.adapters", file.name)
    assert len(blocks) > 10
    await owner.execute(f"SET search_path TO {service}")
    await owner.execute(f"SET ROLE todoke_{service}")
    for name, sql in blocks.items():
        try:
            async with owner.transaction():
                cannot_be_planned = sql.rpartition("\n")[2].startswith("LOCK ")
                await owner.execute(sql if cannot_be_planned else f"EXPLAIN (GENERIC_PLAN) {sql}")
        except asyncpg.PostgresError as error:
            raise AssertionError(f"todoke_{service} cannot run {name}: {error}") from error


@pytest.mark.parametrize("service", SERVICES_WITH_TABLES)
async def test_a_service_writes_and_empties_its_own_outbox(migrated_dsn: str, service: str) -> None:
    """In its role a service follows the clock, loads campaigns if it knows any, writes with a generated id, deletes."""
    pool = await open_pool(as_role(migrated_dsn, f"todoke_{service}"), application="test", schema=service, size=1)
    try:
        assert (await sample_clock(pool)).rate == 1.0
        if service != "ingest":
            await CampaignCatalogue(pool).refresh()
        async with pool.acquire() as connection:
            await put_outbox(connection, [Outgoing(topic="t", key=b"k", value=b"v")])
        assert await pool.execute("DELETE FROM outbox") == "DELETE 1"
    finally:
        await pool.close()


async def test_the_segmenter_admits_to_its_inbox_and_nobody_elses(migrated_dsn: str) -> None:
    """The same call that works in the segmenter's own schema is refused in the scheduler's."""
    role = as_role(migrated_dsn, "todoke_segmenter")
    key = uuid.uuid4()
    pool = await open_pool(role, application="test", schema="segmenter", size=1)
    async with pool, pool.acquire() as connection:
        assert await admit(connection, [key]) == {key}
    pool = await open_pool(role, application="test", schema="scheduler", size=1)
    async with pool, pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await admit(connection, [key])


async def test_a_published_view_shows_rows_whose_table_is_closed(owner: Connection) -> None:
    """The scheduler reads a person through the segmenter's view, which reads its table with its owner's rights."""
    person = uuid.uuid4()
    await owner.execute(
        "INSERT INTO segmenter.people (person_id, shop, state, facts) VALUES ($1, 'main', '{}', '{}')", person
    )
    await owner.execute("SET ROLE todoke_scheduler")
    assert await owner.fetchval("SELECT current_id FROM segmenter.published_people") == person
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.fetch("SELECT person_id FROM segmenter.people")


async def test_ingest_cannot_make_itself_a_key(owner: Connection) -> None:
    """It looks keys up and no more: whoever takes ingest over leaves no key behind."""
    for right in WRITES:
        assert not await owner.fetchval("SELECT has_table_privilege('todoke_ingest', 'ingest.keys', $1)", right)


async def test_a_right_that_is_no_longer_listed_is_taken_back(owner: Connection, migrated_dsn: str) -> None:
    """A right given by hand, or by an earlier release, does not outlive the next grant."""
    await owner.execute("GRANT SELECT ON segmenter.people TO todoke_dispatcher")
    await grant(migrated_dsn)
    assert not await owner.fetchval("SELECT has_table_privilege('todoke_dispatcher', 'segmenter.people', 'SELECT')")


async def test_the_roles_are_groups_that_nobody_logs_in_as(owner: Connection) -> None:
    """None can log in, create roles or databases, or get around row security."""
    rows = await owner.fetch(
        "SELECT rolname, rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls AS powerful "
        "FROM pg_roles WHERE rolname = any($1::text[])",
        list(ROLES),
    )
    assert {row["rolname"]: row["powerful"] for row in rows} == dict.fromkeys(ROLES, False)


async def test_without_createrole_the_error_says_what_to_run(owner: Connection) -> None:
    """A user who may not create roles is told the very statements for an administrator, and keeps its connection."""
    plain, wanted = (f"todoke_test_{kind}_{uuid.uuid4().hex[:8]}" for kind in ("plain", "wanted"))
    await owner.execute(f"CREATE ROLE {plain} NOLOGIN")
    try:
        await owner.execute(f"SET ROLE {plain}")
        with pytest.raises(RuntimeError, match=f'administrator run once: CREATE ROLE "{wanted}" NOLOGIN'):
            await create_roles(owner, [wanted])
    finally:
        await owner.execute("RESET ROLE")
        await owner.execute(f"DROP ROLE {plain}")


async def test_before_the_migrations_the_error_says_to_migrate(empty_postgres_dsn: str) -> None:
    """Granting on a schema whose views are not there yet names `todoke migrate`."""
    connection = await asyncpg.connect(empty_postgres_dsn)
    await connection.execute("CREATE SCHEMA segmenter")
    await connection.close()
    with pytest.raises(RuntimeError, match="Run `todoke migrate`"):
        await grant(empty_postgres_dsn)
