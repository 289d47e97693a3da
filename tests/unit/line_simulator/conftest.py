"""The simulator under test, in process."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.line_simulator.line_client import LineClient, simulator_settings


@pytest.fixture
async def line() -> AsyncIterator[LineClient]:
    """A simulator with LINE's limits and no quota."""
    client = LineClient(simulator_settings())
    async with client.http:
        yield client
    await client.app.state.simulator.webhooks.cancel()
