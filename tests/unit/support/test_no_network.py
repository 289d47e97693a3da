"""Tests in tests/unit cannot use the network, whatever the code under test tries."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.support.no_network import NetworkUsedError, no_network


def test_a_unit_test_cannot_connect() -> None:
    """The guard is on in this room without anybody asking, and tells what to do."""
    with socket.socket() as client, pytest.raises(NetworkUsedError, match="move the test to tests/connected"):
        client.connect(("127.0.0.1", 9092))


def test_a_unit_test_cannot_listen() -> None:
    """A server inside a unit test is a socket too."""
    with socket.socket() as server, pytest.raises(NetworkUsedError):
        server.bind(("127.0.0.1", 0))


async def test_asyncio_cannot_connect_either() -> None:
    """asyncio's streams go through the same guard."""
    with pytest.raises(NetworkUsedError):
        await asyncio.open_connection("127.0.0.1", 9092)


async def test_asyncio_itself_still_works() -> None:
    """The event loop wakes up across threads through its own socket pair, which is no network."""
    assert await asyncio.to_thread(lambda: 42) == 42


def test_only_a_room_with_postgres_may_use_unix_sockets(tmp_path: Path) -> None:
    """With Unix sockets allowed one can be bound; TCP stays refused."""
    with socket.socket(socket.AF_UNIX) as server, pytest.raises(NetworkUsedError):
        server.bind(str(tmp_path / "refused"))
    # The guard of this room lies below the one under test, so take it from the class that socket.socket is built on.
    below = socket.socket.__mro__[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "bind", getattr(below, "bind"))  # noqa: B009
        with no_network(unix_sockets=True):
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(tmp_path / "socket"))
            with socket.socket() as server, pytest.raises(NetworkUsedError):
                server.bind(("127.0.0.1", 0))
    assert (tmp_path / "socket").is_socket()
