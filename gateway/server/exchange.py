"""One request and its answer: uvicorn's, but that a short answer is written in one piece.

uvicorn writes the head and the body apart, and looks for forbidden characters in each name and
each value by itself: a sixth of what the server takes for a short answer.
"""

import re

from uvicorn._types import ASGISendEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What no field of a head contains (RFC 9110, section 5.5): it could begin another one."""


class Exchange(RequestResponseCycle):
    """Keeps the head of an answer whose length is known until there is something of the body."""

    _head = b""

    async def send(self, message: ASGISendEvent) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self.response_started:
            if self._start(message):
                return
        elif self._head and message["type"] == "http.response.body" and self._write(message):
            return
        await super().send(message)

    def _start(self, message: HTTPResponseStartEvent) -> bool:
        """Make the head; False, and nothing is done, if it does not tell the length of the body."""
        headers = [*self.default_headers, *message.get("headers", ())]
        length = None
        closes = False
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                closes = value.lower() == b"close"
            elif name == b"transfer-encoding":
                return False
        if length is None:
            return False
        if _FORBIDDEN.search(b"".join([part for header in headers for part in header])):
            raise RuntimeError("A header of the answer contains a control character.")
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.expected_content_length = 0 if self.scope["method"] == "HEAD" else length
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        fields = [b"%b: %b\r\n" % header for header in headers]
        self._head = b"".join([STATUS_LINE[message["status"]], *fields, b"\r\n"])
        return True

    def _write(self, message: HTTPResponseBodyEvent) -> bool:
        """Write the head, and the body with it if this is all of it; else False."""
        head, self._head = self._head, b""
        body = b"" if self.scope["method"] == "HEAD" else message.get("body", b"")
        if message.get("more_body", False) or len(body) != self.expected_content_length:
            self.transport.write(head)
            return False
        self.transport.writelines((head, body) if body else (head,))
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True
