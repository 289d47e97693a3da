"""The doors of ingest: parse, decide, publish, answer."""

from todoke_ingest.handlers.door import IngestDoor

__all__ = ["IngestDoor"]
