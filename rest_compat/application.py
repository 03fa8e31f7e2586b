"""The routes as an application to mount at /api/v1."""

from typing import Any

from fastapi import FastAPI
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from domain.errors import DomainError
from rest_compat.documentation import DESCRIPTION, completed
from rest_compat.door import Door
from rest_compat.errors import Unreadable, failed, http_failure_of, refused, unreadable
from rest_compat.routes import router


class Application:
    """Sends the documented routes straight to their handlers, everything else to FastAPI.

    FastAPI documents the routes, serves the documentation and answers unknown paths. The mounting
    application sets state.services before the first request and limits the length of bodies.
    """

    def __init__(self) -> None:
        self._fastapi = FastAPI(
            title="Cases API",
            version="1",
            description=DESCRIPTION,
            redirect_slashes=False,
            openapi_url="/openapi.json",
            docs_url="/docs",
            redoc_url=None,
            exception_handlers={
                DomainError: refused,
                Unreadable: unreadable,
                HTTPException: http_failure_of(router),
                Exception: failed,
            },
        )
        self._fastapi.include_router(router)
        documented = self._fastapi.openapi
        self._fastapi.openapi = lambda: completed(documented())  # type: ignore[method-assign]
        self.state = self._fastapi.state
        self._doors = [route for route in router.routes if isinstance(route, Door)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path, method = get_route_path(scope), scope["method"]
            for door in self._doors:
                if method in (door.methods or ()) and (match := door.path_regex.match(path)):
                    scope["app"] = self
                    scope["path_params"] = match.groupdict()
                    await door.answer(scope, receive, send)
                    return
        await self._fastapi(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self._fastapi.openapi()
