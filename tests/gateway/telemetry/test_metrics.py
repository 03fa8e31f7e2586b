"""What is counted is what was asked: on both surfaces, with labels of few values."""

import asyncio
from collections import Counter

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.storage.watch import Watch
from gateway.app import create_app
from gateway.settings import BadSetting, Settings
from gateway.telemetry import metrics
from gateway.telemetry.metrics import Names

LOCAL = "http://localhost"
CASES = "query Mine { cases(first: 1) { nodes { id } } }"
CREATE = """mutation New($name: String!) {
  createCase(input: {name: $name}) { case { id } userErrors { code } } }"""


async def scraped(api):
    """Every sample by its name and labels."""
    page = await api.http.get(f"{LOCAL}/metrics")
    assert page.status_code == 200, page.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }


class Since:
    """How much each sample has grown since it was made."""

    @classmethod
    async def now(cls, api):
        made = cls()
        made._api, made._before = api, await scraped(api)
        return made

    async def grown(self, name, **labels):
        """The growth of all samples of a name that have these labels, together."""
        return sum(
            value - self._before.get((found, had), 0)
            for (found, had), value in (await scraped(self._api)).items()
            if found == f"casegraph_{name}" and labels.items() <= dict(had).items()
        )


@pytest.fixture
async def since(api):
    return await Since.now(api)


async def test_requests_are_counted_by_operation_route_status_and_code(api, since):
    for _ in range(3):
        await api.data(CASES)
    await api.data(CREATE, {"name": ""})
    await api.rest("GET", "/cases/unknown")
    await api.rest("GET", "/cases", key=None)

    assert await since.grown("requests_total", surface="graphql", operation="Mine") == 3
    refused = {"operation": "New", "status": "200", "code": "VALIDATION_ERROR"}
    assert await since.grown("requests_total", surface="graphql", **refused) == 1
    route = {"operation": "GET /api/v1/cases/{case_id}", "status": "404"}
    assert await since.grown("requests_total", **route, code="CASE_NOT_FOUND") == 1
    assert await since.grown("requests_total", surface="rest", code="AUTH_INVALID_KEY") == 1
    assert await since.grown("errors_total", code="VALIDATION_ERROR") == 1
    assert await since.grown("request_seconds_count", surface="graphql") == 4
    assert await since.grown("request_seconds_sum", surface="graphql") > 0


async def test_cost_bytes_plans_kept_answers_and_commits_are_counted(api, since):
    for _ in range(3):
        answer = await api.data(CASES)
    await api.data(CREATE, {"name": "Müller ./. Weiß"})
    await api.data("{ __schema { queryType { name } } }")

    assert answer == {"cases": {"nodes": []}}
    assert await since.grown("kept_answers_total", result="hit") == 1
    assert await since.grown("kept_answers_total", result="miss") == 3
    assert await since.grown("plans_total", outcome="run") == 3
    # The query twice, until it is remembered, and the mutation.
    assert await since.grown("plans_total", outcome="compiled") == 3
    assert await since.grown("plans_total", outcome="not_covered") == 1
    assert await since.grown("transactions_total") == 1
    assert await since.grown("commit_seconds_count") == 1
    assert await since.grown("points_total", surface="graphql") == 5
    assert await since.grown("request_rows_count", surface="graphql") == 5
    assert await since.grown("sent_bytes_total", surface="graphql") > 3 * len(
        b'{"data":{"cases":{"nodes":[]}}}'
    )


@pytest.mark.usefixtures("steady")
async def test_what_was_limited_is_counted_by_its_code(settings, firms):
    app = create_app(settings.but(rate_limit=2))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url=LOCAL) as http:
            api = type("Api", (), {"http": http})
            since = await Since.now(api)
            for _ in range(5):
                await http.get(
                    "/api/v1/cases", headers={"Authorization": f"Bearer {firms[1]['all']}"}
                )

            assert await since.grown("requests_total", code="RATE_LIMIT_EXCEEDED") == 3
            assert await since.grown("requests_total", surface="rest", status="200") == 2


async def test_gauges_tell_what_the_database_does_now(api):
    async with api.services.database.read(1):
        during = await scraped(api)
    after = await scraped(api)

    reads = frozenset({"work": "read"}.items())
    assert during["casegraph_database_busy", reads] == 1
    assert after["casegraph_database_busy", reads] == 0
    assert after["casegraph_database_most", reads] >= 4
    assert after["casegraph_database_connections", frozenset()] >= 1
    assert after["casegraph_workers", frozenset()] == 1
    assert after["casegraph_resident_memory_bytes", frozenset()] > 10_000_000
    sizes = [value for (name, _), value in after.items() if name == "casegraph_database_bytes"]
    assert sum(sizes) > 100_000


async def test_who_waits_for_a_turn_to_write_is_told(api):
    database = api.services.database
    begun = asyncio.Event()

    async def write():
        async with database.write(1):
            begun.set()

    async with database.write(1):
        task = asyncio.create_task(write())
        await asyncio.sleep(0.05)
        load = database.load()
        assert not begun.is_set()
    await task

    assert (load.writes.busy, load.writes.waiting) == (1, 1)
    assert database.load().writes.busy == database.load().writes.waiting == 0


async def test_names_that_clients_make_up_get_no_figures_of_their_own(api, since, monkeypatch):
    monkeypatch.setattr(metrics, "NAMES", Names(most=3))

    for n in range(10):
        await api.data(f"query Own{n} {{ __typename }}")
        await api.graphql(f"query Junk{n} {{ nothing }}")

    found = Counter(
        dict(labels).get("operation")
        for name, labels in await scraped(api)
        if name == "casegraph_requests_total"
    )
    assert {f"Own{n}" for n in range(10)} & found.keys() == {"Own0", "Own1", "Own2"}
    assert not {f"Junk{n}" for n in range(10)} & found.keys()
    assert await since.grown("requests_total", operation=Names.OTHER) == 17


def test_names_of_trusted_documents_always_have_room():
    names = Names(most=1)

    labels = [names.label(name, known=False, executed=True) for name in ("A", "B", "", "A")]

    assert labels == ["A", Names.OTHER, Names.ANONYMOUS, "A"]
    assert names.label("Trusted", known=True, executed=True) == "Trusted"
    assert names.label(None, known=False, executed=False) == Names.NONE


@pytest.mark.parametrize(
    "name", ["cg_live_0123456789ABCDEFGHJKMNPQRSTVWXYZ", "N" * 101], ids=["key", "long"]
)
async def test_a_name_that_could_be_anything_is_not_told(api, since, name):
    await api.data(f"query {name} {{ __typename }}")

    assert await since.grown("requests_total", operation="(untold)") == 1
    assert name not in (await api.http.get(f"{LOCAL}/metrics")).text


@pytest.mark.parametrize(
    ("base", "client", "headers", "status"),
    [
        (LOCAL, "127.0.0.1", {}, 200),
        ("http://[::1]:8000", "::1", {}, 200),
        (LOCAL, "192.0.2.1", {}, 403),
        ("http://gateway.example", "127.0.0.1", {}, 403),
        (LOCAL, "127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}, 403),
        (LOCAL, "127.0.0.1", {"Forwarded": "for=192.0.2.1"}, 403),
        (LOCAL, "127.0.0.1", {"Via": "1.1 proxy"}, 403),
        (LOCAL, "127.0.0.1", {"Origin": "https://page.example"}, 403),
        ("http://127.0.0.1:8000", "::ffff:127.0.0.1", {}, 200),
    ],
)
async def test_without_a_token_only_this_machine_is_answered(
    settings, base, client, headers, status
):
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, client=(client, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=base) as http:
            assert (await http.get("/metrics", headers=headers)).status_code == status


async def test_with_a_token_everybody_who_has_it_is_answered(settings):
    app = create_app(settings.but(metrics_token="t-1234"))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, client=("192.0.2.1", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://g.example") as http:
            answers = [
                await http.get("/metrics", headers={"Authorization": sent})
                for sent in ("Bearer t-1234", "Bearer wrong", "Basic t-1234", "", "bearer t-1234")
            ]

    assert [one.status_code for one in answers] == [200, 401, 401, 401, 200]
    assert answers[1].headers["WWW-Authenticate"] == "Bearer"
    assert "t-1234" not in "".join(one.text for one in answers)


def test_a_token_loses_the_line_break_of_its_file_and_must_be_sendable():
    assert Settings().but(metrics_token="t-1\n").metrics_token == "t-1"
    with pytest.raises(BadSetting, match="must be visible ASCII characters") as refused:
        Settings().but(metrics_token="päss wort")
    assert "wort" not in str(refused.value)


async def test_points_that_were_charged_are_counted_whatever_came_of_it(api, since):
    await api.http.post("/graphql", content=b"x" * (2 << 20), headers=api.bearer("all"))
    await api.rest("POST", "/cases", key="read", json={"name": "A"})

    assert await since.grown("points_total", surface="graphql") == 1
    assert await since.grown("points_total", surface="rest") == 1


async def test_a_scraper_that_asks_for_open_metrics_gets_it(api):
    page = await api.http.get(
        f"{LOCAL}/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )

    assert page.headers["Content-Type"].startswith("application/openmetrics-text")
    assert page.text.endswith("# EOF\n")


def test_a_database_that_nobody_watches_tells_nobody():
    watch = Watch()
    watch.overran()
    watch.committed(1.0, 1)
    assert watch.statement is None
