"""gzip for answers that are long enough, to clients that take it (RFC 9110, 8.4 and 12.5.3).

Compressing a secret beside text that somebody else chose would tell of the secret by the length
(the BREACH attack). No answer holds one: a key is sent by the client only, and the page that holds
a demonstration's key repeats nothing of the request.
"""

import asyncio
import zlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST = 1024
"""Bytes; a shorter answer fits into one packet as it is."""
LEVEL = 2
"""Half a millisecond for the 70 KB of a hundred cases; 6 takes twice as long for a tenth less."""
IN_THREAD = 256 * 1024
"""Bytes from which on compressing would hold up the event loop for milliseconds."""
JSON = b"application/json"
_TYPES = (
    JSON,
    b"application/graphql-response+json",
    b"text/css",
    b"text/html",
    b"text/javascript",
    b"text/plain",
)
_GZIP = 31
"""For zlib: the largest window, in gzip's format."""
_SUFFIX = b";gzip"
"""Ends the ETag of a compressed answer: it is another representation (RFC 9110, 8.8.3.3)."""
_VARY = (b"vary", b"Accept-Encoding")


class Compressed:
    """Compresses the answers of *app*, and takes the ETags that it gave them for the app's own.

    Below the path *revisions*, ETags are revisions of what is stored, and clients compare those of
    different answers: JSON that has one stays as it is. It is a single case, and not long.
    """

    def __init__(self, app: ASGIApp, revisions: str) -> None:
        self._app = app
        self._revisions = revisions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        revised = scope["path"].startswith(self._revisions)
        if not accepts_gzip(scope["headers"]):
            await self._app(scope, receive, _varying(send, revised=revised))
            return
        tagged = any(_SUFFIX in value for name, value in scope["headers"] if name in _TAGS)
        if tagged:
            scope["headers"] = [
                (name, value.replace(_SUFFIX + b'"', b'"') if name in _TAGS else value)
                for name, value in scope["headers"]
            ]
        answer = _Answer(send, tagged=tagged, revised=revised)
        await self._app(scope, receive, answer.send)


_TAGS = (b"if-none-match", b"if-match")


def _varying(send: Send, *, revised: bool) -> Send:
    """Sends an answer as it is, and tells of those that would have been compressed for others."""

    async def send_varying(message: Message) -> None:
        is_head = message["type"] == "http.response.start"
        if is_head and _is_compressible(message["headers"], revised=revised):
            message["headers"] = [*message["headers"], _VARY]
        await send(message)

    return send_varying


class _Answer:
    """One answer to a client that takes gzip: its head waits for the first part of the body."""

    def __init__(self, send: Send, *, tagged: bool, revised: bool) -> None:
        self._send = send
        self._revised = revised
        self._tagged = tagged
        self._head: Message | None = None
        self._stream: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        if self._head is not None:
            await self._begin(self._head, message)
            self._head = None
        if self._stream is not None:
            message = await self._compressed(message, self._stream)
        await self._send(message)

    async def _begin(self, head: Message, first: Message) -> None:
        more = first.get("more_body", False)
        long = more or len(first.get("body", b"")) >= LEAST
        headers = list(head["headers"])
        if head["status"] == 304 and self._tagged:
            headers = [*map(_tagged, headers), _VARY]
        elif long and _is_compressible(headers, revised=self._revised):
            self._stream = zlib.compressobj(LEVEL, wbits=_GZIP)
            headers = [_tagged(one) for one in headers if one[0] != b"content-length"]
            headers += [_VARY, (b"content-encoding", b"gzip")]
            if not more:
                first["body"] = await _all_of(first["body"], self._stream)
                headers.append((b"content-length", b"%d" % len(first["body"])))
                self._stream = None
        await self._send({**head, "headers": headers})

    async def _compressed(self, message: Message, stream: "zlib._Compress") -> Message:
        body = stream.compress(message.get("body", b""))
        if not message.get("more_body", False):
            body += stream.flush()
        return {**message, "body": body}


def _is_compressible(headers: Iterable[tuple[bytes, bytes]], *, revised: bool) -> bool:
    """Whether an answer with these headers is worth it; one without a length comes in parts."""
    found = dict(headers)
    length = found.get(b"content-length")
    if length is not None and int(length) < LEAST:
        return False
    media_type = found.get(b"content-type", b"").partition(b";")[0]
    if media_type not in _TYPES or b"content-encoding" in found:
        return False
    return not (revised and media_type == JSON and b"etag" in found)


async def _all_of(body: bytes, stream: "zlib._Compress") -> bytes:
    def compressed() -> bytes:
        return stream.compress(body) + stream.flush()

    return await asyncio.to_thread(compressed) if len(body) >= IN_THREAD else compressed()


def accepts_gzip(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client takes gzip; one that does not say so may not."""
    for name, value in headers:
        if name == b"accept-encoding":
            for part in value.lower().split(b","):
                coding, *parameters = (piece.strip() for piece in part.split(b";"))
                if coding in (b"gzip", b"x-gzip"):
                    return not any(_is_zero(one) for one in parameters)
    return False


def _is_zero(parameter: bytes) -> bool:
    name, _, weight = parameter.partition(b"=")
    return name.strip() == b"q" and not weight.strip().strip(b"0.")


def _tagged(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    if name == b"etag" and value.endswith(b'"'):
        return name, value[:-1] + _SUFFIX + b'"'
    return header
