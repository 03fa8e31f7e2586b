"""What a page draws anew while somebody clicks, types or reads does not get away."""

import urllib.parse

import pytest

from tests.browser.pages import Page

HTML = """
<p id=clicks>0</p>
<div id=place></div>
<script>
  const told = document.querySelector('#clicks'), place = document.querySelector('#place')
  let left = 100
  const draw = () => {
    place.innerHTML = `<button onclick="told.textContent++">Go on</button><button>No</button>
      <input oninput="window.typed = value" value="${window.typed ?? ''}">`
    if (left-- > 0) setTimeout(draw, 5)
  }
  setTimeout(draw, 300)
</script>
"""


@pytest.fixture
def page(tab):
    page = Page(tab)
    page.browser.get(f"data:text/html,{urllib.parse.quote(HTML)}")
    return page


def test_it_is_clicked_once(page):
    page.click("button", "Go on")

    page.wait_until(lambda: page.text("#clicks") == "1")


def test_it_is_typed_into(page):
    page.send("input", "abc", cleared=True)

    page.wait_until(lambda: page.value("input") == "abc")


def test_it_is_read_whole(page):
    page.wait_for("button")

    for _ in range(20):
        assert page.texts("button") == ["Go on", "No"]
        assert page.attributes("input", "value") == [""]
