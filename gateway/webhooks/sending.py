"""One delivery: a POST to an address that was looked at, without following redirects."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import httpcore2 as httpcore

from domain.webhooks.addresses import NOT_ALLOWED, Address, Network, is_allowed
from gateway.threads import aside

ANSWER_SECONDS = 10.0
"""How long a delivery may take until it is answered: names, connection, handshake and request."""
REST_SECONDS = 1.0
"""How long the rest of an answer is waited for, which does not matter."""
ANSWER_BYTES = 128 << 10
"""How much of an answer is read."""
AT_ONCE = 50
"""How many deliveries one process makes at a time."""
_IDLE_SECONDS = 5.0
"""How long a connection is kept for the next delivery."""
_RESOLVERS = 4 * AT_ONCE
"""How many names may be looked up at a time; a lookup that takes too long goes on without us."""
_LOOPBACK = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_USED_UP = 3
"""How many kept connections are tried that prove to be closed."""
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
        self._names = _Names()
        context = ssl.create_default_context()
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=AT_ONCE,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=_Checked(networks, self._names, encrypted=scheme == "https"),
            )
            for scheme in ("https", "http")
        }

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._names.close()

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        """POST *body*; every failure is an outcome."""
        began = time.monotonic()
        status, retry_after, error = 0, 0, ""
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as limit:
                status, retry_after = await self._posted(url, body, headers, limit)
        except TimeoutError:
            error = f"There was no answer within {ANSWER_SECONDS:.0f} seconds."
        except _Failed as failure:
            error = str(failure)
        except (ssl.SSLError, *_BROKEN) as failure:
            error = _broken(failure)
        if 300 <= status <= 399:
            error = f"The receiver answered {status}; redirects are not followed."
        elif status and not 200 <= status <= 299:
            error = f"The receiver answered {status}."
        duration = round((time.monotonic() - began) * 1_000)
        return Outcome(duration, status or None, error or None, retry_after)

    async def _posted(
        self, url: str, body: bytes, headers: dict[str, str], limit: asyncio.Timeout
    ) -> tuple[int, int]:
        """The status of the answer, and the seconds after which to come again."""
        parts = urlsplit(url)
        # By the parser that has checked it; httpcore's own leaves out a part of some paths.
        target = httpcore.URL(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port,
            target=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
        )
        given = {
            "host": parts.netloc,
            "content-type": "application/json",
            "user-agent": _AGENT,
            **headers,
        }
        pool = self._pools[parts.scheme]
        for _ in range(_USED_UP):
            connected: list[str] = []

            async def noted(name: str, _info: Any, connected: list[str] = connected) -> None:
                if name.startswith("connection.connect_tcp"):
                    connected.append(name)

            stream = pool.stream(
                "POST",
                target,
                headers=list(given.items()),
                content=body,
                extensions={"trace": noted},
            )
            try:
                return await _answered(stream, limit)
            except _BROKEN:
                # Whoever kept the connection may have closed it at this moment.
                if connected:
                    raise
        raise httpcore.ReadError


async def _answered(stream: Any, limit: asyncio.Timeout) -> tuple[int, int]:
    """The status of an answer, as soon as there is one, and what Retry-After says."""
    async with contextlib.AsyncExitStack() as stack:
        response = await stack.enter_async_context(stream)
        limit.reschedule(None)
        answered = {name.lower(): value for name, value in response.headers}
        # Read to the end, if it is near: the connection serves the next delivery, too. The status
        # stands, however this goes.
        with contextlib.suppress(TimeoutError, ssl.SSLError, *_BROKEN):
            async with asyncio.timeout(REST_SECONDS):
                read = 0
                async for chunk in response.aiter_stream():
                    read += len(chunk)
                    if read > ANSWER_BYTES // 2:
                        break
        return response.status, _seconds(answered.get(b"retry-after", b""))


_BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


class _Names:
    """Looks up names, each once at a time, in threads: some servers of names take long."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_RESOLVERS)
        self._asked: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    def close(self) -> None:
        for asked in self._asked.values():
            asked.cancel()

    async def addresses(self, host: str, port: int) -> list[Address]:
        """All addresses of a host. Raises OSError, UnicodeError."""
        with contextlib.suppress(ValueError):
            return [ipaddress.ip_address(host)]
        if f".{host.lower().rstrip('.')}".endswith(".localhost"):
            return list(_LOOPBACK)  # without asking anybody (RFC 6761, 6.3)
        key = host, port
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.create_task(self._looked_up(host, port))
            asked.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(asked)

    async def _looked_up(self, host: str, port: int) -> list[Address]:
        async with self._places:
            return await aside(_addresses, host, port)

    def _forget(self, key: tuple[str, int], done: asyncio.Task[list[Address]]) -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # who waited for it may have gone


def _addresses(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = (str(address[0]).partition("%")[0] for *_kinds, address in found)
    return list(dict.fromkeys(map(ipaddress.ip_address, texts)))


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that deliveries may go to.

    The name is resolved here, and the connection goes to an address that was looked at: it cannot
    be another one by then (DNS rebinding).
    """

    def __init__(self, networks: Sequence[Network], names: _Names, *, encrypted: bool) -> None:
        self._networks = networks
        self._names = names
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
        try:
            found = await self._names.addresses(host, port)
        except (OSError, UnicodeError):
            raise _Failed("The name of the receiver cannot be resolved.") from None
        allowed = [
            str(one) for one in found if is_allowed(one, self._networks, encrypted=self._encrypted)
        ]
        if not allowed:
            raise _Failed(NOT_ALLOWED)
        for address in allowed[:-1]:
            with contextlib.suppress(httpcore.NetworkError):
                return _Bounded(await self._tcp.connect_tcp(address, port, timeout))
        return _Bounded(await self._tcp.connect_tcp(allowed[-1], port, timeout))


class _Bounded(httpcore.AsyncNetworkStream):
    """A connection on which no answer is longer than ANSWER_BYTES, whatever it is made of.

    An answer may be announced by any number of others (RFC 9110, 15.2), which take time to parse.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._read = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._read > ANSWER_BYTES:
            raise httpcore.ReadError
        content = await self._stream.read(min(max_bytes, 16 << 10), timeout)
        self._read += len(content)
        return content

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._read = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _Bounded(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds(value: bytes) -> int:
    """What a Retry-After header says (RFC 9110, 10.2.3): seconds, or a date; 0 if neither."""
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        return max(0, round(parsedate_to_datetime(text).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return 0


def _broken(failure: BaseException) -> str:
    """Why there was no answer, in a sentence."""
    cause: BaseException | None = failure
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        if reason := getattr(cause, "verify_message", None):
            return f"The receiver's certificate is not good: {reason}."
        return "No TLS connection to the receiver could be made."
    if isinstance(failure, httpcore.ConnectError):
        return "No connection to the receiver could be made."
    return "The connection broke before there was an answer."
