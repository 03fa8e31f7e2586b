"""GraphQL over WebSocket: the protocol graphql-transport-ws (PROTOCOL.md of graphql-ws).

A client names its key once, in the header Authorization or in the payload of connection_init. What
breaks the protocol closes its own socket, with the protocol's code, and nothing else.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from domain.access import keys
from domain.access.principal import Principal
from domain.errors import DomainError, InvalidKey, RateLimited
from gateway.http.endpoint import Endpoint, bearer
from gateway.http.feeding import Refused
from gateway.http.parameters import BadRequest
from gateway.http.subscribing import Subscriptions
from gateway.logs import ACCESS, REQUEST_ID, access
from gateway.schema.refusals import extensions_of
from gateway.server.edge import request_id_of, tell_operation

log = structlog.get_logger(ACCESS)

PROTOCOL = "graphql-transport-ws"
ENDING_SECONDS = 1.0
"""How long an operation waits for a place that one has which the client has completed."""
INIT_SECONDS = 10.0
"""How long a client may take to send connection_init."""
QUERIES = 4
"""Queries and mutations of one socket that are executed at once; each may have a long answer."""
_LONGEST_REASON = 123
"""Bytes: a close frame has at most 125, and two are the code (RFC 6455, 5.5.1)."""
_LONGEST_ID = 100


class Closed(Exception):
    """The socket is to be closed, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")


def bad(what: str) -> Closed:
    return Closed(4400, what)


class Socket:
    """One client's socket, from its beginning to its end."""

    def __init__(self, socket: WebSocket, endpoint: Endpoint, subscriptions: Subscriptions) -> None:
        self._socket = socket
        self._endpoint = endpoint
        self._subscriptions = subscriptions
        self._services = socket.app.state.services
        self._address = socket.client.host if socket.client else ""
        self._key: str | None = None
        self._who: Principal | None = None
        self._queries = asyncio.Semaphore(QUERIES)
        self._ending: set[asyncio.Task[None]] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._told = 0

    async def serve(self) -> None:
        """Serve the client until it goes, the server stops, or it breaks the protocol."""
        REQUEST_ID.set(request_id_of(self._socket.scope["headers"]).decode())
        began = time.perf_counter()
        spoken = PROTOCOL if PROTOCOL in self._socket.scope["subprotocols"] else None
        await self._socket.accept(subprotocol=spoken)
        code, reason = 1000, ""
        try:
            if spoken is None:
                raise Closed(4406, "Subprotocol not acceptable")
            await self._begin()
            assert self._who is not None
            with self._subscriptions.connected(self._who.key_id):
                while True:
                    await self._take(await self._message())
        except WebSocketDisconnect as gone:
            code, reason = gone.code, ""
        except Closed as closed:
            code, reason = closed.code, closed.reason
        except DomainError as refusal:
            code, reason = 4403, Closed(4403, refusal.message).reason
        finally:
            await self._end(code, reason)
            access(
                "socket",
                path="/graphql",
                code=code,
                ms=round((time.perf_counter() - began) * 1000, 2),
                events=self._told,
                key=self._who.key_id if self._who is not None else None,
            )

    async def _end(self, code: int, reason: str) -> None:
        tasks = {*self._running.values(), *self._ending}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._socket.application_state is WebSocketState.CONNECTED:
            # It may be gone, or read nothing.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await self._socket.close(code, reason)

    async def _begin(self) -> None:
        """Take connection_init, and the key with it."""
        try:
            async with asyncio.timeout(INIT_SECONDS):
                message = await self._message()
        except TimeoutError:
            raise Closed(4408, "Connection initialisation timeout") from None
        kind = message["type"]
        if kind in ("ping", "pong"):
            raise bad("connection_init must be the first message.")
        if kind != "connection_init":
            raise Closed(4401, "Unauthorized")
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise bad("The payload of connection_init must be an object.")
        given = dict(reversed(self._socket.scope["headers"]))
        self._key = bearer(given) or _key_of(payload or {})
        try:
            self._who = await self._authenticate()
        except InvalidKey:
            raise Closed(4403, "Forbidden") from None
        await self._send({"type": "connection_ack"})

    async def _authenticate(self) -> Principal:
        who: Principal = await self._services.keys.authenticate(self._key, self._address)
        return who

    async def _message(self) -> dict[str, Any]:
        """The next message. Raises Closed unless it is one of the protocol."""
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1005))
        text = event.get("text")
        if text is None:
            raise bad("Messages must be text.")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise bad("Messages must be JSON.") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise bad("A message must be an object with a type.")
        return message

    async def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                # Its id is free at once, though it may take a moment to end.
                if (task := self._running.pop(_id_of(message), None)) is not None:
                    self._ending.add(task)
                    task.add_done_callback(self._ending.discard)
                    task.cancel()
            case "ping":
                payload = message.get("payload")
                answer = {"type": "pong"}
                await self._send(answer if payload is None else answer | {"payload": payload})
            case "pong":
                pass
            case "connection_init":
                raise Closed(4429, "Too many initialisation requests")
            case _:
                raise bad("The type of the message is not one that clients send.")

    async def _subscribe(self, message: dict[str, Any]) -> None:
        id = _id_of(message)
        payload = message.get("payload")
        if not isinstance(payload, dict) or not isinstance(payload.get("query"), str | None):
            raise bad("The payload of subscribe must be an object with a query.")
        if id in self._running:
            raise Closed(4409, f"Subscriber for {id} already exists")
        if self._is_full() and self._ending:
            # What the client has completed may not have ended yet.
            await asyncio.wait(self._ending, timeout=ENDING_SECONDS)
        if self._is_full():
            error = {
                "message": "This socket has too many operations under way: wait for one to end.",
                "extensions": {"code": RateLimited.code, "retryAfter": 1},
            }
            await self._send({"id": id, "type": "error", "payload": [error]})
            return
        task = asyncio.get_running_loop().create_task(self._answer(id, payload))
        self._running[id] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._running.get(id) is done:
                del self._running[id]

        task.add_done_callback(ended)

    def _is_full(self) -> bool:
        return len(self._running) + len(self._ending) >= self._subscriptions.most

    async def _answer(self, id: str, payload: Mapping[str, Any]) -> None:
        """Send all answers to one operation, or what went wrong."""
        began = time.perf_counter()
        state: dict[str, Any] = {}
        # If the client is gone, whoever reads finds out.
        with contextlib.suppress(WebSocketDisconnect):
            try:
                errors = await self._answered(id, payload, state)
                if errors:
                    state["codes"] = tuple(error["extensions"]["code"] for error in errors)
                    await self._send({"id": id, "type": "error", "payload": errors})
                else:
                    await self._send({"id": id, "type": "complete"})
            finally:
                tell_operation(state, time.perf_counter() - began)

    async def _answered(
        self, id: str, payload: Mapping[str, Any], state: dict[str, Any]
    ) -> list[Mapping[str, Any]]:
        """Send the answers; the errors if it came to that. Raises WebSocketDisconnect."""
        answers = self._endpoint.over_socket(
            orjson.dumps(payload),
            self._services,
            self._authenticate,
            self._subscriptions,
            self._queries,
            state,
        )
        try:
            async with contextlib.aclosing(answers):
                async for answer in answers:
                    self._told += 1
                    await self._send_raw(
                        b'{"id":%b,"type":"next","payload":%b}' % (orjson.dumps(id), answer)
                    )
        except Refused as refusal:
            return list(refusal.errors)
        except (DomainError, BadRequest, HTTPException) as refusal:
            return [_error_of(refusal)]
        except WebSocketDisconnect:
            raise
        except Exception:
            log.exception("request_failed")
            code = {"code": "INTERNAL_ERROR"}
            return [{"message": "An internal error occurred.", "extensions": code}]
        return []

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._send_raw(orjson.dumps(message))

    async def _send_raw(self, message: bytes) -> None:
        """Send a message; waits while the client does not read, until it is cut off for that."""
        try:
            await self._socket.send({"type": "websocket.send", "text": message.decode()})
        except (OSError, RuntimeError):
            raise WebSocketDisconnect from None


def _id_of(message: Mapping[str, Any]) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= _LONGEST_ID:
        raise bad("A message about an operation must have its id, a text.")
    return id


def _key_of(payload: Mapping[str, Any]) -> str | None:
    """The key in the payload of connection_init: as the header would have it, or alone."""
    inner = payload.get("headers")
    for place in (payload, inner if isinstance(inner, dict) else {}):
        for name, value in place.items():
            if isinstance(value, str) and name.lower() == "authorization":
                return keys.bearer(value)
    alone = payload.get("key")
    return alone if isinstance(alone, str) else None


def _error_of(refusal: DomainError | BadRequest | HTTPException) -> dict[str, Any]:
    if isinstance(refusal, DomainError):
        return {"message": refusal.message, "extensions": extensions_of(refusal)}
    if isinstance(refusal, BadRequest):
        return {"message": str(refusal), "extensions": {"code": refusal.code}}
    return {"message": refusal.detail, "extensions": {"code": "PAYLOAD_TOO_LARGE"}}
