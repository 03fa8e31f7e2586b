"""The dashboard and the alerts ask for figures that there are, in PromQL that Prometheus takes."""

import json
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from gateway.telemetry import metrics
from tests.fault.servers import gateway

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus-alerts.yaml"
PANELS = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
ASKED = {
    f"{panel['title']}: {target['legendFormat']}": target["expr"]
    for panel in PANELS
    for target in panel.get("targets", ())
}
SUFFIXES = ("", "_total", "_bucket", "_count", "_sum")
prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs Prometheus and promtool"
)


def families():
    return {family.name: family for family in metrics.REGISTRY.collect()}


def asked_of(text):
    """The metrics and their labels that a query names."""
    for name, _, selected in re.findall(r"\b(casegraph_\w+)(\{([^}]*)\})?", text):
        yield name, re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected)


def test_every_figure_that_is_asked_for_is_one():
    known = {name + suffix for name in families() for suffix in SUFFIXES}
    texts = [*ASKED.values(), ALERTS.read_text(encoding="utf-8")]
    asked = {name for text in texts for name, _labels in asked_of(text)}

    assert asked - known == set()
    assert len(ASKED) > 30


def test_every_label_that_is_asked_for_is_one():
    labels = {
        name: {*family._labelnames, "le", "job", "instance"}
        for name, family in vars(metrics).items()
        if hasattr(family, "_labelnames")
        for name in [family._name + suffix for suffix in SUFFIXES]
    }

    for text in [*ASKED.values(), ALERTS.read_text(encoding="utf-8")]:
        for name, selected in asked_of(text):
            assert set(selected) <= labels[name], (name, selected)


def test_no_family_is_missing_from_the_dashboard():
    asked = {name for text in ASKED.values() for name, _labels in asked_of(text)}

    missing = [name for name in families() if not asked & {name + suffix for suffix in SUFFIXES}]
    assert missing == []


@prometheus
def test_the_alerts_fire_when_they_should():
    cases = Path(__file__).with_name("alerts.yaml")
    for command in (["check", "rules", ALERTS], ["test", "rules", cases]):
        done = subprocess.run(
            ["promtool", *command], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def scraping(folder, target):
    """A Prometheus that scrapes *target* each second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "casegraph", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.json").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.json'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def answered(url, query):
    found = httpx2.get(f"{url}/api/v1/query", params={"query": query}).json()
    assert found["status"] == "success", found
    return found["data"]["result"]


@prometheus
def test_every_panel_is_drawn_from_what_prometheus_has_scraped(tmp_path):
    with (
        gateway(tmp_path, rate_limit=1_000) as server,
        scraping(tmp_path, server.url.removeprefix("http://")) as url,
        server.client() as client,
    ):
        end = time.monotonic() + 20
        scrapes = 0
        while scrapes < 4 and time.monotonic() < end:
            for query in ("{ cases(first: 1) { totalCount } }", "{ __schema { types { name } } }"):
                client.post("/graphql", json={"query": query})
            client.get("/api/v1/cases")
            client.get("/api/v1/cases/unknown")
            created = 'mutation New { createCase(input: {name: "A"}) { case { id } } }'
            client.post("/graphql", json={"query": created})
            time.sleep(0.2)
            try:
                [(_, scrapes)] = [
                    one["value"] for one in answered(url, "count_over_time(casegraph_workers[1m])")
                ]
                scrapes = int(scrapes)
            except (httpx2.TransportError, ValueError):
                continue
        assert scrapes >= 4

        empty = [
            name
            for name, query in ASKED.items()
            if not answered(url, query.replace("$job", ".*").replace("$__rate_interval", "20s"))
        ]
        firing = answered(url, 'ALERTS{alertstate="firing"}')

    # There is no standby, and nothing has failed.
    assert sorted(empty) == ["Behind the primary: {{server}}", "Server errors: {{status}} {{code}}"]
    assert firing == []
