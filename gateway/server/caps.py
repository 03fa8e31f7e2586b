"""The caps on load and size around every request, for both surfaces: plain ASGI."""

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import Invalid, Unavailable
from gateway.server.edge import ALWAYS_ANSWERED, send_failure

BODY_TO_COME = "body_to_come"
"""The server sets this in a request's state if the body has not arrived when it starts."""

LEAVE = "leave"
"""What a request calls, by this name in its state, that is served from now on without a place."""

BUSY = "The server is busy. Try again in a moment."


class Bounded:
    """Serves at most *most* requests at once; the next gets 503 at once.

    A request that waits for its body gives up its place: it does no work, and a few slow uploads
    would lock everyone else out. When the body has arrived, the request takes a place again or
    gets 503. The limit on connections bounds how many wait, the body deadline how long. A request
    whose answer may last for days leaves its place by what is in its state (LEAVE).
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self.working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        if self.is_full():
            retry = (b"retry-after", b"1")
            path = scope["path"]
            await send_failure(send, scope, path, 503, Unavailable.code, BUSY, retry)
            return
        place = _Place(self)
        scope["state"][LEAVE] = place.leave
        if scope["state"].get(BODY_TO_COME):
            receive = self._without_place(place, receive)
        try:
            await self._app(scope, receive, send)
        finally:
            place.leave()

    def is_full(self) -> bool:
        return self.working >= self._most

    def _without_place(self, place: "_Place", receive: Receive) -> Receive:
        whole = False

        async def receive_without_place() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            place.leave()
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                whole = True
                if self.is_full():
                    raise Unavailable(BUSY)  # each surface answers it in its own shape
                place.take()
            return message

        return receive_without_place


class _Place:
    """A request's place among those that are served at once."""

    __slots__ = ("_among", "_held")

    def __init__(self, among: Bounded) -> None:
        self._among = among
        self._held = False
        self.take()

    def take(self) -> None:
        self._among.working += 1
        self._held = True

    def leave(self) -> None:
        """Give it up, if it is held."""
        if self._held:
            self._among.working -= 1
            self._held = False


class WellFormed:
    """Refuses what two readers could read differently: 400 before anything else is looked at.

    A field of a request that may stand once stands once (RFC 9110, 5.3), and a query string is
    UTF-8.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := _ambiguity(scope)):
            await send_failure(send, scope, scope["path"], 400, Invalid.code, problem)
            return
        await self._app(scope, receive, send)


_ONCE = {
    b"authorization": "Authorization",
    b"content-type": "Content-Type",
    b"idempotency-key": "Idempotency-Key",
}


def _ambiguity(scope: Scope) -> str | None:
    seen = set()
    for name, _value in scope["headers"]:
        if name in _ONCE:
            if name in seen:
                return f"{_ONCE[name]} must be given at most once."
            seen.add(name)
    query: bytes = scope["query_string"]
    if b"%" in query or not query.isascii():
        try:
            unquote_to_bytes(query).decode()
        except UnicodeDecodeError:
            return "The query string must be UTF-8."
    return None


class BodyCap:
    """Stops reading a body that exceeds *most* bytes: HTTPException 413.

    It is raised where the body is read, so each surface refuses the body after its own checks of
    key, rate and scope, and in its own shape.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        read = 0

        async def receive_capped() -> Message:
            nonlocal read
            if read == 0 and _length_of(scope["headers"]) > self._most:
                raise self._too_large()
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise self._too_large()
            return message

        await self._app(scope, receive_capped, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"The body must have at most {self._most:,} bytes.")


def _length_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The value of Content-Length; 0 if it is missing or not a number."""
    lengths = [value for name, value in headers if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
