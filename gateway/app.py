"""The composition root: builds one application of both surfaces from the settings.

It is the only module that knows both surfaces.
"""

import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from domain.access.keys import KeyRing
from domain.access.leases import Leases
from domain.access.positions import HEADER, Positions
from domain.access.rates import RateLimiter
from domain.errors import DomainError
from domain.reading.kept import KeptAnswers
from domain.reading.sizes import Sizes
from domain.services import Services
from domain.storage.opening import opened
from domain.webhooks.registering import Terms
from gateway import logs, settings
from gateway.execution.documents import Documents
from gateway.http import graphiql, single_page
from gateway.http.endpoint import Endpoint
from gateway.http.introspection import schema_file
from gateway.http.manifests import trusted
from gateway.http.persisted import Persisted
from gateway.http.repeats import Repeated
from gateway.http.sockets import Socket
from gateway.http.subscribing import Subscriptions
from gateway.server.anchoring import anchored
from gateway.server.caps import BodyCap, Bounded, WellFormed
from gateway.server.compression import Compressed
from gateway.server.edge import Envelope
from gateway.settings import Settings
from gateway.telemetry import metrics, sampling, scraping, tracing
from gateway.telemetry.tracing import Traced, Tracing
from gateway.webhooks.delivering import Deliveries
from gateway.webhooks.payloads import QUERY, Payloads
from gateway.webhooks.sending import Sender
from rest_compat import application as rest_compat
from rest_compat.errors import http_failure

REST_ROOT = "/api/v1"
ACCEPTED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    HEADER,
    "X-Request-Id",
    # Tracing, as browsers' agents send it (W3C Trace Context and Baggage).
    "traceparent",
    "tracestate",
    "baggage",
    # The names that Apollo Client and urql give themselves.
    "apollographql-client-name",
    "apollographql-client-version",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "x-apollo-operation-id",
    "graphql-client-name",
    "graphql-client-version",
    "x-graphql-client-name",
    "x-graphql-client-version",
)
EXPOSED = (
    "ETag",
    "Location",
    "Retry-After",
    HEADER,
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
    "X-Warning",
    "traceresponse",
)
"""The request headers that pages of other origins may send, and the ones they may read."""


NO_STORE = {"Cache-Control": "no-store"}


class Surfaces:
    """Sends each request to its surface before any routing; other requests go on to *app*."""

    def __init__(self, app: ASGIApp, graphql: ASGIApp, rest: ASGIApp) -> None:
        self._others = app
        self._graphql = graphql
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._others
        if scope["type"] == "http":
            path = scope["path"]
            if path == "/graphql" and scope["method"] in ("GET", "HEAD", "POST"):
                app = self._graphql
            elif path.startswith(REST_ROOT + "/"):
                scope["root_path"] = scope.get("root_path", "") + REST_ROOT
                app = self._rest
            elif b"%2f" in scope.get("raw_path", b"").lower():
                # A slash that is data (RFC 3986, 2.2), which no path here has: none is found.
                scope["path"] = scope["raw_path"].decode("latin-1")
        await app(scope, receive, send)


class Application(Starlette):
    """Without Starlette's outermost layer, which answers defects: Envelope does."""

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = ExceptionMiddleware(self.router, handlers=self.exception_handlers)
        for one in reversed(self.user_middleware):
            app = one.cls(app, *one.args, **one.kwargs)
        return app


def create_app(chosen: Settings, traces: Tracing | None = None) -> Starlette:
    """The application. It opens the database when it starts and closes it when it stops.

    With *traces*, there is a span for each request.
    """
    rest = rest_compat.Application(public=chosen.introspection)
    persisted = Persisted(
        trusted(chosen), register=chosen.persisted_queries, only=chosen.documents_only
    )

    payloads = Payloads(persisted, chosen)
    endpoint = Endpoint(Documents(), persisted, chosen)
    watch = metrics.Counting()
    if traces is not None:
        watch.statement = traces.statement

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with (
            opened(
                chosen.database_url,
                read_seconds=chosen.query_seconds,
                bound=not chosen.bypass_policies,
                pooling=chosen.pooling,
                read_url=chosen.read_url or None,
                watch=watch,
            ) as database,
            anchored(database),
        ):
            # A file that one process serves needs nobody to share with.
            is_shared = database.is_shared or chosen.workers > 1
            ledger = Leases(database) if is_shared else None
            services = Services(
                database,
                KeyRing(database, chosen.failed_auth_limit, ledger),
                RateLimiter(chosen.rate_limit, ledger),
                Sizes(database),
                KeptAnswers(database, chosen.answer_mib << 20),
                Positions(),
                Terms(chosen.networks, payloads.wrong, QUERY),
            )
            app.state.services = rest.state.services = services
            if traces is not None:
                traces.system = database.url.get_backend_name()
            app.state.subscriptions = subscriptions = Subscriptions(services, chosen)
            deliveries = None
            if chosen.webhooks:
                sender = Sender(chosen.networks)
                deliveries = Deliveries(services, payloads, sender, subscriptions.following)
                deliveries.start()
            try:
                async with sampling.sampled(services, always=chosen.workers > 1):
                    yield {"subscriptions": subscriptions}
            finally:
                if deliveries is not None:
                    await deliveries.close()
                await subscriptions.close()
            await services.keys.settled()
            if traces is not None:
                await traces.close()
            logs.flush()

    app = Application(
        lifespan=lifespan,
        exception_handlers={404: http_failure, 405: http_failure},
        middleware=[
            *([Middleware(Traced, traces)] if traces is not None else []),
            Middleware(Envelope, chosen.rate_limit),
            Middleware(Repeated, REST_ROOT + "/"),
            *_cors(chosen),
            Middleware(Compressed, REST_ROOT + "/"),
            Middleware(WellFormed),
            Middleware(Bounded, chosen.in_flight),
            Middleware(BodyCap, chosen.body_bytes),
            Middleware(Surfaces, endpoint, rest),
        ],
        routes=[
            Route("/", _start_of(chosen)),
            Route("/healthz", _healthy),
            Route("/readyz", _ready),
            Route(scraping.URL, _metrics_of(chosen)),
            WebSocketRoute("/graphql", _socket_of(endpoint)),
            # Reached only by other methods: they get 405, not 404.
            Route("/graphql", _start, methods=["GET", "POST"]),
            *([Mount("/graphql/static", graphiql.static_files())] if chosen.graphiql else []),
            *([Mount(single_page.FILES_URL, single_page.files(chosen))] if chosen.app else []),
            *([Route(graphiql.SCHEMA_URL, schema_file)] if chosen.introspection else []),
        ],
    )
    app.router.redirect_slashes = False
    return app


def from_environment() -> Starlette:
    """The application for a server process; uvicorn calls this."""
    chosen = settings.from_environment()
    logs.configure(chosen.log_level, chosen.log_format)
    sys.unraisablehook = logs.unraisable
    if chosen.workers > 1:
        metrics.reserve()
    app = create_app(chosen, tracing.from_environment())
    # Objects made so far stay for good. Freezing them spares the collector from scanning them
    # again and again, some 40 ms each time, in the middle of a request. What a document leaves
    # behind is collected often, a few milliseconds each time: 20 times as much took 20 to 70.
    # So is what was still in use at the first two collections, connections for example: were it
    # left for 300 collections, hostile clients would fill 45 MB with it, freed 100 ms long.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 3, 10)
    return app


def _cors(chosen: Settings) -> list[Middleware]:
    if not chosen.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=chosen.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=ACCEPTED,
            expose_headers=EXPOSED,
            max_age=600,
        )
    ]


async def _start(_request: Request) -> Response:
    return RedirectResponse("/graphql")


def _start_of(chosen: Settings) -> Callable[[Request], Awaitable[Response]]:
    """What / shows: the single-page app, if there is one, else GraphiQL."""
    if not chosen.app:
        return _start

    async def start(_request: Request) -> Response:
        return single_page.page(chosen)

    return start


def _socket_of(endpoint: Endpoint) -> Callable[[WebSocket], Awaitable[None]]:
    async def serve(socket: WebSocket) -> None:
        await Socket(socket, endpoint, socket.app.state.subscriptions).serve()

    return serve


def _metrics_of(chosen: Settings) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await scraping.answer(request, request.app.state.services, chosen)

    return answer


async def _healthy(_request: Request) -> Response:
    """Answers that the process is running; it does not check the database."""
    return JSONResponse({"status": "ok"}, headers=NO_STORE)


async def _ready(request: Request) -> Response:
    """Answers whether the database can be read and the process is not stopping."""
    if request.scope["state"].get("stopping"):
        reason = {"status": "unavailable", "reason": "The server is stopping."}
        return JSONResponse(reason, 503, NO_STORE)
    try:
        await request.app.state.services.database.ready()
    except DomainError as error:
        reason = {"status": "unavailable", "reason": error.message}
        return JSONResponse(reason, 503, NO_STORE)
    return JSONResponse({"status": "ok"}, headers=NO_STORE)
