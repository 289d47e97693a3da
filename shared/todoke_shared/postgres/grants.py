"""A role per service, and what it may touch: its own schema, and the views that the others publish (`grants.sql`).

The roles are groups that nobody logs in as. Whoever runs the installation makes one login user per service and puts
it in the group: `CREATE ROLE segmenter_login LOGIN PASSWORD '…' IN ROLE todoke_segmenter`. A published view is read
with its owner's rights, so that reading it opens none of the tables behind it.
"""

from collections.abc import Sequence

import asyncpg

from todoke_shared.postgres.queries import load_queries

ROLES = ("todoke_ingest", "todoke_segmenter", "todoke_scheduler", "todoke_dispatcher")
SCHEMAS = ("platform", "ingest", "segmenter", "scheduler", "dispatcher")
"""Each has a block of its own name in `grants.sql`. One that this installation has no tables for is passed over."""

_SQL = load_queries("todoke_shared.postgres", "grants.sql")


async def grant(dsn: str) -> None:
    """Create the roles that are missing and bring their rights to what `grants.sql` says. Safe to repeat.

    Run it as the user that owns the schemas, after the migrations: a new table has no rights until then. That user
    needs CREATEROLE, unless the roles are there already. RuntimeError, with what to do, where it may not, or where
    a published view is missing; nothing is changed then.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        async with connection.transaction():
            await connection.execute(_SQL["lock"])
            await create_roles(connection, ROLES)
            await _grant_schemas(connection)
    finally:
        await connection.close()


async def create_roles(connection: "asyncpg.Connection[asyncpg.Record]", roles: Sequence[str]) -> None:
    """Create those of the group roles that the server lacks. RuntimeError, with the statements, where it may not."""
    missing = [row["wanted"] for row in await connection.fetch(_SQL["missing_roles"], roles)]
    statements = [f'CREATE ROLE "{role}" NOLOGIN' for role in missing]
    try:
        for statement in statements:
            await _execute_unless_there(connection, statement)
    except asyncpg.InsufficientPrivilegeError:
        raise RuntimeError(
            "PostgreSQL does not let this user create the services' roles. Let an administrator run once: "
            + "; ".join(statements)
            + "; or give this user the right: ALTER ROLE … CREATEROLE. Then run `todoke migrate` again."
        ) from None


async def _execute_unless_there(connection: "asyncpg.Connection[asyncpg.Record]", statement: str) -> None:
    """Roles belong to the server: another database's `todoke migrate` may have made one in the meantime."""
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        return


async def _grant_schemas(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    there = {row["nspname"] for row in await connection.fetch(_SQL["schemas"])}
    for schema in SCHEMAS:
        if schema not in there:
            continue
        try:
            await connection.execute(_SQL[schema])
        except asyncpg.InsufficientPrivilegeError as error:
            raise RuntimeError(
                f"PostgreSQL does not let this user grant rights in the schema {schema} ({error}). "
                "Run `todoke migrate` as the user that ran it first: it owns the tables."
            ) from None
        except asyncpg.UndefinedTableError as error:
            raise RuntimeError(
                f"the schema {schema} is not up to date ({error}). Run `todoke migrate` of this release."
            ) from None
