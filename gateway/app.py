"""The composition root: settings to services to both surfaces to one application.

The only module that knows both surfaces.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from domain.database import opened
from domain.errors import Unavailable
from domain.keys import KeyRing
from domain.rates import RateLimiter
from domain.services import Services
from gateway import graphiql, logs, settings
from gateway.execution.documents import Documents
from gateway.http import graphql
from gateway.middleware import AccessLog, Failures, RequestId
from gateway.settings import Settings
from rest_compat import application as rest_compat
from rest_compat.errors import http_failure

log = structlog.get_logger("casegraph")

EXPOSED = (
    "ETag",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)


def create_app(chosen: Settings) -> FastAPI:
    """The application. Opens the database when it starts, and closes it when it stops."""
    rest = rest_compat.build()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(chosen.database_url, read_seconds=chosen.query_seconds) as database:
            services = Services(database, KeyRing(database), RateLimiter(chosen.rate_limit))
            app.state.services = rest.state.services = services
            yield

    app = FastAPI(
        title="casegraph",
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        middleware=_middleware(chosen),
        routes=[
            Route("/", _start, include_in_schema=False),
            Route("/healthz", _healthy),
            Route("/readyz", _ready),
            Route("/graphql", graphql, methods=["GET", "POST"]),
        ],
    )
    app.state.settings = chosen
    app.state.documents = Documents()
    for status in (404, 405):
        app.add_exception_handler(status, http_failure)
    app.mount("/graphql/static", graphiql.static_files())
    app.mount("/api/v1", rest)
    return app


def from_environment() -> FastAPI:
    """The application for a server process: what uvicorn calls."""
    chosen = settings.from_environment()
    logs.configure(chosen.log_level, chosen.log_format)
    return create_app(chosen)


def _middleware(chosen: Settings) -> list[Middleware]:
    cors = Middleware(
        CORSMiddleware,
        allow_origins=chosen.cors_origins,
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
    outer = [Middleware(RequestId), Middleware(AccessLog)]
    return [*outer, *([cors] if chosen.cors_origins else []), Middleware(Failures)]


async def _start(_request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _healthy(_request: Request) -> Response:
    """The process runs; says nothing of the database."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """The database can be read."""
    try:
        await request.app.state.services.database.ready()
    except Unavailable as error:
        return JSONResponse({"status": "unavailable", "reason": error.message}, 503)
    return JSONResponse({"status": "ok"})
