"""The routes as an application of its own, to be mounted at /api/v1."""

from typing import Any

from fastapi import FastAPI
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import DomainError
from rest_compat.documentation import DESCRIPTION, completed
from rest_compat.door import Door
from rest_compat.errors import Unreadable, failed, http_failure_of, refused, unreadable
from rest_compat.rates import RateHeaders
from rest_compat.routes import router


class Application(FastAPI):
    """FastAPI, with the bodies that handlers read themselves in the OpenAPI document."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What FastAPI does here for each request is not needed: see build_middleware_stack().
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The documented routes go straight to their handlers, everything else to FastAPI.

        RateHeaders is outside of that, so that the answer to a defect has them, too.
        """
        inner = RateHeaders(super().build_middleware_stack())
        doors = [route for route in router.routes if isinstance(route, Door)]

        async def dispatched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                path, method = get_route_path(scope), scope["method"]
                for door in doors:
                    if method in (door.methods or ()) and (found := door.path_regex.match(path)):
                        scope["path_params"] = found.groupdict()
                        return await door.answer(scope, receive, send)
            return await inner(scope, receive, send)

        return dispatched

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def build(body_bytes: int = 1 << 20) -> FastAPI:
    """The application; whoever mounts it sets state.services before the first request.

    No request's body may be longer than *body_bytes*.
    """
    app = Application(
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
    app.state.body_bytes = body_bytes
    app.include_router(router)
    return app
