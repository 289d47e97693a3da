"""Topics that hold one shop's day alone, and installations that have taken it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import run
from tests.support.brokers import start_broker
from tests.support.rebuilding.installation import Installation, open_installation
from tests.support.rebuilding.story import tell_story


@pytest.fixture(scope="session")
def told_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker whose event topics hold what these tests write: a rebuild reads all that there is."""
    broker = run(start_broker(tmp_path_factory.mktemp("rebuild-kafka")))
    run(tell_story(broker.bootstrap_servers))
    yield broker.bootstrap_servers
    run(broker.stop())


@pytest.fixture
async def installation(told_kafka: str, postgres_dsn: str) -> AsyncIterator[Installation]:
    """A live system that has taken everything in an order of its own."""
    async with open_installation(told_kafka, postgres_dsn) as opened:
        yield opened
