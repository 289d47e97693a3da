"""Queries are named, described blocks in `.sql` files beside the adapter that runs them; aiosql reads them."""

from importlib.resources import files

import aiosql


def load_queries(package: str, file: str) -> dict[str, str]:
    """The blocks of `file` in `package` by name. Parameters are PostgreSQL's own `$1`, `$2`, …"""
    text = (files(package) / file).read_text(encoding="utf-8")
    queries = aiosql.from_str(text, "asyncpg", mandatory_parameters=False)
    return {name: getattr(queries, name).sql for name in queries.available_queries if not name.endswith("_cursor")}
