"""ETags: a case's revision in quotes. If-None-Match and If-Match (RFC 9110, section 13.1)."""

import re

from starlette.requests import Request

_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag(revision: str) -> str:
    return f'"{revision}"'


def unchanged(request: Request, revision: str) -> bool:
    """Whether the client already has this revision, by the weak comparison of If-None-Match."""
    header = _header(request, "if-none-match")
    if header is None:
        return False
    return header.strip() == "*" or revision in {tag for _weak, tag in _TAG.findall(header)}


def expected_revisions(request: Request) -> tuple[str, ...] | None:
    """The revisions in If-Match, or None if any will do; weak tags never match."""
    header = _header(request, "if-match")
    if header is None or header.strip() == "*":
        return None
    return tuple(tag for weak, tag in _TAG.findall(header) if not weak)


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ",".join(values) if values else None
