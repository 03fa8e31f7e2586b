"""The page that shows the OpenAPI document, its security headers and its files.

Every file is served from here, none from another host: the page is where a key is typed in. The
scripts are in static/swagger-ui.
"""

from html import escape
from pathlib import Path
from string import Template

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

FOLDER = Path(__file__).parent / "static" / "swagger-ui"
FILES = {
    "start.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    # Swagger UI sizes its icons with style attributes.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Cache-Control": "no-store",
}
_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Cases API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="$root/docs/static/swagger-ui.css">
  <script defer src="$root/docs/static/swagger-ui-bundle.js"></script>
  <script defer src="$root/docs/static/start.js"></script>
</head>
<body>
  <main id="documentation" data-document="$root/openapi.json">
    <p>The documentation is loading. It needs a browser that runs scripts; the same is in
    <a href="$root/openapi.json">openapi.json</a>.</p>
  </main>
</body>
</html>
""")


async def page(request: Request) -> Response:
    """The documentation page."""
    root = escape(request.scope.get("root_path", ""))
    return HTMLResponse(_PAGE.substitute(root=root), headers=HEADERS)


async def file(request: Request) -> Response:
    """One of the page's files. Raises HTTPException for any other."""
    name = request.path_params["name"]
    if name not in FILES:
        raise HTTPException(404)
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(FOLDER / name, headers=headers, media_type=FILES[name])
