"""Documents that are named and not sent: registered by their hash, or trusted from the start."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.http.accept import RESPONSE_TYPE
from gateway.http.parameters import BadRequest, Parameters
from gateway.http.persisted import MOST, Persisted, digest
from tests.fixtures import Api

QUERY = "query Mine($n: Int) { cases(first: $n) { totalCount } }"
OTHER = "{ viewer { workspace } }"
EMPTY = {"data": {"cases": {"totalCount": 0}}}
UNKNOWN = ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")


def hashed(text, **members):
    found = {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}
    return {"extensions": {"persistedQuery": found}, **members}


async def ask(api: Api, body, *, key="all", method="POST", accept="*/*"):
    headers = api.bearer(key) | {"Accept": accept}
    if method == "POST":
        return await api.http.post("/graphql", json=body, headers=headers)
    params = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()
    }
    return await api.http.get("/graphql", params=params, headers=headers)


def refusal(response):
    [error] = response.json()["errors"]
    return error["extensions"]["code"], error["message"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hash_is_known_once_a_client_has_sent_it_with_its_document(api, method):
    first = await ask(api, hashed(QUERY, variables={"n": 1}), method=method)
    strict = await ask(api, hashed(QUERY), method=method, accept=RESPONSE_TYPE)
    assert (first.status_code, refusal(first)) == (200, UNKNOWN)
    assert (strict.status_code, refusal(strict)) == (400, UNKNOWN)

    sent = await ask(api, hashed(QUERY, query=QUERY), method=method)
    again = await ask(api, hashed(QUERY, variables={"n": 1}), method=method)
    elsewhere = await ask(api, hashed(QUERY), key="stranger", method=method)

    assert sent.json() == again.json() == EMPTY
    assert refusal(elsewhere) == UNKNOWN


async def test_a_document_that_is_not_valid_is_not_registered(api):
    bad = "{ nothing }"

    await ask(api, hashed(bad, query=bad))

    assert refusal(await ask(api, hashed(bad))) == UNKNOWN


async def test_a_document_that_no_plan_covers_is_registered_too(api):
    search = '{ search(query: "x") { nodes { __typename } } }'

    await ask(api, hashed(search, query=search))

    assert "data" in (await ask(api, hashed(search))).json()


@pytest.mark.parametrize(
    "body",
    [
        hashed(QUERY, query=OTHER),
        {"query": QUERY, "documentId": digest(QUERY)},
        {"documentId": ""},
        {"documentId": 7},
        {"documentId": "x" * 201},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"sha256Hash": "0" * 63}}},
        {"extensions": {"persistedQuery": {"sha256Hash": "0" * 63 + "\n"}}},
        {"extensions": {"persistedQuery": {"sha256Hash": None}}},
        {"extensions": {"persistedQuery": "0" * 64}},
        {"extensions": {"persistedQuery": []}},
        {"extensions": ["persistedQuery"], "documentId": "x"},
        {"documentId": None},
        {"query": "", "documentId": "x"},
    ],
)
async def test_what_is_no_name_of_a_document_is_refused(api, body):
    response = await ask(api, body)

    assert response.status_code == 400
    assert refusal(response)[0] == "VALIDATION_ERROR"


class TestSwitchedOff:
    @pytest.fixture
    def settings(self, settings):
        return settings.but(persisted_queries=False)

    async def test_clients_are_told_to_send_documents_always(self, api):
        await ask(api, hashed(QUERY, query=QUERY))

        told = refusal(await ask(api, hashed(QUERY)))

        assert told == ("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")


class Trusting:
    @pytest.fixture
    def settings(self, settings, tmp_path):
        folder = tmp_path / "documents"
        folder.mkdir()
        (folder / "relay.json").write_text(json.dumps({"0123456789abcdef": QUERY}))
        return settings.but(documents=str(folder), documents_only=self.only)


class TestTrusted(Trusting):
    only = False

    async def test_a_document_has_the_id_of_its_manifest_and_its_hash(self, api):
        names = [
            {"documentId": "0123456789abcdef"},
            {"documentId": f"sha256:{digest(QUERY)}"},
            hashed(QUERY),
        ]
        for name in names:
            assert (await ask(api, name)).json() == EMPTY
        assert refusal(await ask(api, {"documentId": "other"}))[0] == "PERSISTED_QUERY_NOT_FOUND"

    async def test_others_can_be_sent_and_registered(self, api):
        assert "data" in (await ask(api, hashed(OTHER, query=OTHER))).json()
        assert "data" in (await ask(api, hashed(OTHER))).json()


class TestTrustedOnly(Trusting):
    only = True

    async def test_nothing_else_is_executed_even_if_it_is_sent(self, api):
        sent = await ask(api, {"query": OTHER})
        with_hash = await ask(api, hashed(OTHER, query=OTHER))

        assert (sent.status_code, refusal(sent)[0]) == (403, "QUERY_NOT_IN_SAFELIST")
        assert (with_hash.status_code, refusal(with_hash)[0]) == (403, "QUERY_NOT_IN_SAFELIST")
        assert refusal(await ask(api, hashed(OTHER))) == UNKNOWN

    async def test_a_trusted_document_may_be_named_or_sent(self, api):
        for body in ({"documentId": "0123456789abcdef"}, {"query": QUERY}):
            assert (await ask(api, body)).json() == EMPTY


def test_the_least_recently_used_documents_are_forgotten():
    persisted = Persisted({}, register=True, only=False)

    def asked(text):
        return Parameters(text, None, None, sha256=digest(text))

    for number in range(MOST):
        persisted.register(asked(f"query Q{number}"), 1)
    persisted.resolved(replace(asked("query Q0"), query=""), 1)
    persisted.register(asked("another"), 1)
    persisted.register(asked("x" * 990_000), 1)

    with pytest.raises(BadRequest):
        persisted.resolved(replace(asked("query Q1"), query=""), 1)
    assert persisted.resolved(replace(asked("query Q0"), query=""), 1).query == "query Q0"
