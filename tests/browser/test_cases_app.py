"""The example app in a real browser: what it shows and stores, by mouse and by keys alone."""

import re
import signal
import subprocess
import time

import httpx2
import pytest

from gateway.http import single_page
from tests import forking
from tests.browser.pages import Page
from tests.fault.servers import Gateway, wait_until_ready

pytestmark = pytest.mark.skipif(
    not single_page.example_is_built(),
    reason="the example is not built: cd examples/cases-app && npm ci && npm run build",
)

FIRST = ".cases li:first-child"
NAME = ".sheet > label:nth-of-type(1) input"
FILE_NUMBER = ".sheet > label:nth-of-type(2) input"


class App(Page):
    """The app as a person sees it."""

    def open(self, url: str, place: str = "") -> None:
        self.browser.get("about:blank")  # a change behind # alone would load nothing
        self.browser.get(f"{url}/{place}")
        self.wait_for("h1")

    def heading(self) -> str:
        return self.text("h1")

    def shows(self, text: str, selector: str = "main") -> None:
        self.wait_until(lambda: text in self.text(selector))

    def type(self, text: str) -> None:
        """Into whatever has the focus."""
        for key in text:
            self.press(key)

    def tab_to(self, text: str) -> None:
        """Press Tab until what has the focus is called so."""
        name = "const e = document.activeElement; return (e.labels?.[0] ?? e).textContent"
        for _ in range(60):
            self.press("\ue004")  # Tab
            if text in (self.script(name) or ""):
                return
        raise AssertionError(f"Tab does not lead to {text}")


@pytest.fixture(scope="module")
def office(plain, tmp_path_factory):
    """The example as `casegraph demo` serves it, and nothing but its documents."""
    other = plain.beside(
        tmp_path_factory.mktemp("app"),
        app=single_page.EXAMPLE,
        documents=single_page.EXAMPLE / single_page.MANIFEST,
        documents_only=True,
        demo_key=plain.key,
    )
    yield other
    other.kill()


@pytest.fixture
def page(tab) -> App:
    return App(tab)


@pytest.fixture
def unaware(page):
    """The app cannot learn what others change, as on a network that lets no streams through."""
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*graphql?events*"]})
    yield
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


@pytest.fixture
def make(plain):
    """Makes a case over REST, and gives it."""

    def made(**fields):
        body = {"name": "Müller ./. Weiß", **fields}
        headers = {"Authorization": f"Bearer {plain.key}"}
        answer = httpx2.post(f"{plain.url}/api/v1/cases", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return made


@pytest.fixture
def change(plain):
    """Changes a case over REST, as somebody else would."""

    def changed(case, **fields):
        headers = {"Authorization": f"Bearer {plain.key}"}
        url = f"{plain.url}/api/v1/cases/{case['id']}"
        assert httpx2.put(url, json=fields, headers=headers).status_code == 200

    return changed


def test_the_list_fits_every_screen(page, office, screenshots):
    page.open(office.url)
    page.shows("cases")
    page.wait_for(".cases a")

    for width, dark in page.screens(screenshots, "app"):
        assert page.overflow() == 0, (width, dark)
        assert page.critical_findings(outside="#nothing") == []

    assert page.console_errors() == []
    assert len(page.hosts_asked()) == 1


def test_the_demonstration_shows_it(page, tmp_path):
    office = Gateway(tmp_path)
    with forking.launch(
        ["demo", "--cases", "30", "--port", "0"],
        cwd=tmp_path,
        env=office.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        app = process.stdout.readline()
        url = re.fullmatch(r"App +(http://[\d.:]+)/\n", app)[1]
        wait_until_ready(url)

        page.open(url)
        page.wait_until(lambda: page.text("[role=status]") == "30 cases")
        process.send_signal(signal.SIGINT)


def test_a_search_shows_why_and_menus_narrow_it_down(page, office):
    page.open(office.url)
    page.send("input[type=search]", "gmbh")
    page.wait_for("mark")
    whole = page.text("[role=status]")

    [active] = [text for text in page.texts("aside label") if text.startswith("active ")]
    count = active.split()[-1]
    page.click("aside label", active)
    page.wait_until(lambda: page.text("[role=status]").startswith(f"{count} case"))

    assert page.text("[role=status]") != whole
    assert all("active" in text for text in page.texts(".cases li"))
    assert "closed" in page.text("aside")  # the others are still counted
    page.click("aside button")
    page.wait_until(lambda: page.text("[role=status]") == whole)


def test_more_cases_come_while_scrolling(page, office):
    page.open(office.url)
    page.wait_until(lambda: page.count(".cases li") >= 20)

    more = "main section > button"
    while page.count(more):
        seen = page.count(".cases li")
        page.script("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_until(lambda seen=seen: page.count(".cases li") > seen or not page.count(more))

    total = int(page.text("[role=status]").split()[0])
    assert page.count(".cases li") == total > 40
    assert len(set(page.attributes(".cases a", "href"))) == total


def test_a_status_is_changed_and_the_timeline_tells_it(page, office, make):
    case = make()
    page.open(office.url, f"#/cases/{case['id']}")
    page.shows("case created", "#timeline ~ ol")

    choose(page, "closed")

    page.shows("status: active → closed", "#timeline ~ ol")
    page.open(office.url, f"#/cases/{case['id']}")
    assert page.value("select") == "CLOSED"


def choose(page, status):
    page.click("option", status)


def test_a_conflict_shows_what_the_other_changed(page, unaware, office, make, change):
    case = make()
    page.open(office.url, f"#/cases/{case['id']}")
    page.wait_for("select")
    change(case, status="archived")

    choose(page, "closed")

    page.shows("Your change was not stored: test changed the case", "[role=alert]")
    assert "status is now archived" in page.text("[role=alert]")
    assert page.value("select") == "ARCHIVED"
    choose(page, "closed")
    page.wait_until(lambda: page.value("select") == "CLOSED")
    page.wait_until(lambda: page.text("[role=alert]") == "")


def test_what_is_changed_in_one_window_shows_in_the_other(page, office, make, change):
    case = make(parties=[{"name": "Erika", "role": "client"}])
    first = page.browser.current_window_handle
    page.open(office.url, f"#/cases/{case['id']}")
    page.wait_for("select")
    page.browser.switch_to.new_window("tab")
    second = page.browser.current_window_handle
    try:
        page.open(office.url)
        page.wait_until(lambda: page.count(".cases li") == 20)
        assert "active" in page.text(FIRST)

        page.browser.switch_to.window(first)
        choose(page, "closed")
        page.shows("status: active → closed", "#timeline ~ ol")
        page.browser.switch_to.window(second)
        page.wait_until(lambda: "closed" in page.text(FIRST))

        change(case, status="archived", name="Renamed by REST")
        page.wait_until(lambda: "Renamed by REST" in page.text(FIRST))
        page.browser.switch_to.window(first)
        page.wait_until(lambda: page.heading() == "Renamed by REST")
        page.shows("status: closed → archived", "#timeline ~ ol")
        assert page.value("select") == "ARCHIVED"
        # What the window has changed itself is told of once.
        assert page.text("#timeline ~ ol").count("status: active → closed") == 1
    finally:
        page.browser.switch_to.window(second)
        page.browser.close()
        page.browser.switch_to.window(first)


def test_the_app_goes_on_being_told_after_the_server_was_away(page, mortal):
    headers = {"Authorization": f"Bearer {mortal.key}"}
    page.open(mortal.url)
    page.wait_until(lambda: page.count(".cases li") == 20)
    case = httpx2.get(f"{mortal.url}/api/v1/cases?limit=1", headers=headers).json()["data"][0]
    port = mortal.url.rpartition(":")[2]
    mortal.kill()
    mortal.start("--port", port)

    url = f"{mortal.url}/api/v1/cases/{case['id']}"
    assert httpx2.put(url, json={"name": "While away"}, headers=headers).status_code == 200
    page.wait_until(lambda: "While away" in page.text(FIRST))


def test_a_role_is_changed_and_one_that_cannot_be_is_not_lost(page, office, make):
    case = make(parties=[{"name": "Erika", "role": "client"}])
    page.open(office.url, f"#/cases/{case['id']}")

    for typed, shown in (("witness", "witness"), ("Not A Role!", "client")):
        page.click("#parties ~ ul button")
        keys = ("\ue009a\ue000", typed, "\ue007")  # Ctrl-A, the text, Enter
        page.send("#parties ~ ul input", *keys)
        if shown == "witness":
            page.shows("Erika witness")
        else:
            page.wait_until(lambda: page.text("[role=alert]") != "")
            assert page.value("#parties ~ ul input") == typed


def test_a_conflict_about_a_role_shows_what_the_other_changed(page, unaware, office, make, change):
    case = make(parties=[{"name": "Erika", "role": "client"}])
    page.open(office.url, f"#/cases/{case['id']}")
    page.click("#parties ~ ul button")
    change(case, dezernat="Mietrecht")

    page.send("#parties ~ ul input", "\ue009a\ue000", "witness", "\ue007")

    page.shows("dezernat is now mietrecht", "[role=alert]")
    page.shows("dezernat: — → Mietrecht", "#timeline ~ ol")
    assert page.value("#parties ~ ul input") == "witness"
    page.click("#parties ~ ul button[type=submit]")
    page.shows("Erika witness")


def test_a_case_is_opened_whole_or_not_at_all(page, office, make):
    taken = make(file_number="APP 1")
    page.open(office.url, "#/new")
    page.send(NAME, "New ./. Other")
    page.send(FILE_NUMBER, taken["file_number"])
    page.send(".row input", "Erika")

    page.click("button[type=submit]")
    page.wait_until(lambda: "file number" in page.text("[role=alert]").lower())
    assert [page.value(NAME), page.value(FILE_NUMBER)] == ["New ./. Other", "APP 1"]
    page.send(FILE_NUMBER, "APP 2", cleared=True)
    page.click("button[type=submit]")

    page.wait_until(lambda: page.heading() == "New ./. Other")
    page.shows("Erika client")


def test_links_lead_from_both_ends(page, office, make, plain):
    one, other = make(name="The first"), make(name="The appeal")
    body = {"linked_case_id": other["id"], "type": "appeal"}
    headers = {"Authorization": f"Bearer {plain.key}"}
    httpx2.post(f"{plain.url}/api/v1/cases/{one['id']}/links", json=body, headers=headers)

    page.open(office.url, f"#/cases/{one['id']}")
    page.shows("is appealed in The appeal")
    page.click("#links ~ ul a")
    page.wait_until(lambda: page.heading() == "The appeal")
    page.shows("is the appeal from The first")


def test_a_case_that_is_gone_is_told_of(page, office):
    page.open(office.url, "#/cases/019bc8f0-4c00-7000-8000-0123456789ab")

    page.wait_until(lambda: page.heading() == "This case is gone")


def test_a_wrong_key_is_told_of_and_another_one_can_be_given(page, office, plain):
    page.open(office.url)
    page.click("header button")
    page.send("input[type=password]", "cg_live_wrong", "\ue007")
    page.shows("does not know this key", "[role=alert]")
    page.click("[role=alert] button")

    page.send("input[type=password]", f"Bearer {plain.key}", "\ue007")

    page.wait_for(".cases li")


def test_a_server_that_is_gone_loses_nothing_that_was_typed(page, plain, tmp_path):
    other = plain.beside(
        tmp_path,
        app=single_page.EXAMPLE,
        documents=single_page.EXAMPLE / single_page.MANIFEST,
        demo_key=plain.key,
    )
    try:
        page.open(other.url, "#/new")
        page.send(NAME, "Typed with care")
    finally:
        other.kill()
    page.click("button[type=submit]")

    page.shows("The server does not answer", "[role=alert]")
    assert page.value(NAME) == "Typed with care"


@pytest.fixture
def mortal(plain, tmp_path):
    """A gateway that a test may kill, and start again at the same port."""
    other = plain.beside(
        tmp_path,
        app=single_page.EXAMPLE,
        documents=single_page.EXAMPLE / single_page.MANIFEST,
        demo_key=plain.key,
    )
    yield other
    if other.process is not None:
        other.kill()


def test_what_could_not_be_loaded_is_loaded_by_trying_again(page, mortal, make):
    case = make(name="Try ./. Again")
    page.open(mortal.url)
    page.wait_for(".cases a")
    port = mortal.url.rpartition(":")[2]
    mortal.kill()
    page.script("location.hash = arguments[0]", f"#/cases/{case['id']}")
    page.shows("The server does not answer", "[role=alert]")

    mortal.start("--port", port)
    page.click("[role=alert] button")

    page.wait_until(lambda: page.heading() == case["name"])


def test_a_server_that_is_gone_is_not_asked_for_more_again_and_again(page, mortal):
    page.open(mortal.url)
    page.wait_until(lambda: page.count(".cases li") == 20)
    port = mortal.url.rpartition(":")[2]
    mortal.kill()
    page.script("window.scrollTo(0, document.body.scrollHeight)")
    page.shows("The server does not answer", "[role=alert]")
    page.asked()  # from here on

    page.script("window.scrollTo(0, document.body.scrollHeight)")
    time.sleep(0.5)
    # That it looks now and then whether there is a stream of changes again is as it should be.
    assert [url for url in page.asked() if not url.endswith("?events")] == []

    mortal.start("--port", port)
    page.click("main section > button")

    page.wait_until(lambda: page.count(".cases li") > 20)
    assert page.text("[role=alert]") == ""


def test_a_server_without_the_documents_says_what_to_set(page, plain, tmp_path):
    other = plain.beside(tmp_path, app=single_page.EXAMPLE, demo_key=plain.key)
    try:
        page.browser.get(f"{other.url}/")
        page.shows("CASEGRAPH_DOCUMENTS", "[role=alert]")
    finally:
        other.kill()


def test_the_keyboard_is_enough(page, office, make):
    case = make(name="Keyboard ./. Mouse", parties=[{"name": "Erika", "role": "client"}])
    page.open(office.url)
    page.wait_for(".cases a")
    page.tab_to("Search")
    page.type("keyboard mouse")
    page.wait_until(lambda: page.text("[role=status]") == "1 case")
    page.tab_to(case["name"])
    page.press("\ue007")  # Enter
    page.wait_until(lambda: page.heading() == case["name"])
    page.tab_to("Status")
    page.press("c")  # the option that begins so
    page.shows("status: active → closed")
    page.tab_to("Change role")
    page.press("\ue007")
    page.press("a", control=True)
    page.type("witness")
    page.press("\ue007")
    page.shows("Erika witness")
