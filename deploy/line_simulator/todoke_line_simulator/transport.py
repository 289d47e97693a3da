"""A connection that the application can reset: uvicorn's protocol with one more ASGI extension."""

import asyncio
import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RESET_EXTENSION = "todoke.reset"
# SO_LINGER on with 0 seconds: closing sends RST instead of FIN (socket(7)).
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ResettableHttpProtocol(HttpToolsProtocol):
    """Puts a function that resets the TCP connection into ``scope["extensions"]``."""

    def on_message_begin(self) -> None:
        """Called by the parser for each request, after which uvicorn has made a new scope."""
        super().on_message_begin()
        self.scope["extensions"] = {RESET_EXTENSION: {"reset": self._reset}}

    def _reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()


async def reset_connection(scope: Scope, receive: Receive) -> None:
    """Reset the connection of this request; without a connection (in-process tests) raises ConnectionResetError."""
    if not _can_reset(scope):
        raise ConnectionResetError("the simulator was asked to reset this connection")
    scope["extensions"][RESET_EXTENSION]["reset"]()
    await _disconnect(receive)


async def hang(scope: Scope, receive: Receive, seconds: float) -> None:
    """Let the client wait that long, or until it gives up; then reset the connection."""
    try:
        await asyncio.wait_for(_disconnect(receive), seconds)
    except TimeoutError:
        await reset_connection(scope, receive)
    except asyncio.CancelledError:
        # The server stops. uvicorn would answer 500 now, but a request that hangs gets no answer.
        if not _can_reset(scope):
            raise
        await reset_connection(scope, receive)


def _can_reset(scope: Scope) -> bool:
    return RESET_EXTENSION in scope.get("extensions", {})


async def _disconnect(receive: Receive) -> None:
    """Return when the connection is gone. The body has been read, so nothing else can come."""
    while (await receive())["type"] != "http.disconnect":
        pass
