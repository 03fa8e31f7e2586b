"""Requests to both surfaces that are the same, byte for byte, as one that got a kept answer.

A kept answer spares reading. Most of what is left to do for such a request has the same result each
time: the form of its head, its media types, its route, the head of its answer, compression. So the
whole answer is kept as it was sent. What may have another result is done each time: who holds the
key, what the key has left, and whether anything was written.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.access.positions import HEADER
from domain.errors import DomainError
from domain.reading.kept import Kept, Question
from domain.services import Services
from gateway.limits.points import metered
from gateway.server.caps import BODY_TO_COME

QUESTION = "question"
"""In the state of a request that got a kept answer: the question, by that name."""
_LONGEST = 64 * 1024
"""Bytes of a body, about; a longer one is nothing that is asked again and again."""
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
        path = scope["path"]
        if scope["method"] == "POST" and path == "/graphql":
            received = [message := await receive()]
            words = message.get("body", b"")
            while message.get("more_body", False) and len(words) < _LONGEST:
                received.append(message := await receive())
                words += message.get("body", b"")
            receive = _again(received, receive)
            if message.get("more_body", False):
                await self._app(scope, receive, send)
                return
        elif scope["method"] == "GET" and (path == "/graphql" or path.startswith(self._routes)):
            words = scope["raw_path"] + b"?" + scope["query_string"]
        else:
            await self._app(scope, receive, send)
            return
        known = hash(words)
        if known in self._known:
            asked = (scope["method"], words, *scope["headers"])
            if await _answered(scope, asked, send):
                return
            await self._app(scope, receive, _kept(scope, asked, send))
            return
        await self._app(scope, receive, send)
        if QUESTION in scope["state"]:
            self._known[known] = None
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)


def _again(received: list[Message], receive: Receive) -> Receive:
    """Receives first what was *received* already."""
    received.reverse()

    async def receive_again() -> Message:
        return received.pop() if received else await receive()

    return receive_again


async def _answered(scope: Scope, asked: tuple[Hashable, ...], send: Send) -> bool:
    """Whether there is an answer, which is sent then. If not, nothing is charged."""
    services: Services = scope["app"].state.services
    key = position = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            key = value.decode("latin-1")
        elif name == _POSITION:
            position = value.decode("latin-1")
    if key is None or key[:7].lower() != "bearer ":
        return False
    who = services.keys.known(key[7:].strip())
    if who is None:
        return False
    try:
        services.positions.begin(who.key_id, position)
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
    state: dict[str, Any] = scope["state"]
    state.update(told)
    state["key_id"] = who.key_id
    state["kept"] = True
    state["rows"] = kept.visited
    state["points"] = meter.charged
    state["allowance"] = meter.allowance
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return True


def _kept(scope: Scope, asked: tuple[Hashable, ...], send: Send) -> Send:
    """Sends an answer, and keeps it if it was a kept one and is sent in one piece."""
    status, headers = 0, []

    async def send_kept(message: Message) -> None:
        nonlocal status, headers
        state = scope["state"]
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif (question := state.get(QUESTION)) and not message.get("more_body", False):
            body = message.get("body", b"")
            told = {name: state[name] for name in _TOLD if name in state}
            _keep(scope, question, asked, (status, headers, body, told))
        await send(message)

    return send_kept


def _keep(
    scope: Scope,
    question: Question,
    asked: tuple[Hashable, ...],
    answer: tuple[int, list[tuple[bytes, bytes]], bytes, dict[str, Any]],
) -> None:
    assert question.kept is not None
    _status, headers, body, _told = answer
    size = sum(len(name) + len(value) for name, value in (*headers, *scope["headers"]))
    if any(name == b"content-encoding" for name, _value in headers):
        size += len(body)  # else it is the kept answer's own, which is counted already
    services: Services = scope["app"].state.services
    kept = Kept(answer, question.kept.rows, question.kept.visited)
    services.kept.keep(question.in_other_words(asked), kept, size)
