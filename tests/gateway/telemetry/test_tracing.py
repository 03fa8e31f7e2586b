"""Spans as a real OTLP receiver gets them, over HTTP and over gRPC."""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import grpc
import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as protocol
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from gateway.app import create_app
from gateway.telemetry import tracing
from tests.fault.servers import gateway

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "Geheimnis"
CASES = {
    "query": "query Mine($s: String) { cases(first: 1, filter: {search: $s}) { nodes { id } } }",
    "variables": {"s": SECRET},
}
CREATE = {
    "query": "mutation New($n: String!) { createCase(input: {name: $n}) { case { id } } }",
    "variables": {"n": SECRET},
}


@contextmanager
def over_http(received):
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(protocol.ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def over_grpc(received):
    class Receiver(services.TraceServiceServicer):
        def Export(self, request, _context):
            received.append(request)
            return protocol.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    services.add_TraceServiceServicer_to_server(Receiver(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def facts(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def traced(folder, monkeypatch, endpoint, protocol, **variables):
    """A server whose spans go to *endpoint*."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name.upper()}", value)
    with gateway(folder) as server:
        yield server


RECEIVERS = {"http/protobuf": over_http, "grpc": over_grpc}


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_a_request_is_a_span_with_one_for_each_statement(tmp_path, monkeypatch, protocol):
    received = []
    told = {"resource_attributes": "deployment.environment.name=test"}
    with (
        RECEIVERS[protocol](received) as endpoint,
        traced(tmp_path, monkeypatch, endpoint, protocol, **told) as server,
        server.client() as client,
    ):
        parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        answer = client.post("/graphql", json=CASES, headers=parent)
        client.post("/graphql", json=CREATE)
        client.get("/api/v1/cases/unknown")
        server.stop()
        lines = [one for one in server.events() if one.get("event") == "request"]

    groups = [group for one in received for group in one.resource_spans]
    spans = [span for group in groups for scope in group.scope_spans for span in scope.spans]
    requests = {span.name: span for span in spans if span.kind == span.SPAN_KIND_SERVER}
    assert requests.keys() >= {"query Mine", "mutation New", "GET /api/v1/cases/{case_id}"}

    mine = requests["query Mine"]
    assert (mine.trace_id.hex(), mine.parent_span_id.hex()) == (TRACE, PARENT)
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{mine.span_id.hex()}-01"
    assert lines[0]["trace_id"] == TRACE
    told = facts(mine.attributes)
    assert told["graphql.operation.name"] == "Mine"
    assert told["http.response.status_code"] == 200
    assert told["casegraph.key_id"] == lines[0]["key"]

    under = [span for span in spans if span.parent_span_id == mine.span_id]
    assert {span.name for span in under} >= {"SELECT"}
    assert all(facts(span.attributes)["db.system.name"] == "sqlite" for span in under)
    written = [span for span in spans if span.parent_span_id == requests["mutation New"].span_id]
    assert {"INSERT", "COMMIT"} <= {span.name for span in written}
    missing = requests["GET /api/v1/cases/{case_id}"]
    assert facts(missing.attributes)["error.type"] == "CASE_NOT_FOUND"

    resource = facts(groups[0].resource.attributes)
    assert resource["service.name"] == "casegraph"
    assert resource["deployment.environment.name"] == "test"
    assert SECRET not in str(received)
    assert server.key not in str(received)


async def test_statements_are_told_without_values_on_either_database(settings, firms):
    exporter = InMemorySpanExporter()
    app = create_app(settings, tracing.Tracing([exporter]))
    headers = {"Authorization": f"Bearer {firms[1]['all']}"}
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://test", headers=headers
        ) as http:
            await http.post("/graphql", json=CREATE)
            await http.post("/graphql", json=CASES)
            await http.post("/api/v1/cases", json={"name": SECRET})
            await http.get("/api/v1/cases", params={"search": SECRET})

    spans = exporter.get_finished_spans()
    requests = {span.context.span_id: span for span in spans if span.kind is SpanKind.SERVER}
    statements = [span for span in spans if span.kind is SpanKind.CLIENT]
    systems = {span.attributes["db.system.name"] for span in statements}
    assert systems == {settings.database_url.partition(":")[0]}
    assert {requests[span.parent.span_id].name for span in statements} == {
        "mutation New",
        "query Mine",
        "POST /api/v1/cases",
        "GET /api/v1/cases",
    }
    assert "COMMIT" in {span.name for span in statements}
    assert SECRET not in "".join(span.to_json() for span in spans)


async def test_fastapi_makes_no_spans_of_its_own_which_would_have_paths(settings, monkeypatch):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            for path in ("/api/v1/cases/some-id/unknown", "/api/v1/openapi.json"):
                await http.get(path)
    assert exporter.get_finished_spans() == ()


def test_a_statement_that_fails_tells_its_kind_and_not_its_words():
    exporter = InMemorySpanExporter()
    traces = tracing.Tracing([exporter])
    scope = {"method": "GET", "headers": []}
    with (
        traces.request(scope),
        pytest.raises(ValueError, match=SECRET),
        traces.statement("INSERT INTO party"),
    ):
        raise ValueError(SECRET)
    traces._provider.force_flush()

    [statement, _request] = exporter.get_finished_spans()
    assert statement.attributes["error.type"] == "ValueError"
    assert not statement.status.is_ok
    assert SECRET not in statement.to_json()


@contextmanager
def nobody(_received):
    yield "http://127.0.0.1:9"


@contextmanager
def silence(_received):
    """Takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("collector", [nobody, silence])
@pytest.mark.parametrize("protocol", RECEIVERS)
def test_a_collector_that_does_not_answer_holds_nobody_up(
    tmp_path, monkeypatch, protocol, collector
):
    patient = {"exporter_otlp_timeout": "60"}
    with (
        collector([]) as endpoint,
        traced(tmp_path, monkeypatch, endpoint, protocol, **patient) as server,
    ):
        with server.client() as client:
            assert client.post("/graphql", json=CASES).status_code == 200
        began = time.monotonic()
        server.stop()

    assert time.monotonic() - began < tracing.CLOSE_SECONDS + 5
    assert "spans_lost" in {one["event"] for one in server.events()}


def test_without_the_variables_there_are_no_traces():
    assert tracing.exporters({}) == []
    assert tracing.exporters({"OTEL_TRACES_EXPORTER": "none", **AT}) == []
    assert tracing.exporters({"OTEL_SDK_DISABLED": "true", **AT}) == []


@pytest.fixture
def told(monkeypatch):
    """The facts of the warnings that are logged."""
    found = []
    log = SimpleNamespace(warning=lambda _event, **facts: found.append(facts))
    monkeypatch.setattr(tracing, "log", log)
    return found


AT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def test_the_variables_choose_the_exporters():
    assert tracing.exporters(AT) == ["otlp_proto_http"]
    assert tracing.exporters({"OTEL_TRACES_EXPORTER": "console, otlp"}) == [
        "console",
        "otlp_proto_http",
    ]
    grpc_for_traces = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    assert tracing.exporters({**AT, **grpc_for_traces}) == ["otlp_proto_grpc"]


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/xml"}, "must be one of: grpc, http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "not installed: jaeger"),
    ],
)
def test_what_cannot_be_traced_is_told_and_the_server_runs(monkeypatch, told, variables, reason):
    for name, value in {**AT, **variables}.items():
        monkeypatch.setenv(name, value)

    assert tracing.from_environment() is None
    assert reason in told[0]["reason"]


def test_without_the_extra_the_command_to_install_it_is_told(monkeypatch, told):
    monkeypatch.setattr(tracing, "entry_points", lambda **_: ())
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")

    assert tracing.from_environment() is None
    assert "pip install 'casegraph[otel]'" in told[0]["reason"]
