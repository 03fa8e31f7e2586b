"""A single-page app, served at / with its files below /app: what CASEGRAPH_APP names.

`casegraph demo` serves the example of examples/cases-app, once it is built. A page with a meta
element for it is given the demonstration's key.
"""

from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from gateway.http.graphiql import PageFiles
from gateway.settings import BadSetting, Settings

EXAMPLE = Path(__file__).parent / "static" / "cases-app"
"""Where the example's build puts it."""
PAGE = "index.html"
MANIFEST = "persisted.json"
"""The documents that the example names by their ids."""
FILES_URL = "/app"
_KEY = '<meta name="casegraph-demo-key" content="'
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def example_is_built() -> bool:
    """Whether there is an example to serve."""
    return (EXAMPLE / PAGE).exists() and (EXAMPLE / MANIFEST).exists()


def check(settings: Settings) -> None:
    """Raise BadSetting if there is no page in the folder."""
    if settings.app and not (Path(settings.app) / PAGE).is_file():
        raise BadSetting([f"CASEGRAPH_APP must be a folder with a built app, with {PAGE} in it."])


def page(settings: Settings) -> HTMLResponse:
    """The app's page; a key that is filled in can be read in it by anyone."""
    html = (Path(settings.app) / PAGE).read_text(encoding="utf-8")
    html = html.replace(_KEY, _KEY + escape(settings.demo_key), 1)
    return HTMLResponse(html, headers=HEADERS)


def files(settings: Settings) -> StaticFiles:
    """The application to mount at FILES_URL."""
    return PageFiles(directory=settings.app)
