"""Requests to both surfaces that are the same, byte for byte, as one that got a kept answer.

A kept answer spares reading. Most of what is left to do for such a request has the same result each
time: the form of its head, its media types, its route, the head of its answer, compression. So the
whole answer is kept as it was sent. What may have another result is done each time: who holds the
key, what the key has left, and whether anything was written.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.access.keys import bearer
from domain.access.positions import HEADER
from domain.access.principal import Principal
from domain.errors import DomainError
from domain.reading.kept import Kept
from domain.services import Services
from gateway.limits.points import metered
from gateway.server.caps import BODY_TO_COME

Fields = tuple[tuple[bytes, bytes], ...]
Asked = tuple[str, bytes, bytes, str, Fields]
"""The method, the path with the query string, the body, the id of the key, and the head."""
_LONGEST = 64 * 1024
"""Bytes of a body, about: longer ones are not asked again and again."""
_KNOWN = 1_000
"""How many such questions are remembered, whatever their heads are."""
_POSITION = HEADER.lower().encode()
_TOLD = ("operation", "type", "codes", "trusted", "executed", "route")
"""What a request's state has of what was asked, and not of this request alone."""


class Repeated:
    """Answers such requests. All others go on to *app*.

    Below the path *routes*, GET is answered, too; at /graphql, GET and POST.
    """

    def __init__(self, app: ASGIApp, routes: str) -> None:
        self._app = app
        self._routes = routes
        self._known: OrderedDict[int, None] = OrderedDict()
        """Hashes of what was asked in requests that got a kept answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or BODY_TO_COME in scope["state"]:
            await self._app(scope, receive, send)
            return
        path, body = scope["path"], b""
        if scope["method"] == "POST" and path == "/graphql":
            received = [message := await receive()]
            body = message.get("body", b"")
            while message.get("more_body", False) and len(body) < _LONGEST:
                received.append(message := await receive())
                body += message.get("body", b"")
            receive = _again(received, receive)
            if message.get("more_body", False):
                await self._app(scope, receive, send)
                return
        elif scope["method"] != "GET" or not (path == "/graphql" or path.startswith(self._routes)):
            await self._app(scope, receive, send)
            return
        target = (scope.get("raw_path") or path.encode()) + b"?" + scope["query_string"]
        known = hash((target, body))
        if known in self._known:
            services: Services = scope["app"].state.services
            key, fields = _parted(scope["headers"])
            if (who := services.keys.known(key)) is not None:
                asked = scope["method"], target, body, who.key_id, fields
                if await _answered(services, who, asked, scope["state"], send):
                    return
                send = _kept(services, asked, scope["state"], send)
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, send)
        if "question" in scope["state"]:  # a surface has sent a kept answer to it
            self._known[known] = None
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)


def _parted(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, Fields]:
    """The key, and the fields of the head without it: it is not to stay in memory."""
    key, fields = "", []
    for name, value in headers:
        if name == b"authorization":
            key, value = bearer(value.decode("latin-1")) or "", b""
        fields.append((name, value))
    return key, tuple(fields)


def _again(received: list[Message], receive: Receive) -> Receive:
    """Receives first what was *received* already."""
    received.reverse()

    async def receive_again() -> Message:
        return received.pop() if received else await receive()

    return receive_again


async def _answered(
    services: Services, who: Principal, asked: Asked, state: dict[str, Any], send: Send
) -> bool:
    """Whether there is an answer, which is sent then. If not, nothing is charged."""
    given = [value.decode("latin-1") for name, value in asked[-1] if name == _POSITION]
    try:
        services.positions.begin(who.key_id, given[0] if given else None)
        kept = (await services.kept.ask(who, *asked)).kept
        if kept is None:
            return False
        meter = await metered(services.rates, who.key_id)
        try:
            await meter.admit(kept.rows, 0)
        except DomainError:
            meter.waive()
            raise
    except DomainError:
        return False  # the surface says what it is, in its own words
    meter.settle(kept.visited)
    status, headers, body, told = kept.answer
    state.update(told)
    state["key_id"] = who.key_id
    state["kept"] = True
    state["rows"] = kept.visited
    state["points"] = meter.charged
    state["allowance"] = meter.allowance
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return True


def _kept(services: Services, asked: Asked, state: dict[str, Any], send: Send) -> Send:
    """Sends an answer, and keeps it if it was a kept one and is sent in one piece."""
    status, headers, is_whole = 0, [], True

    async def send_kept(message: Message) -> None:
        nonlocal status, headers, is_whole
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message.get("more_body", False):
            is_whole = False  # events, of which the last one comes alone
        elif is_whole and (question := state.get("question")):
            body = message.get("body", b"")
            told = {name: state[name] for name in _TOLD if name in state}
            kept = Kept((status, headers, body, told), question.kept.rows, question.kept.visited)
            size = len(asked[1]) + len(asked[2])
            size += sum(len(name) + len(value) for name, value in (*headers, *asked[-1]))
            if any(name == b"content-encoding" for name, _value in headers):
                size += len(body)  # else it is the kept answer's own, which is counted already
            services.kept.keep(question.in_other_words(asked), kept, size)
        await send(message)

    return send_kept
