"""A page as a person sees it, through Selenium.

A page that draws itself anew replaces what was found on it a moment ago. So no element leaves this
file: whatever is done to one is done again with the one that has taken its place.
"""

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

    def wait_until(self, condition: Callable[[], Any]) -> Any:
        """What *condition* gives once it holds, which it must do soon."""
        from selenium.common.exceptions import (
            ElementNotInteractableException,
            StaleElementReferenceException,
        )
        from selenium.webdriver.support.wait import WebDriverWait

        # It was replaced, or is not shown yet.
        passing = [StaleElementReferenceException, ElementNotInteractableException]
        wait = WebDriverWait(
            self.browser, PATIENCE, poll_frequency=0.05, ignored_exceptions=passing
        )
        return wait.until(lambda _: condition())

    def wait_for(self, selector: str) -> None:
        self.wait_until(lambda: self.count(selector))

    def count(self, selector: str) -> int:
        return len(self._found(selector))

    def texts(self, selector: str) -> list[str]:
        """What each of the elements shows."""
        return self._each(selector, lambda element: element.text)

    def text(self, selector: str) -> str:
        return "\n".join(self.texts(selector))

    def attributes(self, selector: str, name: str) -> list[str | None]:
        return self._each(selector, lambda element: element.get_attribute(name))

    def attribute(self, selector: str, name: str) -> str | None:
        """Of the first element, once there is one."""
        return self.wait_until(lambda: self.attributes(selector, name))[0]

    def value(self, selector: str) -> str | None:
        return self.attribute(selector, "value")

    def click(self, selector: str, text: str | None = None) -> None:
        """Click on the first element, once there is one, or on the only one with the *text*."""

        def clicked() -> bool:
            found = [one for one in self._found(selector) if text is None or one.text == text]
            assert text is None or len(found) < 2, f"several show {text}"
            for element in found[:1]:
                element.click()
            return bool(found)

        self.wait_until(clicked)

    def send(self, selector: str, *keys: str, cleared: bool = False) -> None:
        """Type into the first element, once there is one."""

        def sent() -> bool:
            for element in self._found(selector)[:1]:
                if cleared:
                    element.clear()
                element.send_keys(*keys)
                return True
            return False

        self.wait_until(sent)

    def _each(self, selector: str, read: Callable[[Any], Any]) -> list[Any]:
        return self.wait_until(lambda: [[*map(read, self._found(selector))]])[0]

    def _found(self, selector: str) -> list[Any]:
        return self.browser.find_elements("css selector", selector)

    def script(self, code: str, *arguments: Any) -> Any:
        return self.browser.execute_script(code, *arguments)

    def tabs(self) -> list[str]:
        return self.texts(".graphiql-tab-button")

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
