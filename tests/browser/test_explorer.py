"""The REST documentation in a real browser: every route, tried out, from our own files only."""

import json
import urllib.parse

import pytest

from rest_compat.application import Application
from tests.browser.pages import EVERY_SCREEN, Page

LISTS = ("listCases", "listParties", "listStaff")[: 3 if EVERY_SCREEN else 1]
"""The routes that are tried out: Swagger UI takes seconds to show an answer."""
ROUTES = sum(len(methods) for methods in Application().openapi()["paths"].values())


class Explorer(Page):
    """The page as a person sees it."""

    def open(self, url: str) -> None:
        self.browser.get(f"{url}/api/v1/docs")
        self.wait_until(lambda: self.count(".opblock") == ROUTES)

    def authorize(self, key: str) -> None:
        self.click(".btn.authorize")
        self.send(".auth-container input", key)
        self.click(".auth-btn-wrapper .authorize")
        self.click(".btn-done")

    def try_out(self, operation: str) -> dict:
        """Open a route of a list and ask for two of its items; the answer."""
        block = f"[id$='-{operation}']"
        if not self.count(f"{block}.is-open"):
            self.click(f"{block} .opblock-summary-control")
            self.click(f"{block} .try-out__btn")
            # Swagger UI takes seconds to colour a long answer.
            self.send(f"{block} tr[data-param-name='limit'] input", "\ue003\ue0032")
        if self.count(f"{block} .btn-clear"):  # of what was tried out before
            self.click(f"{block} .btn-clear")
        self.click(f"{block} .execute")
        shown = f"{block} .live-responses-table .response-col_description .highlight-code code"
        return json.loads(self.wait_until(lambda: self.text(shown)))


@pytest.fixture
def page(tab) -> Explorer:
    return Explorer(tab)


def test_every_route_is_shown_on_every_screen(page, plain, screenshots):
    page.open(plain.url)

    for width, dark in page.screens(screenshots, "rest"):
        assert page.text(".title").startswith("Cases API")
        assert page.overflow() == 0, (width, dark)
        colour = page.script("return getComputedStyle(document.documentElement).colorScheme")
        assert colour == ("dark" if dark else "normal")
        assert page.critical_findings(outside=".swagger-ui") == []

    assert page.console_errors() == []
    assert page.hosts_asked() == {urllib.parse.urlsplit(plain.url).netloc}


def test_routes_can_be_tried_out_again_and_again(page, plain):
    page.open(plain.url)
    # Without a key the answer says what is missing.
    assert page.try_out("listCases")["error"]["code"] == "AUTH_INVALID_KEY"
    page.authorize(plain.key)

    for operation in LISTS:
        for _ in range(2):
            answer = page.try_out(operation)
            assert len(answer["data"]) == 2
            assert answer["data"][0]["name"]


def test_next_to_a_route_stands_the_operation_that_does_the_same(page, plain):
    page.open(plain.url)

    page.click("[id$='-listPartyCases'] .opblock-summary-control")

    shown = "[id$='-listPartyCases'] .opblock-description"
    page.wait_until(lambda: "query ListPartyCases($id: ID!" in page.text(shown))
    assert '"id": "pty_' in page.text(shown)
