"""HTTP connections that end: uvicorn's own keeps a request's head however long it grows, and waits for it for ever.

Its h11 knows a limit to the head, its faster httptools does not, and neither has a time limit but for the idle time
between requests. So a connection that sends header after header would fill the memory, and thousands that send
nothing, half a line, or an endless body after they have had their answer, or who never read it, would leave none for
others.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MOST_HEAD_BYTES = 32 * 1024
"""Of a request line and its headers; a browser's cookies are below 16 KiB. What comes with the head's first packet
(256 KiB at most) is not counted."""
HEAD_SECONDS = 10.0
"""For a request's head to be whole, from the connection's first moment or from the head's own first packet; for the
rest of a body that was answered before it had come; and for a client to go on reading its answers."""


class EndingConnection(HttpToolsProtocol):
    """uvicorn's protocol, with an end to what it waits for and to what it keeps."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Somebody is there, and has HEAD_SECONDS to say something."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count what is fed to a head that began before."""
        in_head_before = self._in_head
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if in_head_before:
            self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES:
            self.send_400_response(f"The request's head is larger than {MOST_HEAD_BYTES:,} bytes.")
        elif self._deadline is None:
            self._set_deadline()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """It is whole; for how long its body may take, the app tells."""
        self._in_head, self._in_body = False, True
        self._clear_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """So is the body. If it had its answer already, the time between requests begins only now."""
        self._in_body = False
        if self._deadline is not None:
            self._clear_deadline()
            self._set_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer has gone; what is still to come of the body is thrown away, and not for ever."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._set_deadline()

    def pause_writing(self) -> None:
        """The client does not read what it is told, and must begin to."""
        super().pause_writing()
        self._set_deadline()

    def resume_writing(self) -> None:
        """It reads."""
        self._clear_deadline()
        super().resume_writing()

    def _set_deadline(self) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._end)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        self.transport.abort()  # `close` would wait for the client to read
