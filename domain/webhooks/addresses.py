"""Where a webhook may go: over TLS to anywhere in public, and to the networks that are named.

A name is checked by what it resolves to, at each delivery (OWASP, Server-Side Request Forgery
Prevention): who registers it decides what it resolves to later.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from domain.checks import Check

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_MAX = 2_000
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""What is assigned in public (RFC 4291, 2.4; IANA, IPv6 Global Unicast Address Space)."""
_TRANSLATED = (
    # Networks whose addresses hold one of IPv4 at their end (RFC 4291, 2.5.5; RFC 6052; RFC 8215).
    ipaddress.IPv6Network("::ffff:0:0/96"),
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("::/96"),
)


def checked_url(check: Check, value: object, networks: Sequence[Network]) -> str:
    """A URL that a webhook may have; *networks* are those of one's own that it may go to."""
    url = check.line(value, URL_MAX, "url")
    if not url or check.problems:
        return url
    parts = _parts(url)
    if parts is None or parts.scheme not in ("https", "http"):
        check.wrong("url must be a URL like https://hooks.example.org/casegraph.", "url")
    elif parts.username is not None or parts.password is not None or parts.fragment:
        check.wrong("url must have no user name, password or fragment.", "url")
    elif parts.scheme == "http" and not networks:
        check.wrong("url must begin with https://: what is delivered is confidential.", "url")
    elif (literal := _literal(parts.hostname or "")) and not is_allowed(
        literal, networks, encrypted=parts.scheme == "https"
    ):
        check.wrong(NOT_ALLOWED, "url")
    return url


NOT_ALLOWED = "The address is neither public nor in a network that webhooks may go to."


def is_allowed(address: Address, networks: Sequence[Network], *, encrypted: bool) -> bool:
    """Whether a delivery may go to an address: a public one, over TLS, or one in *networks*."""
    inner = _inner(address)
    if any(one in network for one in {address, inner} for network in networks):
        return True
    return encrypted and _is_public(address) and _is_public(inner)


def _is_public(address: Address) -> bool:
    # ipaddress takes all that is not registered as special for global, as fec0::/10 (RFC 3879).
    is_unicast = address.version == 4 or any(address in one for one in (_UNICAST, *_TRANSLATED))
    return address.is_global and not address.is_multicast and is_unicast


def _inner(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _parts(url: str) -> SplitResult | None:
    """The parts of a URL with a host; None for what is none (RFC 3986; hosts in ASCII)."""
    try:
        parts = urlsplit(url)
        if not url.isascii() or any(one <= " " or one in '\\<>"{}|^`' for one in url):
            return None
        return parts if parts.hostname and (parts.port is None or parts.port > 0) else None
    except ValueError:
        return None


def _literal(host: str) -> Address | None:
    """The address that a host is, if it is one. Resolvers take more for one: see is_allowed()."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
