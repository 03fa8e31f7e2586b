"""ETags: a case's version in quotes. If-None-Match and If-Match (RFC 9110, section 13.1)."""

import re

from starlette.requests import Request

from domain.errors import VersionConflict
from domain.models import Case

_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag(case: Case) -> str:
    return f'"{case.version}"'


def unchanged(request: Request, case: Case) -> bool:
    """Whether the client has this version already, by the weak comparison of If-None-Match."""
    given = _header(request, "if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or str(case.version) in {tag for _weak, tag in _TAG.findall(given)}


def expected_version(request: Request, case: Case) -> int | None:
    """The version that If-Match asks for, None if any will do.

    Raises VersionConflict if it asks for none that *case* has; weak tags never match.
    """
    given = _header(request, "if-match")
    if given is None or given.strip() == "*":
        return None
    versions = [tag for weak, tag in _TAG.findall(given) if not weak]
    if str(case.version) in versions:
        # The write checks it once more, in its own transaction.
        return case.version
    known = [int(tag) for tag in versions if tag.isascii() and tag.isdecimal() and len(tag) < 10]
    raise VersionConflict(known[0] if known else 0, case.version)


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ",".join(values) if values else None
