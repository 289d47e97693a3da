"""`todoke run NAME`: one service, in this process."""

from enum import StrEnum
from typing import Annotated

import typer

from todoke_local.service_process import runner
from todoke_local.settings import LocalSettings
from todoke_shared.accounts import read_config


class ServiceName(StrEnum):
    """The services, in the order of the flow."""

    ingest = "ingest"
    segmenter = "segmenter"
    scheduler = "scheduler"
    dispatcher = "dispatcher"


def run(name: Annotated[ServiceName, typer.Argument(help="Which service")]) -> None:
    """Run one service until SIGTERM or Ctrl-C. PostgreSQL and Kafka must be named: services share them."""
    settings = LocalSettings()
    read_config(settings.config)
    for needed in ("postgres_dsn", "kafka_bootstrap_servers"):
        settings.need(needed)
    runner(name)()
