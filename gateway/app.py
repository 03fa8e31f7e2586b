"""The composition root: settings to services to both surfaces to one application.

The only module that knows both surfaces.
"""

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.access.keys import KeyRing
from domain.access.rates import RateLimiter
from domain.errors import DomainError
from domain.services import Services
from domain.storage.opening import opened
from gateway import logs, settings
from gateway.execution.documents import Documents
from gateway.http import graphiql
from gateway.http.endpoint import Endpoint
from gateway.server.edge import Bounded, Envelope
from gateway.settings import Settings
from rest_compat import application as rest_compat
from rest_compat.errors import http_failure

log = structlog.get_logger("casegraph")

REST_ROOT = "/api/v1"
REST_PREFIX = REST_ROOT + "/"
EXPOSED = (
    "ETag",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)


class Application(FastAPI):
    """FastAPI, but for the hot paths, which need nothing of it."""

    def __init__(self, chosen: Settings, rest: ASGIApp, **options: Any) -> None:
        super().__init__(**options)
        self._chosen = chosen
        self._rest = rest
        self._graphql = Endpoint(Documents(), chosen)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        inner = super().build_middleware_stack()

        async def dispatched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                path = scope["path"]
                if path == "/graphql" and scope["method"] in ("GET", "HEAD", "POST"):
                    return await self._graphql(scope, receive, send)
                if path.startswith(REST_PREFIX):
                    scope["root_path"] = scope.get("root_path", "") + REST_ROOT
                    return await self._rest(scope, receive, send)
            return await inner(scope, receive, send)

        app: ASGIApp = Bounded(dispatched, self._chosen.in_flight)
        if self._chosen.cors_origins:
            app = _cors(app, self._chosen.cors_origins)
        return Envelope(app)


def create_app(chosen: Settings) -> FastAPI:
    """The application. Opens the database when it starts, and closes it when it stops."""
    rest = rest_compat.build(chosen.body_bytes)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(chosen.database_url, read_seconds=chosen.query_seconds) as database:
            services = Services(
                database,
                KeyRing(database, chosen.failed_auth_limit),
                RateLimiter(chosen.rate_limit),
            )
            app.state.services = rest.state.services = services
            yield

    app = Application(
        chosen,
        rest,
        title="casegraph",
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        routes=[
            Route("/", _start, include_in_schema=False),
            Route("/healthz", _healthy),
            Route("/readyz", _ready),
            # Only for other methods, and so that the path is known.
            Route("/graphql", _start, methods=["GET", "POST"]),
        ],
    )
    for status in (404, 405):
        app.add_exception_handler(status, http_failure)
    app.mount("/graphql/static", graphiql.static_files())
    return app


def from_environment() -> FastAPI:
    """The application for a server process: what uvicorn calls."""
    chosen = settings.from_environment()
    logs.configure(chosen.log_level, chosen.log_format)
    app = create_app(chosen)
    # What was made so far stays: the collector need not look through it again and again, which
    # takes some 40 ms each time, in the middle of a request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    return app


def _cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
        ],
        expose_headers=EXPOSED,
        max_age=600,
    )


async def _start(_request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _healthy(_request: Request) -> Response:
    """The process runs; says nothing of the database."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """The database can be read, and the process goes on."""
    if request.scope["state"].get("stopping"):
        return JSONResponse({"status": "unavailable", "reason": "The server is stopping."}, 503)
    try:
        await request.app.state.services.database.ready()
    except DomainError as error:
        return JSONResponse({"status": "unavailable", "reason": error.message}, 503)
    return JSONResponse({"status": "ok"})
