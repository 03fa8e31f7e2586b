"""GraphiQL in a real browser, over a real gateway with demonstration cases."""

import re
import urllib.parse

import pytest

from tests.browser.pages import EVERY_SCREEN, Page

ENTER = "Enter an API key above. Make one with: casegraph keys create"
VARIABLES = "document.querySelector('.graphiql-editor-tool .CodeMirror').CodeMirror"
TABS = ["ListCases", "Search", "OneCase", "PageThroughCases", "CreateCase", "LinkCases"]


class GraphiQL(Page):
    """The page as a person sees it."""

    def open(self, url: str, query: str = "") -> None:
        self.browser.get(f"{url}/graphql{query}")
        self.wait_for(".graphiql-execute-button")

    def enter_key(self, key: str) -> None:
        self.send("#key", key, "\ue007", cleared=True)  # Enter

    def run(self) -> str:
        """Run what is in the open tab, and give the result."""
        self.script("document.querySelector('.result-window .CodeMirror')?.CodeMirror.setValue('')")
        self.click(".graphiql-execute-button")
        read = "return document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
        return self.wait_until(lambda: self.script(read))

    def variables(self) -> str:
        return self.script(f"return {VARIABLES}.getValue()")

    def choose(self, tab: str) -> None:
        self.click(".graphiql-tab-button", tab)
        self.wait_until(lambda: f" {tab}" in self.text(".graphiql-query-editor .CodeMirror"))
        # GraphiQL learns the operation's name a moment after it shows it, and stores it then.
        stored = "return JSON.parse(localStorage['graphiql:tabState'])"
        self.wait_until(
            lambda: (
                (state := self.script(stored))["tabs"][state["activeTabIndex"]]["operationName"]
                == tab
            )
        )

    def wait_for_schema(self) -> None:
        """Open the documentation, which shows the root types once the schema is read."""
        self.click("button[aria-label='Show Documentation Explorer']")
        self.wait_until(lambda: "Query" in self.text(".graphiql-doc-explorer"))


@pytest.fixture
def page(tab) -> GraphiQL:
    return GraphiQL(tab)


def test_every_example_runs_twice_on_every_screen(page, demo, screenshots):
    page.open(demo.url)
    page.wait_until(lambda: page.text("#workspace"))
    assert page.tabs() == TABS

    for number, (width, dark) in enumerate(page.screens(screenshots, "graphiql")):
        for tab in TABS if EVERY_SCREEN or number == 0 else TABS[:1]:
            page.choose(tab)
            for _ in range(2):
                result = page.run()
                assert '"errors"' not in result, (width, tab, result)
                assert re.search(r'"(id|name)": "', result), (width, tab, result)
                assert re.search(r'"userErrors": \[[^]]', result) is None, (width, tab, result)
        assert page.overflow() == 0, (width, dark)
        assert page.critical_findings(outside="#graphiql") == []

    assert page.text("#notice") == ""
    assert page.console_errors() == []
    assert page.hosts_asked() == {urllib.parse.urlsplit(demo.url).netloc}


def test_the_header_tells_whose_key_it_is(page, plain):
    page.open(plain.url)
    page.enter_key(plain.key)
    page.wait_until(lambda: page.text("#workspace") == "default")
    assert page.attribute("#workspace", "data-mode") == "live"

    page.enter_key(plain.make_key("--test"))
    page.wait_until(lambda: page.attribute("#workspace", "data-mode") == "test")

    places = [*zip(page.texts("header a"), page.attributes("header a", "href"), strict=True)]
    for link in ("REST", "Schema"):
        [place] = [href for text, href in places if text == link]
        page.browser.get(place)
        page.wait_until(lambda: "Case" in page.text("body"))
        page.browser.back()
        page.wait_for("header a")


def test_a_key_may_be_pasted_with_its_scheme(page, plain):
    page.open(plain.url)
    for pasted in (f"Bearer {plain.key}", f" authorization: bearer {plain.key} "):
        page.enter_key(pasted)
        assert '"totalCount"' in page.run()


def test_examples_are_filled_in_once_there_is_a_key_and_what_is_typed_stays(page, plain):
    page.open(plain.url)
    page.choose("LinkCases")
    assert "the id of a case" in page.variables()
    page.choose("OneCase")
    page.script(f"""{VARIABLES}.setValue('{{"fileNumber": "mine"}}')""")
    page.wait_until(lambda: "mine" in page.script("return localStorage['graphiql:tabState']"))

    page.enter_key(plain.key)
    page.wait_until(lambda: page.text("#workspace"))
    page.choose("OneCase")
    assert page.variables() == '{"fileNumber": "mine"}'
    page.choose("LinkCases")
    assert "the id of" not in page.variables()


def test_a_link_opens_the_page_with_its_operation(page, demo):
    query = "query Shared($n: Int) { cases(first: $n) { totalCount } }"
    given = urllib.parse.urlencode({"query": query, "variables": '{"n": 1}'})

    for _ in range(2):
        page.open(demo.url, f"?{given}")
        page.wait_until(lambda: page.tabs()[-1:] == ["Shared"])
        assert len(page.tabs()) == len(TABS) + 1
        assert page.variables() == '{"n": 1}'
        assert '"totalCount"' in page.run()

    page.click("#share")
    page.wait_until(lambda: "link" in page.text("#notice"))
    assert "does not hold the key" in page.text("#notice")


def test_ctrl_k_searches_the_documentation(page, demo):
    page.open(demo.url)
    page.click(".graphiql-query-editor .CodeMirror")

    page.press("k", control=True)

    page.wait_until(lambda: page.script("return document.activeElement.placeholder") == "Ctrl K")


def test_without_a_key_the_page_says_how_to_get_one(page, plain):
    page.open(plain.url)

    result = page.run()

    assert "API key" in result
    assert page.text("#notice") == ENTER
    assert page.console_errors() == []


def test_a_refused_key_is_named_as_the_reason(page, plain):
    page.open(plain.url)

    page.enter_key("wrong")
    page.wait_until(lambda: "refused" in page.text("#notice"))

    assert page.text("#notice") == f"The server refused this API key. {ENTER}"


def test_a_text_that_cannot_be_a_key_is_not_sent(page, plain):
    page.open(plain.url)

    page.enter_key("kéy with spaces")
    page.wait_until(lambda: "not an API key" in page.text("#notice"))

    assert page.console_errors() == []


def test_a_demo_key_works_without_being_typed_and_is_not_remembered(page, demo):
    page.open(demo.url)

    page.wait_for_schema()

    assert '"totalCount"' in page.run()
    assert page.script("return sessionStorage.length") == 0


def test_a_typed_key_outlives_a_reload_in_its_own_tab_only(page, plain):
    page.open(plain.url)
    page.enter_key(plain.key)

    page.open(plain.url)
    reloaded = page.value("#key")
    page.browser.switch_to.new_window("tab")
    page.open(plain.url)

    assert reloaded == plain.key
    assert page.value("#key") == ""


def test_the_key_is_hidden_until_it_is_asked_for(page, demo):
    page.open(demo.url)
    hidden = page.attribute("#key", "type")

    page.click("#show-key")

    assert hidden == "password"
    assert page.attribute("#key", "type") == "text"


def test_a_reload_adds_no_tabs(page, demo):
    for _ in range(2):
        page.open(demo.url)
        page.wait_until(lambda: page.text("#workspace"))
        assert page.tabs() == TABS


@pytest.mark.parametrize(
    ("button", "shown"),
    [
        ("Show History", ".graphiql-history"),
        ("Show GraphiQL Explorer", ".graphiql-explorer-root"),
        ("Open short keys dialog", ".graphiql-dialog"),
        ("Open settings dialog", ".graphiql-dialog"),
    ],
)
def test_every_panel_opens_under_the_policy(page, demo, button, shown):
    page.open(demo.url)
    page.wait_for_schema()

    page.click(f"button[aria-label='{button}']")
    page.wait_for(shown)

    assert page.console_errors() == []


def test_what_is_in_the_way_is_named(page, demo, tmp_path):
    limited = demo.beside(tmp_path, introspection=False, rate_limit=40)
    try:
        page.open(limited.url)
        page.enter_key(limited.key)
        page.wait_until(lambda: "does not show its schema" in page.text("#notice"))
        assert page.count("header a") == 0
        page.wait_until(lambda: "RATE_LIMIT_EXCEEDED" in page.run())
        assert re.match(
            r"This API key has used up its calls. Try again in \d+ s\.", page.text("#notice")
        )
    finally:
        limited.kill()
    result = page.run()

    assert page.text("#notice") == "The server does not answer. Is it still running?"
    assert "The server does not answer" in result
    assert " at " not in result


def test_a_subscription_shows_each_change_until_it_is_stopped(page, demo):
    query = "subscription Live { caseChanges { node { type case { name } } } }"
    page.open(demo.url, "?" + urllib.parse.urlencode({"query": query}))
    page.wait_for_schema()
    read = "return document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
    page.click(".graphiql-execute-button")
    page.wait_for("button[aria-label^='Stop']")

    with demo.client() as http:
        for name in ("First live", "Second live"):
            page.wait_until(lambda: http.get("/readyz").status_code == 200)
            http.post("/api/v1/cases", json={"name": name})
            page.wait_until(lambda name=name: name in (page.script(read) or ""))
        page.click("button[aria-label^='Stop']")
        page.wait_for("button[aria-label^='Execute']")
        http.post("/api/v1/cases", json={"name": "Not shown"})
    assert "Not shown" not in page.script(read)
    assert page.console_errors() == []
