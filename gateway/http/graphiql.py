"""GraphiQL in the browser: the page, its security headers and its files.

Every file is served from here, none from another host. The scripts are in static/graphiql.
"""

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ENDPOINT = "/graphql"
STATIC_URL = "/graphql/static"
SCHEMA_URL = "/graphql/schema.graphql"
REST_DOCUMENTATION = "/api/v1/docs"
STATIC_FOLDER = Path(__file__).parent / "static" / "graphiql"

# GraphiQL inserts one style sheet when a dialog opens. Chromium reports its digest on blocking it.
DIALOG_STYLE = "'sha256-Y/huXlwoYkVyQlxwSVcCi1RCDGDCSVBzDt0hYP9qlTc='"

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": f"'self' {DIALOG_STYLE}",
    "img-src": "data:",
    "font-src": "data:",
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

PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>casegraph</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="$static/graphiql.min.css">
  <link rel="stylesheet" href="$static/explorer.css">
  <link rel="stylesheet" href="$static/page.css">
  <script defer src="$static/react.production.min.js"></script>
  <script defer src="$static/react-dom.production.min.js"></script>
  <script defer src="$static/graphiql.min.js"></script>
  <script defer src="$static/explorer.umd.js"></script>
  <script type="module" src="$static/start.js"></script>
</head>
<body>
  <header>
    <span id="workspace" role="status"></span>
    <label for="key">API key</label>
    <input id="key" type="password" autocomplete="off" spellcheck="false"
      placeholder="Paste an API key, then press Enter">
    <label><input id="show-key" type="checkbox"> Show</label>
    <button id="share" type="button">Copy link</button>
    $links
  </header>
  <p id="notice" role="status" hidden></p>
  <main id="graphiql" data-endpoint="$endpoint"$demo_key>
    <p>GraphiQL is loading. It needs a browser that runs scripts and keeps site data; the API at
    $endpoint works without this page.</p>
  </main>
</body>
</html>
""")


LINKS = f"""<nav aria-label="More">
      <a href="{REST_DOCUMENTATION}">REST</a>
      <a href="{SCHEMA_URL}">Schema</a>
    </nav>"""


def page(*, demo_key: str | None = None, links: bool = True) -> HTMLResponse:
    """The GraphiQL page, on request with *links* to what documents both surfaces.

    A *demo_key* fills in the key field: anyone can read it in the page.
    """
    attribute = "" if demo_key is None else f' data-demo-key="{escape(demo_key)}"'
    html = PAGE.substitute(
        static=STATIC_URL,
        endpoint=ENDPOINT,
        links=LINKS if links else "",
        demo_key=attribute,
    )
    return HTMLResponse(html, headers=HEADERS)


def static_files() -> StaticFiles:
    """The application to mount at /graphql/static."""
    return PageFiles(directory=STATIC_FOLDER)


class PageFiles(StaticFiles):
    """Files of a page, with media types of ours, which the browser asks for again and again."""

    # Python gets media types from the operating system. Some Windows machines say text/plain for
    # .js, which a browser refuses to run under nosniff.
    media_types: Mapping[str, str] = {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        media_type = self.media_types.get(Path(full_path).suffix)
        if media_type is not None and response.status_code == status_code:
            response.headers["Content-Type"] = media_type
        # "no-cache" lets the browser keep a file, but it must ask whether it is current (304).
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
