"""When a broker that was just started can be used."""

import asyncio
import logging
import time
from collections.abc import Callable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError


async def wait_until_it_answers(
    bootstrap_servers: str, *, seconds: float = 60.0, is_running: Callable[[], bool] = lambda: True
) -> None:
    """Return when a metadata request names a broker.

    TimeoutError where none does within `seconds`, ConnectionError as soon as the broker no longer runs.
    """
    deadline = time.monotonic() + seconds
    client_log = logging.getLogger("aiokafka")
    level = client_log.level
    client_log.setLevel(logging.CRITICAL)  # each try before the broker listens would log an error
    try:
        while not await _names_a_broker(bootstrap_servers):
            if not is_running():
                raise ConnectionError(f"The Kafka broker for {bootstrap_servers} ended before it answered.")
            if time.monotonic() > deadline:
                raise TimeoutError(f"No Kafka broker answered at {bootstrap_servers} within {seconds:.0f} seconds.")
            await asyncio.sleep(0.1)
    finally:
        client_log.setLevel(level)


async def _names_a_broker(bootstrap_servers: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=2_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return bool(cluster["brokers"])
