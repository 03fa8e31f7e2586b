"""The log and the figures of a real server, with several workers."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import httpx2
from prometheus_client.mmap_dict import MmapedDict

from tests import processes
from tests.fault.servers import Gateway, gateway

CASES = {"query": "query Mine { cases(first: 1) { nodes { id } } }"}
CREATE = {
    "query": 'mutation New { createCase(input: {name: ""}) { case { id } userErrors { code } } }'
}


def sample(page, name, **labels):
    """The value of a sample; 0 if there is none."""
    wanted = "".join(rf'(?=[^}}]*{key}="{re.escape(value)}")' for key, value in labels.items())
    found = re.search(rf"^casegraph_{name}(?:\{{{wanted}[^}}]*\}})? (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def workers_of(server):
    return processes.workers(server.process.pid)


def folder_of(server):
    """Where its workers share what they count."""
    given = processes.environment(workers_of(server)[0])
    return Path(os.fsdecode(given[b"PROMETHEUS_MULTIPROC_DIR"]))


def counts_itself(pid, folder):
    """Whether a worker has told those who share the *folder* that it is there."""
    return any(
        "casegraph_workers" in key and value
        for file in folder.glob(f"gauge_live*_{pid}.db")
        if file.stat().st_size  # it is made empty, and then given its size
        for key, value, _at, _place in MmapedDict.read_all_values_from_file(file)
    )


def until(condition, every=0.1, told=lambda: ""):
    """Wait until *condition* holds; if it never does, show what is *told*."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(every)


def test_several_workers_tell_of_all_of_them_even_of_one_that_died(tmp_path):
    with gateway(tmp_path, workers=2) as server:
        headers = {"Authorization": f"Bearer {server.key}"}

        def ask(times):
            for _ in range(times):  # each on a connection of its own: any worker may take it
                answer = httpx2.post(f"{server.url}/graphql", json=CASES, headers=headers)
                assert answer.status_code == 200

        def page():
            return httpx2.get(f"{server.url}/metrics").text

        until(lambda: sample(page(), "workers") == 2)
        ask(40)
        asked = {"operation": "Mine", "status": "200"}
        until(lambda: sample(page(), "requests_total", **asked) == 40)

        killed = workers_of(server)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in workers_of(server))
        until(lambda: sample(page(), "workers") == 2)
        ask(20)

        until(lambda: sample(page(), "requests_total", **asked) == 60)
        assert sample(page(), "request_seconds_count", operation="Mine") == 60
        # What a worker leaves for a moment when it begins.
        folder = folder_of(server)
        (folder / "counter_1.db").touch()
        assert sample(page(), "workers") > 0
        server.stop()

    assert not folder.exists()


def test_a_line_of_the_log_tells_what_was_asked_and_what_it_took(tmp_path):
    with gateway(tmp_path) as server, server.client() as client:
        body = client.post("/graphql", json=CASES).content
        client.post("/graphql", json=CREATE)
        client.post("/graphql", json={"query": "{ nothing }"})
        client.get("/api/v1/cases/unknown")
        client.post("/graphql", content=b"x" * (2 << 20))
        for path in ("/healthz", "/readyz", "/metrics", "/graphql/static/workspace.js"):
            assert client.get(path).status_code == 200
        server.stop()
        lines = [one for one in server.events() if one["event"] == "request"]

    read, wrote, junk, missing, large = lines
    assert (read["operation"], read["type"]) == ("Mine", "query")
    assert read["bytes"] == len(body)
    assert read["points"] == 1
    assert read["kept"] is False
    assert read["ms"] > 0
    assert server.key.split("_")[2].startswith(read["key"])
    assert (wrote["operation"], wrote["type"]) == ("New", "mutation")
    assert wrote["codes"] == ["VALIDATION_ERROR"]
    assert junk["codes"] == ["GRAPHQL_VALIDATION_FAILED"]
    assert "operation" not in junk
    assert missing["codes"] == ["CASE_NOT_FOUND"]
    assert missing["path"] == "/api/v1/cases/{case_id}"
    assert (large["status"], large["codes"]) in [
        (413, ["PAYLOAD_TOO_LARGE"]),
        (415, ["UNSUPPORTED_MEDIA_TYPE"]),
    ]


def test_at_debug_the_log_has_probes_and_files_too(tmp_path):
    with gateway(tmp_path, log_level="debug") as server, server.client() as client:
        for path in ("/readyz", "/metrics", "/graphql/static/workspace.js"):
            client.get(path)
        server.stop()
        quiet = {one["path"] for one in server.events() if one["event"] == "request"}

    assert {"/readyz", "/metrics", "/graphql/static/{file}"} <= quiet


def test_text_in_a_file_has_no_colours(tmp_path):
    with gateway(tmp_path, log_format="text") as server, server.client() as client:
        client.post("/graphql", json=CASES)
        server.stop()

    assert "operation=Mine" in server.logged()
    assert "\x1b[" not in server.logged()


def test_a_folder_that_somebody_else_has_set_is_not_used(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        made = Gateway(folder, workers=workers)
        made.environment["PROMETHEUS_MULTIPROC_DIR"] = str(theirs)
        made.start()
        try:
            assert "casegraph_workers" in httpx2.get(f"{made.url}/metrics").text
        finally:
            made.kill()
    assert list(theirs.iterdir()) == []


def test_workers_that_are_replaced_leave_no_gauges(tmp_path):
    with gateway(tmp_path, workers=2) as server:

        def workers():
            return sample(httpx2.get(f"{server.url}/metrics").text, "workers")

        until(lambda: workers() == 2)
        before = set(workers_of(server))
        server.process.send_signal(signal.SIGHUP)
        until(lambda: not before & set(workers_of(server)), told=server.logged)
        until(lambda: len(workers_of(server)) == 2 and workers() == 2)
        server.process.send_signal(signal.SIGTTIN)
        until(lambda: workers() == 3)
        server.process.send_signal(signal.SIGTTOU)
        until(lambda: workers() == 2)


def test_a_worker_that_ends_before_it_is_ready_leaves_no_gauges(tmp_path):
    with gateway(tmp_path, workers=2) as server:
        until(lambda: sample(httpx2.get(f"{server.url}/metrics").text, "workers") == 2)
        before = set(workers_of(server))
        folder = folder_of(server)

        def killed():
            """Whether a new one was killed as soon as it counted itself."""
            for pid in set(workers_of(server)) - before:
                if counts_itself(pid, folder):
                    os.kill(pid, signal.SIGKILL)
                    return True
            return False

        server.process.send_signal(signal.SIGHUP)
        until(killed, every=0.002)
        until(lambda: "aborting the restart" in server.logged())

        assert set(workers_of(server)) == before
        assert sample(httpx2.get(f"{server.url}/metrics").text, "workers") == 2


def test_a_late_body_is_one_refusal(tmp_path):
    with gateway(tmp_path, body_seconds=1) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 10) as late:
            late.sendall(
                b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer %b\r\nContent-Length: 10\r\n\r\n{" % server.key.encode()
            )
            answer = late.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408")
        page = httpx2.get(f"{server.url}/metrics").text
        assert sample(page, "requests_total", status="408") == 1
        assert sample(page, "requests_total", status="499") == 0
        lines = [one for one in server.events() if one["event"] in ("request", "refused")]
        assert [one["status"] for one in lines] == [408]


def test_variables_of_opentelemetry_that_cannot_be_are_told_and_the_server_runs(tmp_path):
    made = Gateway(tmp_path)
    made.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_BSP_MAX_QUEUE_SIZE": "10",
    }
    made.start()
    try:
        assert [one["reason"] for one in made.events() if one["event"] == "not_traced"] == [
            "An OTEL_* variable cannot be: ValueError."
        ]
    finally:
        made.kill()
    made.environment["OTEL_PROPAGATORS"] = "tracecontext,b4"
    assert "OTEL_PROPAGATORS names what is not installed: b4." in made.command(
        "serve", "--port", "0", status=2
    )
