import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gateway.http import graphiql

OUR_FILES = ("start.js", "events.js", "workspace.js", "tabs.js", "examples.js", "page.css")
SDL = Path(__file__).parents[3] / "schema.graphql"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.cdata_elem is not None and data.strip():
            self.inline.append(data)


def elements_of(response) -> Elements:
    return Elements(response.body.decode())


def root_of(response) -> dict[str, str | None]:
    return next(attrs for _, attrs in elements_of(response).found if attrs.get("id") == "graphiql")


def policy_of(response) -> dict[str, list[str]]:
    parts = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def example_operations() -> list[str]:
    text = (graphiql.STATIC_FOLDER / "examples.js").read_text(encoding="utf-8")
    return re.findall(r"= `(.*?)`;", text, re.DOTALL)


@pytest.fixture
def files() -> TestClient:
    return TestClient(Starlette(routes=[Mount(graphiql.STATIC_URL, graphiql.static_files())]))


@pytest.mark.parametrize("demo_key", ['"><script>alert(1)</script>', "a&amp;'b\" $static"])
def test_a_demo_key_stays_inside_its_attribute(demo_key):
    response = graphiql.page(demo_key=demo_key)

    assert root_of(response)["data-demo-key"] == demo_key
    assert "<script>" not in response.body.decode()


def test_a_page_without_a_demo_key_names_none():
    response = graphiql.page()

    root = root_of(response)

    assert root["data-endpoint"] == "/graphql"
    assert "data-demo-key" not in root


def test_the_page_has_no_inline_script_style_or_event_handler():
    elements = elements_of(graphiql.page(demo_key="key"))

    assert elements.inline == []
    for tag, attrs in elements.found:
        assert tag != "style"
        assert tag != "script" or attrs.get("src")
        assert not [name for name in attrs if name == "style" or name.startswith("on")]


def test_the_policy_allows_only_the_gateway_itself():
    response = graphiql.page()

    policy = policy_of(response)

    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == ["'self'"]
    assert policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == ["'none'"]
    values = {value for values in policy.values() for value in values}
    digests = {value for value in values if value.startswith("'sha256-")}
    assert values - digests == {"'none'", "'self'", "data:"}


def test_the_page_is_neither_stored_nor_sniffed_and_sends_no_referrer():
    headers = graphiql.page().headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_every_file_the_page_names_is_served_with_its_media_type(files):
    elements = elements_of(graphiql.page()).found
    urls = [attrs.get("src") or attrs.get("href") for _, attrs in elements]
    urls = [url for url in urls if url and url.startswith(graphiql.STATIC_URL)]

    answers = {url: files.get(url) for url in urls}

    assert len(answers) == 8
    for url, answer in answers.items():
        expected = "text/css" if url.endswith(".css") else "text/javascript"
        assert answer.status_code == 200, url
        assert answer.headers["Content-Type"] == f"{expected}; charset=utf-8", url
        assert answer.headers["X-Content-Type-Options"] == "nosniff", url


def test_an_unchanged_file_is_not_sent_again(files):
    url = f"{graphiql.STATIC_URL}/start.js"
    first = files.get(url)

    again = files.get(url, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304
    assert again.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["absent.js", "../../graphiql.py", "%2e%2e/%2e%2e/graphiql.py"])
def test_only_files_of_the_folder_are_served(files, path):
    assert files.get(f"{graphiql.STATIC_URL}/{path}").status_code == 404


def test_our_own_files_name_no_other_host():
    texts = {name: (graphiql.STATIC_FOLDER / name).read_text("utf-8") for name in OUR_FILES}
    texts["the page"] = graphiql.page().body.decode()

    for name, text in texts.items():
        assert not re.search(r"(https?|wss?):|[\"'(]//", text), name


def test_copied_files_are_unchanged():
    lines = (graphiql.STATIC_FOLDER / "SHA256SUMS").read_text("utf-8").splitlines()
    promised = {name: digest for digest, name in (line.split() for line in lines)}

    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in graphiql.STATIC_FOLDER.iterdir()
        if path.suffix in {".js", ".css"} and path.name not in OUR_FILES
    }

    assert found == promised


def test_there_are_six_example_operations():
    names = [parse(text).definitions[0].name.value for text in example_operations()]

    assert names == [
        "ListCases",
        "Search",
        "OneCase",
        "PageThroughCases",
        "CreateCase",
        "LinkCases",
    ]


def test_the_example_operations_fit_the_schema():
    schema = build_schema(SDL.read_text(encoding="utf-8"))

    mistakes = [
        error.message for text in example_operations() for error in validate(schema, parse(text))
    ]

    assert mistakes == []
