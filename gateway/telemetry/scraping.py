"""/metrics: who may read it, and the answer, in the format that the scraper asks for."""

import hmac
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.access.keys import bearer
from domain.services import Services
from gateway.settings import Settings
from gateway.telemetry import metrics, sampling

URL = "/metrics"
_OF_OTHERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "origin")
"""What a proxy adds, or a page in a browser on this machine."""
_NOT_YOURS = (
    "/metrics is for clients on this machine. To scrape it from elsewhere, set "
    "CASEGRAPH_METRICS_TOKEN and send it as Authorization: Bearer."
)


async def answer(request: Request, services: Services, settings: Settings) -> Response:
    """The figures of all workers; a refusal to whoever may not have them."""
    refusal = _refusal(request, settings.metrics_token)
    if refusal is not None:
        return refusal
    sampling.sample(services)
    await sampling.measure(services)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    headers = {"Cache-Control": "no-store", "Content-Type": media_type}
    return Response(encode(_registry()), headers=headers)


class _OfWorkers(MultiProcessCollector):
    """Without the files that a worker has just made and not yet given their size."""

    def collect(self) -> Any:
        files = [path for path in Path(self._path).glob("*.db") if _size(path)]
        return self.merge(map(str, files), accumulate=True)  # type: ignore[no-untyped-call]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # of a worker that is gone
        return 0


def _registry() -> CollectorRegistry:
    if metrics.SHARED not in os.environ:
        return metrics.REGISTRY
    registry = CollectorRegistry()
    _OfWorkers(registry)  # type: ignore[no-untyped-call]
    return registry


def _refusal(request: Request, token: str) -> Response | None:
    if token:
        sent = bearer(request.headers.get("authorization", "")) or ""
        if hmac.compare_digest(sent.encode("latin-1"), token.encode()):
            return None
        message = "Send CASEGRAPH_METRICS_TOKEN as Authorization: Bearer."
        return _refused(request, 401, "AUTH_INVALID_KEY", message, {"WWW-Authenticate": "Bearer"})
    if _is_local(request):
        return None
    return _refused(request, 403, "AUTH_INSUFFICIENT_SCOPE", _NOT_YOURS)


def _refused(
    request: Request, status: int, code: str, message: str, more: Mapping[str, str] | None = None
) -> Response:
    request.scope["state"]["codes"] = (code,)
    error = {"code": code, "message": message, "details": []}
    return JSONResponse({"error": error}, status, {"Cache-Control": "no-store", **(more or {})})


def _is_local(request: Request) -> bool:
    """Whether the client is on this machine, and is no proxy that says for whom it asks.

    It must also ask for this machine: a page whose host's name is made to lead here does not.
    """
    if any(name in request.headers for name in _OF_OTHERS):
        return False
    asked = request.url.hostname or ""
    client = request.client.host if request.client else ""
    return _is_loopback(client) and (asked == "localhost" or _is_loopback(asked))


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
        return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
    except ValueError:
        return False
