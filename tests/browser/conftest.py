"""A real Chromium and a real gateway, each started and stopped by the tests."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException

from domain.demo.firm import demo_cases
from tests.fault.servers import Gateway

CASES = 60

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
)


class Office(Gateway):
    """A gateway over a database with demonstration cases."""

    def beside(self, folder: Path, **settings: object) -> Gateway:
        """Another one over the same database. The caller ends it."""
        other = Gateway(folder, database_url=f"sqlite:///{self.database}", **settings)
        other.key = self.key
        other.start()
        return other


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A gateway that demands a key."""
    folder = tmp_path_factory.mktemp("office")
    office = Office(folder)
    try:
        office.start()
        lines = folder / "cases.jsonl"
        lines.write_text("\n".join(json.dumps(case) for case in demo_cases(CASES)))
        office.command("import", lines)
        yield office
    finally:
        if office.process is not None:
            office.kill()


@pytest.fixture(scope="module")
def demo(plain: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A gateway over the same database whose page fills in a key, as `casegraph demo` does."""
    other = Office(
        tmp_path_factory.mktemp("demo"),
        database_url=f"sqlite:///{plain.database}",
        demo_key=plain.key,
    )
    other.database, other.key = plain.database, plain.key
    try:
        other.start()
        yield other
    finally:
        if other.process is not None:
            other.kill()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pages are drawn to: CASEGRAPH_SCREENSHOTS, to look at them."""
    folder = Path(os.environ.get("CASEGRAPH_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab of its own, closed at the end with all that it opened and remembered."""
    [blank] = browser.window_handles
    browser.switch_to.new_window("tab")
    for log in ("browser", "performance"):
        browser.get_log(log)
    yield browser
    with contextlib.suppress(WebDriverException):
        browser.execute_script("localStorage.clear()")
    for handle in browser.window_handles:
        if handle != blank:
            browser.switch_to.window(handle)
            browser.close()
    browser.switch_to.window(blank)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A headless Chromium, which logs its console and its requests; each test has a tab of it."""
    folder = tmp_path_factory.mktemp("browser")
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        pytest.skip(f"no Chromium found, looked for {', '.join(CHROMIUM_NAMES)}")
    from selenium import webdriver  # only needed where there is a browser

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Without a driver beside the browser, Selenium would look for one to download.
    driver = shutil.which("chromedriver")
    service = webdriver.ChromeService(executable_path=driver) if driver else None
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()
