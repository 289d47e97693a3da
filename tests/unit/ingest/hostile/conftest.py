"""All doors of ingest, to be knocked at by those who mean no good."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.ingest.knocking import two_shops
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.app import Doorway


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
async def app(topics: CheckedTopics) -> AsyncIterator[Doorway]:
    """Ingest with two shops, and keys of the first one alone."""
    async with two_shops(topics) as app:
        yield app
