"""The schema that belongs to no service: the fleet's simulated clock."""

from pathlib import Path

from todoke_shared.postgres.migrate import Migrations

MIGRATIONS = Migrations("platform", Path(__file__).parent / "migrations")
