"""The REST documentation in a real browser: it shows every route, and asks no other host."""

import json
import os
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from rest_compat.application import Application


@pytest.fixture(scope="module")
def address(serve):
    with serve(Starlette(routes=[Mount("/api/v1", Application())])) as url:
        yield url


def test_every_route_is_shown_and_nothing_is_asked_of_other_hosts(browser, address):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(f"{address}/api/v1/docs")
    shown = By.CSS_SELECTOR, ".opblock"
    WebDriverWait(browser, 20).until(lambda page: len(page.find_elements(*shown)) == 15)

    assert browser.find_element(By.CSS_SELECTOR, ".title").text.startswith("Cases API")
    if os.environ.get("CASEGRAPH_SCREENSHOTS"):
        browser.save_screenshot(f"{os.environ['CASEGRAPH_SCREENSHOTS']}/explorer.png")
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    hosts = set()
    for line in browser.get_log("performance"):
        message = json.loads(line["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urlsplit(message["params"]["request"]["url"])
            if url.scheme in ("http", "https"):
                hosts.add(url.netloc)
    assert hosts == {urlsplit(address).netloc}
