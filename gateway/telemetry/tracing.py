"""OpenTelemetry: a span for each request, and one for each statement that it sends.

It is set up by OpenTelemetry's own variables (OpenTelemetry specification, "Environment Variable
Specification"), and on only if they name an exporter or an endpoint. Spans are named by operation
or route, and have no value and nobody's name: statements are sent apart from their values.

The W3C trace context of a request (Trace Context, 3.2) is taken, and its answer tells in
`traceresponse` (Trace Context Level 2, draft, 3.6) to which trace it belongs.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.settings import BadSetting
from gateway.threads import aside

if TYPE_CHECKING:  # it is an extra
    from opentelemetry.sdk.trace.export import SpanExporter

log = structlog.get_logger("casegraph.traces")

CLOSE_SECONDS = 3
"""How long a server that stops waits for its last spans to be taken."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTERS = "OTEL_TRACES_EXPORTER"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
MISSING = (
    "OpenTelemetry's variables are set, but it is not installed: pip install 'casegraph[otel]'"
)


class NotTraceable(Exception):
    """OpenTelemetry's variables ask for something that there is not; a sentence says what."""


def exporters(environment: Mapping[str, str]) -> list[str]:
    """The names of the exporters that the variables ask for. Raises NotTraceable."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    asked = environment.get(_EXPORTERS, "").strip()
    if not asked:
        asked = "otlp" if any(environment.get(name) for name in _ENDPOINTS) else "none"
    names = [name.strip() for name in asked.split(",") if name.strip() not in ("", "none")]
    return [_otlp(environment) if name == "otlp" else name for name in names]


def _otlp(environment: Mapping[str, str]) -> str:
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "")
    exporter = _OTLP.get(protocol or "http/protobuf")
    if exporter is None:
        raise NotTraceable(f"{_PROTOCOLS[1]} must be one of: {', '.join(_OTLP)}.")
    return exporter


def check(environment: Mapping[str, str]) -> None:
    """Raise BadSetting for propagators that are not installed: nothing could be imported."""
    asked = environment.get("OTEL_PROPAGATORS", "")
    known = {one.name for one in entry_points(group="opentelemetry_propagator")} | {"none"}
    unknown = [name for part in asked.split(",") if (name := part.strip()) and name not in known]
    if unknown and len(known) > 1:
        raise BadSetting([f"OTEL_PROPAGATORS names what is not installed: {', '.join(unknown)}."])


def from_environment() -> "Tracing | None":
    """What the variables ask for; None if they ask for no traces, or for what there is not."""
    try:
        names = exporters(os.environ)
        if not names:
            return None
        return Tracing([_made(name) for name in names])
    except NotTraceable as error:
        log.warning("not_traced", reason=str(error))
    except Exception as error:  # whatever OpenTelemetry makes of a variable that cannot be
        log.warning("not_traced", reason=f"An OTEL_* variable cannot be: {type(error).__name__}.")
    return None


def _made(name: str) -> "SpanExporter":
    found = entry_points(group="opentelemetry_traces_exporter", name=name)
    if not found:
        if not entry_points(group="opentelemetry_traces_exporter"):
            raise NotTraceable(MISSING)
        raise NotTraceable(f"{_EXPORTERS} names an exporter that is not installed: {name}.")
    exporter: SpanExporter = next(iter(found)).load()()
    return exporter


class Tracing:
    """Spans for requests and for statements, sent to *exporters* in the background."""

    def __init__(self, exporters: "Sequence[SpanExporter]") -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider: TracerProvider = TracerProvider(resource=_resource())
        self._processors = [BatchSpanProcessor(exporter) for exporter in exporters]
        for processor in self._processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("casegraph", version("casegraph"))
        self._current = trace.get_current_span
        self._client = trace.SpanKind.CLIENT
        self._error = trace.StatusCode.ERROR
        self.system = ""
        """The database, as OpenTelemetry calls it: sqlite or postgresql."""

    async def close(self) -> None:
        """Send the last spans, if they are taken in time."""
        closing = [aside(processor.shutdown) for processor in self._processors]
        _closed, late = await asyncio.wait(closing, timeout=CLOSE_SECONDS)
        if late:
            log.warning("spans_lost", reason="The exporter does not answer.")

    def statement(self, sql: str) -> AbstractContextManager[object]:
        """A span for a statement that a traced request sends."""
        if not self._current().is_recording():
            return nullcontext()
        return self._statement(sql)

    @contextmanager
    def _statement(self, sql: str) -> Iterator[None]:
        verb = sql.split(None, 1)[0].rstrip(";").upper()
        with self._tracer.start_as_current_span(
            verb,
            kind=self._client,
            attributes={
                "db.system.name": self.system,
                "db.operation.name": verb,
                "db.query.text": sql,
            },
            # An exception's message may hold values.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(self._error)
                raise

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Any]:
        """A span for a request, as a part of the client's trace if it has one."""
        from opentelemetry import context, propagate, trace

        fields = {name.encode() for name in propagate.get_global_textmap().fields}
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in fields
        }
        span = self._tracer.start_span(
            scope["method"],
            context=propagate.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes={"url.scheme": scope.get("scheme", "http")},
        )
        token = context.attach(trace.set_span_in_context(span))
        try:
            yield span
        finally:
            context.detach(token)
            span.end()


def _resource() -> Any:
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    told = Resource.create().attributes
    own = {SERVICE_VERSION: version("casegraph")}
    if str(told.get(SERVICE_NAME, "")).startswith("unknown_service"):
        own[SERVICE_NAME] = "casegraph"
    return Resource.create(own)


class Traced:
    """Makes a span of each request, with the facts that its state has at the end."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._tracing.request(scope) as span:
            status = 0
            ids = span.get_span_context()
            state = scope.setdefault("state", {})
            state["trace_id"] = f"{ids.trace_id:032x}"
            told = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"

            async def send_traced(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [
                        *message.get("headers", ()),
                        (b"traceresponse", told.encode()),
                    ]
                await send(message)

            method = scope["method"]
            try:
                await self._app(scope, receive, send_traced)
            finally:
                _describe(span, method, state.get("status") or status or 500, state)


_FACTS = {
    "operation": "graphql.operation.name",
    "type": "graphql.operation.type",
    "route": "http.route",
    "key_id": "casegraph.key_id",
    "rows": "casegraph.rows",
    "points": "casegraph.points",
    "kept": "casegraph.kept",
}
"""What a span has of a request's state, by OpenTelemetry's names where it has some."""


def _describe(span: Any, method: str, status: int, state: Mapping[str, Any]) -> None:
    from opentelemetry.trace import StatusCode

    span.update_name(state.get("label") or method)
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", status)
    for name, attribute in _FACTS.items():
        if state.get(name) is not None:
            span.set_attribute(attribute, state[name])
    if codes := state.get("codes"):
        span.set_attribute("error.type", codes[0])
    if status >= 500:
        span.set_status(StatusCode.ERROR)
