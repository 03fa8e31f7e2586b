"""The routes as an application to mount at /api/v1."""

from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from domain.errors import DomainError
from rest_compat import changes, explorer, people, routes, webhooks
from rest_compat.documentation import DESCRIPTION, completed
from rest_compat.door import Door
from rest_compat.errors import Unreadable, failed, http_failure_of, refused, unreadable

_ROUTERS = (routes.router, people.router, changes.router, webhooks.router)
ROUTES = tuple(route for router in _ROUTERS for route in router.routes)
_DOCUMENT: dict[str, Any] = {}
"""The OpenAPI document of every application, once it was asked for: to make it takes a quarter of a
second."""


class Application:
    """Sends the documented routes straight to their handlers, everything else to FastAPI.

    FastAPI documents the routes, serves the documentation and answers unknown paths. The mounting
    application sets state.services before the first request and limits the length of bodies.
    """

    def __init__(self, *, public: bool = True) -> None:
        """With *public*, the OpenAPI document and its page are served."""
        self._fastapi = FastAPI(
            title="Cases API",
            version="1",
            description=DESCRIPTION,
            redirect_slashes=False,
            openapi_url="/openapi.json" if public else None,
            docs_url=None,
            redoc_url=None,
            # Its own spans have whole paths, with ids. The application that mounts this makes them.
            telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
            exception_handlers={
                DomainError: refused,
                Unreadable: unreadable,
                HTTPException: http_failure_of(ROUTES),
                Exception: failed,
            },
        )
        for router in _ROUTERS:
            self._fastapi.include_router(router)
        if public:
            self._fastapi.add_route("/docs", explorer.page, include_in_schema=False)
            self._fastapi.add_route("/docs/static/{name}", explorer.file, include_in_schema=False)
        self._documented = self._fastapi.openapi
        self._fastapi.openapi = self.openapi  # type: ignore[method-assign]
        self.state = self._fastapi.state
        self._doors = [
            (route.methods or set(), _segments(route.path), route)
            for route in ROUTES
            if isinstance(route, Door)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = _asked(scope)
            method = scope["method"]
            if method == "HEAD":
                method, send = "GET", _without_body(send)
            for methods, template, door in self._doors:
                if method in methods and (found := _matched(template, path)) is not None:
                    scope["app"] = self
                    scope["path_params"] = found
                    # For the log, which must not hold the path itself.
                    scope.setdefault("state", {})["route"] = scope.get("root_path", "") + door.path
                    await door.answer(scope, receive, send)
                    return
            # FastAPI splits the decoded path: there, a slash within a segment must not be one.
            escaped = "/".join(part.replace("/", "%2F") for part in path)
            scope = {**scope, "method": method, "path": f"{scope.get('root_path', '')}/{escaped}"}
        await self._fastapi(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, which is not to be changed."""
        if not _DOCUMENT:
            _DOCUMENT.update(completed(self._documented()))
        return _DOCUMENT


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


def _asked(scope: Scope) -> list[str]:
    """The segments of the path below the root, decoded one by one: %2F is data (RFC 3986, 2.2)."""
    raw = scope.get("raw_path")
    if not raw:
        return _segments(get_route_path(scope))
    depth = scope.get("root_path", "").count("/")
    parts = _segments(raw.partition(b"?")[0].decode("latin-1"))[depth:]
    return [unquote(part) for part in parts] if b"%" in raw else parts


def _matched(template: list[str], path: list[str]) -> dict[str, str] | None:
    """The path parameters, or None if the path is another."""
    if len(template) != len(path):
        return None
    found: dict[str, str] = {}
    for wanted, given in zip(template, path, strict=True):
        if wanted.startswith("{"):
            if not given:
                return None
            found[wanted[1:-1]] = given
        elif wanted != given:
            return None
    return found


def _without_body(send: Send) -> Send:
    """Answers HEAD as GET would, without the content (RFC 9110, section 9.3.2)."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
