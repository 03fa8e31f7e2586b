import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from strawberry.asgi import GraphQL

from gateway.http import graphiql

KEY = "cg_test_key"


@strawberry.enum
class CaseStatus(Enum):
    ACTIVE = "active"
    CLOSED = "closed"


@strawberry.enum
class CaseOrderField(Enum):
    CREATED_AT = "created_at"


@strawberry.enum
class Direction(Enum):
    ASC = "asc"
    DESC = "desc"


@strawberry.input
class CaseFilter:
    status: list[CaseStatus] | None = None
    search: str | None = None


@strawberry.input
class CaseOrder:
    field: CaseOrderField
    direction: Direction


@strawberry.type
class Case:
    id: strawberry.ID
    name: str
    file_number: str
    status: CaseStatus = CaseStatus.ACTIVE
    type: str = "civil"
    dezernat: str | None = None
    created_at: str = "2026-01-02T03:04:05Z"


@strawberry.type
class CaseConnection:
    total_count: int
    nodes: list[Case]


@strawberry.type
class Query:
    @strawberry.field(description="Cases, newest first.")
    def cases(
        self, first: int = 50, filter: CaseFilter | None = None, order_by: CaseOrder | None = None
    ) -> CaseConnection:
        found = [
            Case(id=strawberry.ID("1"), name="Müller v. Schmidt", file_number="AZ-2026-001"),
            Case(id=strawberry.ID("2"), name="Estate of Weber", file_number="AZ-2026-002"),
        ]
        return CaseConnection(total_count=len(found), nodes=found[:first])


answer_graphql = GraphQL(strawberry.Schema(Query), graphql_ide=None)


class Guarded:
    """Answers GraphQL to those who bring the key."""

    async def __call__(self, scope, receive, send):
        if Request(scope).headers.get("Authorization") == f"Bearer {KEY}":
            await answer_graphql(scope, receive, send)
        else:
            body = {"errors": [{"message": "This API key is not known."}]}
            await JSONResponse(body, status_code=401)(scope, receive, send)


def gateway_with(demo_key: str | None) -> Starlette:
    async def page(request: Request) -> Response:
        return graphiql.page(demo_key=demo_key)

    return Starlette(
        routes=[
            Mount("/graphql/static", graphiql.static_files()),
            Route("/graphql", page, methods=["GET"]),
            Route("/graphql", Guarded(), methods=["POST"]),
        ]
    )


class Page:
    """GraphiQL as a person sees it."""

    def __init__(self, browser) -> None:
        self.browser = browser

    def open(self, url: str) -> None:
        self.browser.get(f"{url}/graphql")
        self.wait_for(".graphiql-execute-button")

    def wait_for(self, selector: str):
        return self.wait_until(lambda: self.all(selector))[0]

    def wait_until(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, 10, poll_frequency=0.05).until(lambda _: condition())

    def all(self, selector: str) -> list:
        return self.browser.find_elements("css selector", selector)

    def text(self, selector: str) -> str:
        return "\n".join(element.text for element in self.all(selector))

    def enter_key(self, key: str) -> None:
        field = self.wait_for("#key")
        field.clear()
        field.send_keys(key, "\ue007")  # Enter

    def run(self) -> None:
        self.wait_for(".graphiql-execute-button").click()

    def wait_for_schema(self) -> None:
        """Open the documentation, which shows the root types once the schema is read."""
        self.wait_for("button[aria-label='Show Documentation Explorer']").click()
        self.wait_until(lambda: "Query" in self.text(".graphiql-doc-explorer"))

    def console_errors(self) -> list[str]:
        entries = self.browser.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def hosts_asked(self) -> set[str]:
        """The hosts of all requests the page made; the browser's own pages do not count."""
        messages = [json.loads(entry["message"]) for entry in self.browser.get_log("performance")]
        urls = [
            message["message"]["params"]["request"]["url"]
            for message in messages
            if message["message"]["method"] == "Network.requestWillBeSent"
        ]
        parts = [urlsplit(url) for url in urls]
        return {part.netloc for part in parts if part.scheme in ("http", "https", "ws", "wss")}


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A tab of its own, closed at the end with all that it opened."""
    [blank] = browser.window_handles
    browser.switch_to.new_window("tab")
    for log in ("browser", "performance"):
        browser.get_log(log)
    yield Page(browser)
    for handle in browser.window_handles:
        if handle != blank:
            browser.switch_to.window(handle)
            browser.close()
    browser.switch_to.window(blank)


def test_the_first_example_lists_cases_once_a_key_is_entered(page, serve, tmp_path: Path):
    with serve(gateway_with(demo_key=None)) as url:
        page.open(url)

        page.enter_key(KEY)
        page.wait_for_schema()
        page.run()
        page.wait_until(lambda: "Estate of Weber" in page.text(".result-window"))
        page.browser.save_screenshot(str(tmp_path / "graphiql.png"))

        assert "Müller v. Schmidt" in page.text(".result-window")
        assert page.text("#notice") == ""
        assert page.console_errors() == []
        assert page.hosts_asked() == {urlsplit(url).netloc}


def test_without_a_key_the_page_says_how_to_get_one(page, serve):
    with serve(gateway_with(demo_key=None)) as url:
        page.open(url)

        page.run()
        page.wait_until(lambda: "API key" in page.text(".result-window"))

        assert page.text("#notice") == (
            "Enter an API key above. Make one with: casegraph keys create"
        )
        assert page.console_errors() == []


def test_a_refused_key_is_named_as_the_reason(page, serve):
    with serve(gateway_with(demo_key=None)) as url:
        page.open(url)

        page.enter_key("wrong")
        page.wait_until(lambda: "refused" in page.text("#notice"))

        assert page.text("#notice") == (
            "The server refused this API key. "
            "Enter an API key above. Make one with: casegraph keys create"
        )


def test_a_text_that_cannot_be_a_key_is_not_sent(page, serve):
    with serve(gateway_with(demo_key=None)) as url:
        page.open(url)

        page.enter_key("kéy with spaces")
        page.wait_until(lambda: "not an API key" in page.text("#notice"))

        assert page.console_errors() == []


def test_a_demo_key_works_without_being_typed_and_is_not_remembered(page, serve):
    with serve(gateway_with(demo_key=KEY)) as url:
        page.open(url)

        page.wait_for_schema()
        page.run()
        page.wait_until(lambda: "Estate of Weber" in page.text(".result-window"))

        assert page.browser.execute_script("return sessionStorage.length") == 0


def test_a_typed_key_outlives_a_reload_in_its_own_tab_only(page, serve):
    with serve(gateway_with(demo_key=None)) as url:
        page.open(url)
        page.enter_key(KEY)

        page.open(url)
        reloaded = page.wait_for("#key").get_attribute("value")
        page.browser.switch_to.new_window("tab")
        page.open(url)

        assert reloaded == KEY
        assert page.wait_for("#key").get_attribute("value") == ""


def test_the_key_is_hidden_until_it_is_asked_for(page, serve):
    with serve(gateway_with(demo_key=KEY)) as url:
        page.open(url)
        hidden = page.wait_for("#key").get_attribute("type")

        page.wait_for("#show-key").click()

        assert hidden == "password"
        assert page.wait_for("#key").get_attribute("type") == "text"


def test_the_examples_are_open_as_tabs_and_a_reload_adds_none(page, serve):
    tabs = ["ListCases", "Search", "OneCase", "PageThroughCases", "CreateCase", "LinkCases"]
    with serve(gateway_with(demo_key=KEY)) as url:
        page.open(url)
        first = [tab.text for tab in page.all(".graphiql-tab-button")]
        variables = page.text(".graphiql-editor-tool .CodeMirror")

        page.open(url)

        assert first == tabs
        assert '"ACTIVE"' in variables
        assert [tab.text for tab in page.all(".graphiql-tab-button")] == tabs


@pytest.mark.parametrize(
    ("button", "shown"),
    [
        ("Show History", ".graphiql-history"),
        ("Show GraphiQL Explorer", ".graphiql-explorer-root"),
        ("Open short keys dialog", ".graphiql-dialog"),
        ("Open settings dialog", ".graphiql-dialog"),
    ],
)
def test_every_panel_opens_under_the_policy(page, serve, button, shown):
    with serve(gateway_with(demo_key=KEY)) as url:
        page.open(url)
        page.wait_for_schema()

        page.wait_for(f"button[aria-label='{button}']").click()
        page.wait_for(shown)

        assert page.console_errors() == []


def test_a_server_that_has_gone_is_named_as_the_reason(page, serve):
    with serve(gateway_with(demo_key=KEY)) as url:
        page.open(url)
        page.wait_for_schema()

    page.run()
    page.wait_until(lambda: page.text("#notice") != "")

    assert page.text("#notice") == "The server does not answer. Is it still running?"
