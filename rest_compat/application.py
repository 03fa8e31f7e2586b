"""The routes as an application of its own, to be mounted at /api/v1."""

from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from domain.errors import DomainError
from rest_compat.documentation import DESCRIPTION, completed
from rest_compat.errors import Unreadable, failed, http_failure_of, refused, unreadable
from rest_compat.rates import RateHeaders
from rest_compat.routes import router


class Application(FastAPI):
    """FastAPI, with the bodies that handlers read themselves in the OpenAPI document."""

    def build_middleware_stack(self) -> ASGIApp:
        # Outside of everything, so that the answer to a defect has the headers, too: Starlette
        # makes that one outside of the middleware that an application is given.
        return RateHeaders(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def build() -> FastAPI:
    """The application; whoever mounts it sets state.services before the first request."""
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
    app.include_router(router)
    return app
