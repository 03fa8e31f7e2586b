"""ETags: a case's version in quotes. If-None-Match and If-Match (RFC 9110, section 13.1)."""

import re

from starlette.requests import Request

from domain.errors import Problem, VersionConflict
from domain.models import Case
from rest_compat.errors import Unreadable

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


def expected_version(request: Request, case: Case) -> int | None:
    """The version that If-Match asks for, None if any will do; weak tags never match.

    Of several, the one that *case* has, if any. Whether it still has it when it is written is for
    the domain to say, also because a retry with an idempotency key is answered whatever the
    version is by then. Raises Unreadable if no case can have what is asked for.
    """
    given = _header(request, "if-match")
    if given is None or given.strip() == "*":
        return None
    versions = [tag for weak, tag in _TAG.findall(given) if not weak]
    if str(case.version) in versions:
        return case.version
    known = [int(tag) for tag in versions if _VERSION.fullmatch(tag)]
    if not known:
        raise Unreadable(
            VersionConflict.code,
            f'If-Match must name a version of the case, like "{case.version}".',
            [Problem(VersionConflict.code, "This is no version of the case.", ("If-Match",))],
        )
    return known[0]


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ",".join(values) if values else None
