"""ETags: a case's version in quotes. If-None-Match and If-Match (RFC 9110, section 13.1)."""

import re

from starlette.requests import Request

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


def etag(version: int) -> str:
    return f'"{version}"'


def unchanged(request: Request, version: int) -> bool:
    """Whether the client has this version already, by the weak comparison of If-None-Match."""
    given = _header(request, "if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or str(version) in {tag for _weak, tag in _TAG.findall(given)}


def expected_versions(request: Request) -> tuple[int, ...] | None:
    """The versions that If-Match names, None if any will do; weak tags never match.

    Tags that no version has are left out: none may be left, and then nothing matches.
    """
    given = _header(request, "if-match")
    if given is None or given.strip() == "*":
        return None
    tags = [tag for weak, tag in _TAG.findall(given) if not weak]
    return tuple(int(tag) for tag in tags if _VERSION.fullmatch(tag))


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ",".join(values) if values else None
