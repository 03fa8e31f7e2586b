"""Deliveries go to public addresses, over TLS, and to networks that are named; nowhere else."""

import ipaddress

import pytest

from domain.checks import Check
from domain.webhooks.addresses import NOT_ALLOWED, checked_url, is_allowed

OWN = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00:1::/32")]
INNER = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    # Addresses of IPv4 in ones of IPv6: mapped, compatible, 6to4, Teredo, NAT64.
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::7f00:1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", INNER)
@pytest.mark.parametrize("encrypted", [True, False])
def test_no_delivery_goes_inside(text, encrypted):
    address = ipaddress.ip_address(text)
    assert not is_allowed(address, [], encrypted=encrypted)
    assert not is_allowed(address, [ipaddress.ip_network("10.1.0.0/16")], encrypted=encrypted)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_reached_over_tls_only(text):
    address = ipaddress.ip_address(text)
    assert is_allowed(address, [], encrypted=True)
    assert not is_allowed(address, OWN, encrypted=False)


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"])
def test_named_networks_are_reached_either_way(text):
    for encrypted in (True, False):
        assert is_allowed(ipaddress.ip_address(text), OWN, encrypted=encrypted)


def problems(url, networks=()):
    check = Check()
    checked_url(check, url, networks)
    return [problem.message for problem in check.problems]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/casegraph",
        "https://hooks.example.org:8443/a?b=c%20d",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/x",
        "https://xn--mller-kva.example/",
        # A number is what the resolver makes of it, which is looked at before each delivery.
        "https://2130706433/",
        "https://0x7f.1/",
    ],
)
def test_urls_that_may_be(url):
    assert problems(url) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "hooks.example.org",
        "//hooks.example.org/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://user@hooks.example.org/",
        "https://user:secret@hooks.example.org/",
        "https://hooks.example.org/#part",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/",
        "https://hooks.example .org/",
        "https://hooks.example.org\\@127.0.0.1/",
        "https://hooks.exämple.org/",
        "https://[::1/",
        "https://[::1]]/",
        "https://hooks.example.org/\r\nHost: x",
        "https://" + "a" * 2_000,
        "http://hooks.example.org/",
        None,
        17,
        ["https://hooks.example.org/"],
    ],
)
def test_urls_that_may_not_be(url):
    assert problems(url)


@pytest.mark.parametrize("text", INNER)
def test_an_inner_address_is_refused_as_soon_as_it_is_given(text):
    host = f"[{text}]" if ":" in text else text
    assert problems(f"https://{host}/") == [NOT_ALLOWED]
    assert problems(f"http://{host}/", OWN) == [NOT_ALLOWED]


def test_own_networks_are_reached_without_tls_once_they_are_named():
    assert problems("http://10.1.0.5:9000/hook", OWN) == []
    assert problems("http://hooks.internal/", OWN) == []  # it is resolved before each delivery
    assert problems("http://10.1.0.5:9000/hook")
