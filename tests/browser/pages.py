"""A page as a person sees it, through Selenium."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import npm

PATIENCE = 10
"""Seconds until what must happen has happened."""
HEIGHTS = {1440: 900, 768: 1024, 390: 844}
SCREENS = [(width, dark) for dark in (False, True) for width in HEIGHTS]
"""Widths in CSS pixels, and whether the colours are dark."""
EVERY_SCREEN = "CASEGRAPH_SCREENS" in os.environ
if not EVERY_SCREEN:  # each width once, and both colours
    SCREENS = [(width, dark) for width, dark in SCREENS if dark == (width == 768)]


class Page:
    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def wait_for(self, selector: str) -> Any:
        return self.wait_until(lambda: self.all(selector))[0]

    def wait_until(self, condition: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.wait import WebDriverWait

        wait = WebDriverWait(
            self.browser,
            PATIENCE,
            poll_frequency=0.05,
            ignored_exceptions=[StaleElementReferenceException],
        )
        return wait.until(lambda _: condition())

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements("css selector", selector)

    def text(self, selector: str) -> str:
        return "\n".join(element.text for element in self.all(selector))

    def script(self, code: str, *arguments: Any) -> Any:
        return self.browser.execute_script(code, *arguments)

    def tabs(self) -> list[str]:
        return [tab.text for tab in self.all(".graphiql-tab-button")]

    def press(self, key: str, *, control: bool = False) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        keys = ActionChains(self.browser)
        if control:
            keys = keys.key_down(Keys.CONTROL)
        keys = keys.send_keys(key)
        (keys.key_up(Keys.CONTROL) if control else keys).perform()

    def screens(self, pictures: Path, name: str) -> Iterator[tuple[int, bool]]:
        """Each screen in turn, with a picture of the page on it; the page is loaded once."""
        for width, dark in SCREENS:
            self.show_at(width, dark=dark)
            # Until it is drawn: two frames later.
            self.browser.execute_async_script(
                "const done = arguments[0];"
                "requestAnimationFrame(() => requestAnimationFrame(() => done()));"
            )
            self.save(pictures / f"{name}-{width}-{'dark' if dark else 'light'}.png")
            yield width, dark

    def show_at(self, width: int, *, dark: bool) -> None:
        """Give the tab the width of a screen, in CSS pixels, and a colour scheme."""
        metrics = {"width": width, "height": HEIGHTS[width], "deviceScaleFactor": 1}
        mobile = {"mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics | mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def overflow(self) -> int:
        """By how many CSS pixels the page is wider than the screen."""
        return self.script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def save(self, path: Path) -> None:
        self.browser.save_screenshot(str(path))

    def console_errors(self) -> list[str]:
        entries = self.browser.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def hosts_asked(self) -> set[str]:
        """The hosts of all requests the page made; the browser's own pages do not count."""
        parts = [urlsplit(url) for url in self.asked()]
        return {part.netloc for part in parts if part.scheme in ("http", "https", "ws", "wss")}

    def asked(self) -> list[str]:
        """The addresses of all requests the page has made since the last call."""
        messages = [json.loads(entry["message"]) for entry in self.browser.get_log("performance")]
        return [
            message["message"]["params"]["request"]["url"]
            for message in messages
            if message["message"]["method"] == "Network.requestWillBeSent"
        ]

    def critical_findings(self, *, outside: str) -> list[str]:
        """What axe calls critical, outside of what others made: rules with the elements."""
        axe = npm.installed() / "node_modules" / "axe-core" / "axe.min.js"
        self.script(axe.read_text(encoding="utf-8"))
        found = self.browser.execute_async_script(
            "axe.run({ exclude: [arguments[0]] }).then((told) => arguments[1](told.violations));",
            outside,
        )
        return [
            f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}"
            for one in found
            if one["impact"] == "critical"
        ]
