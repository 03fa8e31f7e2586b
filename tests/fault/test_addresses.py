"""The limit on wrong keys counts by address, and believes nobody about addresses by itself."""

import httpx2
import pytest

from domain.access.keys import new_key
from domain.models import Mode
from tests.fault.servers import gateway

LIMIT = 5


def statuses(server, count, *, headers=lambda _n: {}, key=None):
    with httpx2.Client(base_url=server.url) as http:
        return [
            http.get(
                "/api/v1/cases",
                headers={"Authorization": f"Bearer {key or new_key(Mode.LIVE)[0]}"} | headers(n),
            ).status_code
            for n in range(count)
        ]


def forged(n):
    return {"X-Forwarded-For": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}"}


@pytest.fixture
def served(tmp_path):
    with gateway(tmp_path, failed_auth_limit=LIMIT) as server:
        yield server


def test_an_address_in_a_header_is_not_believed(served):
    assert statuses(served, 8, headers=forged) == [401] * LIMIT + [429] * 3


def test_a_good_key_is_never_refused_for_the_wrong_ones_of_others(served):
    assert statuses(served, 8)[-1] == 429

    # It has not been used before, so that nothing is known of it.
    assert statuses(served, 2, key=served.key) == [200, 200]
    with httpx2.Client(base_url=served.url) as http:
        answer = http.post(
            "/graphql",
            json={"query": "{ viewer { mode } }"},
            headers={"Authorization": f"Bearer {served.key}"},
        )
    assert answer.status_code == 200


def test_a_proxy_that_is_trusted_is_believed(tmp_path):
    with gateway(tmp_path, failed_auth_limit=LIMIT, trusted_proxies="127.0.0.1") as server:
        assert statuses(server, 20, headers=forged) == [401] * 20
        same = statuses(server, 8, headers=lambda _n: {"X-Forwarded-For": "203.0.113.77"})

    assert same == [401] * LIMIT + [429] * 3


def test_a_proxy_of_another_network_is_not(tmp_path):
    with gateway(tmp_path, failed_auth_limit=LIMIT, trusted_proxies="10.0.0.0/8") as server:
        assert statuses(server, 8, headers=forged) == [401] * LIMIT + [429] * 3
