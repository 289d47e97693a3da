"""Kafka and PostgreSQL without installing either: stand-ins for one machine, for the demo and for tests.

Each part lives in a helper program of its own (`kafka_process`, `postgres_process`), so that a blocked event loop
in Todoke never stalls them and they end with Todoke, however Todoke ends.
"""

from todoke_local.embedded.kafka import EmbeddedKafka
from todoke_local.embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedKafka", "EmbeddedPostgres"]
