"""ETags: a case's revision in quotes. If-Match and If-None-Match (RFC 9110, section 13.1)."""

import re
from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import invalid
from domain.inputs import Expected

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,(?:[ \t]*{_TAG})?)*[ \t]*")
_TAGS = re.compile(r'(W/)?"([^"]*)"')
ANY = "*"


def etag(revision: str) -> str:
    return f'"{revision}"'


def is_conditional(request: Request) -> bool:
    """Whether the request has a condition, however it is written."""
    return any(name in (b"if-match", b"if-none-match") for name, _ in request.scope["headers"])


def unchanged(request: Request, revision: str) -> bool:
    """Whether the client already has this revision, by the weak comparison of If-None-Match.

    A header that is no list of entity tags is no condition: the client is sent the case.
    """
    header = _header(request, "if-none-match")
    if header is None:
        return False
    return header == ANY or (_is_list(header) and revision in _tags(header, weak=True))


def held(request: Request, answer: Response) -> Response | None:
    """What a kept *answer* is to this request; None if only the handler can tell."""
    if not is_conditional(request):
        return answer
    tag = answer.headers.get("etag")
    if tag is None:
        return answer  # the route has no conditions
    if _header(request, "if-match") is not None:
        return None
    return not_modified(tag) if unchanged(request, tag.strip('"')) else answer


def not_modified(tag: str) -> Response:
    """The 304, with what the 200 would have said (RFC 9110, section 15.4.5)."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-store"})


def required(request: Request) -> Collection[str] | None:
    """The revisions that If-Match lets pass, None for any. Weak tags never match.

    Raises Invalid for a header that is neither * nor a list of entity tags.
    """
    header = _condition(request, "If-Match")
    return None if header in (None, ANY) else _tags(header or "", weak=False)


def expected(request: Request) -> Expected:
    """What a write expects of the case. Raises Invalid, as required() does, for both headers."""
    wanted, unwanted = required(request), _condition(request, "If-None-Match")
    return Expected(
        any_of=wanted,
        none_of=None if unwanted is None else unwanted == ANY or _tags(unwanted, weak=True),
    )


def _condition(request: Request, name: str) -> str | None:
    header = _header(request, name)
    if header is not None and header != ANY and not _is_list(header):
        raise invalid(f'{name} must be * or a list of entity tags, like "3".', name)
    return header


def _is_list(header: str) -> bool:
    return _LIST.fullmatch(header) is not None


def _tags(header: str, *, weak: bool) -> Collection[str]:
    return frozenset(tag for is_weak, tag in _TAGS.findall(header) if weak or not is_weak)


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ",".join(values).strip() if values else None
