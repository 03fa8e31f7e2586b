"""One delivery: a POST to an address that was looked at, without following redirects."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any

import httpcore2 as httpcore

from domain.webhooks.addresses import NOT_ALLOWED, Address, Network, is_allowed

ANSWER_SECONDS = 10.0
"""How long a delivery may take: names, connection, handshake, request and answer together."""
ANSWER_BYTES = 64 << 10
"""How much of an answer is read; what is in it does not matter."""
AT_ONCE = 50
"""How many deliveries one process makes at a time."""
_IDLE_SECONDS = 5.0
"""How long a connection is kept for the next delivery."""
_RESOLVERS = 8
_AGENT = f"casegraph/{version('casegraph')}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery went: the HTTP *status*, if there was one, and a sentence if it failed."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    retry_after: int = 0
    """How many seconds the receiver asks to be left alone."""


class _Failed(Exception):
    """Why nothing was sent, in a sentence."""


class Sender:
    """Sends deliveries; *networks* are those of one's own that they may go to."""

    def __init__(self, networks: Sequence[Network]) -> None:
        # Looking up names takes a thread each: slow servers of names keep up nobody else.
        self._resolving = ThreadPoolExecutor(_RESOLVERS, "webhook-names")
        context = ssl.create_default_context()
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=AT_ONCE,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=_Checked(networks, self._resolving, encrypted=scheme == "https"),
            )
            for scheme in ("https", "http")
        }

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._resolving.shutdown(wait=False, cancel_futures=True)

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        """POST *body*; every failure is an outcome."""
        began = time.monotonic()
        status: int | None = None
        error: str | None = None
        retry_after = 0
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, retry_after = await self._posted(url, body, headers)
        except TimeoutError:
            error = f"There was no answer within {ANSWER_SECONDS:.0f} seconds."
        except _Failed as failure:
            error = str(failure)
        except ssl.SSLError as failure:
            error = _insecure(failure)
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as failure:
            error = _broken(failure)
        if status is not None and not 200 <= status <= 299:
            error = f"The receiver answered {status}."
            if 300 <= status <= 399:
                error = f"The receiver answered {status}; redirects are not followed."
        duration = round((time.monotonic() - began) * 1_000)
        return Outcome(duration, status, error, retry_after)

    async def _posted(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, int]:
        """The status of the answer, and the seconds after which to come again."""
        given = {"content-type": "application/json", "user-agent": _AGENT, **headers}
        pool = self._pools["http" if url.lower().startswith("http:") else "https"]
        async with pool.stream("POST", url, headers=list(given.items()), content=body) as response:
            status: int = response.status
            answered = {name.lower(): value for name, value in response.headers}
            retry_after = _seconds(answered.get(b"retry-after", b""))
            read = 0
            async for chunk in response.aiter_stream():
                # Read to the end, if it is near: the connection serves the next delivery, too.
                read += len(chunk)
                if read > ANSWER_BYTES:
                    break
            return status, retry_after


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that deliveries may go to.

    The name is resolved here, and the connection goes to an address that was looked at: it cannot
    be another one by then (DNS rebinding).
    """

    def __init__(
        self, networks: Sequence[Network], resolving: ThreadPoolExecutor, *, encrypted: bool
    ) -> None:
        self._networks = networks
        self._resolving = resolving
        self._encrypted = encrypted
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the interface has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        allowed = [
            address
            for address in await self._resolved(host, port)
            if is_allowed(address, self._networks, encrypted=self._encrypted)
        ]
        if not allowed:
            raise _Failed(NOT_ALLOWED)
        for address in allowed[:-1]:
            try:
                return await self._tcp.connect_tcp(str(address), port, timeout)
            except httpcore.NetworkError:
                continue
        return await self._tcp.connect_tcp(str(allowed[-1]), port, timeout)

    async def _resolved(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._resolving, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError):
            raise _Failed("The name of the receiver cannot be resolved.") from None
        return list(
            dict.fromkeys(
                ipaddress.ip_address(str(address[0]).partition("%")[0])
                for *_kinds, address in found
            )
        )


def _seconds(value: bytes) -> int:
    """What a Retry-After header says (RFC 9110, 10.2.3): seconds, or a date; 0 if neither."""
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        return max(0, round(parsedate_to_datetime(text).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return 0


def _insecure(failure: BaseException) -> str:
    reason = getattr(failure, "verify_message", None)
    if reason:
        return f"The receiver's certificate is not good: {reason}."
    return "No TLS connection to the receiver could be made."


def _broken(failure: BaseException) -> str:
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return _insecure(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(failure, httpcore.ConnectError):
        return "No connection to the receiver could be made."
    return "The connection broke before there was an answer."
