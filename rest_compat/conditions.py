"""ETags: a case's version in quotes. If-None-Match and If-Match (RFC 9110, section 13.1)."""

import re

from starlette.requests import Request

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


def etag(version: int) -> str:
    return f'"{version}"'


def unchanged(request: Request, version: int) -> bool:
    """Whether the client already has this version, by the weak comparison of If-None-Match."""
    header = _header(request, "if-none-match")
    if header is None:
        return False
    return header.strip() == "*" or str(version) in {tag for _weak, tag in _TAG.findall(header)}


def expected_versions(request: Request) -> tuple[int, ...] | None:
    """The versions in If-Match, or None if any version will do; weak tags never match.

    Tags that cannot be versions are dropped. If that leaves none, no version matches.
    """
    header = _header(request, "if-match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag for weak, tag in _TAG.findall(header) if not weak]
    return tuple(int(tag) for tag in tags if _VERSION.fullmatch(tag))


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ",".join(values) if values else None
