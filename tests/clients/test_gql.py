"""Python's gql, with each of its transports over HTTP."""

import asyncio
from pathlib import Path

import pytest
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.requests import RequestsHTTPTransport

from tests.fault.servers import ROOT

CREATE = gql(
    "mutation Create($input: CreateCaseInput!) { createCase(input: $input)"
    " { case { name fileNumber } userErrors { code field } } }"
)
CASES = gql("query Cases($search: String) { cases(filter: {search: $search}) { totalCount } }")
SCHEMA = Path(ROOT / "schema.graphql").read_text(encoding="utf-8")


def using(transport, server):
    return transport(url=server.graphql, headers=server.headers)


@pytest.mark.parametrize("transport", [RequestsHTTPTransport, HTTPXTransport])
def test_a_program_creates_and_finds_a_case(server, transport):
    number = f"GQL {transport.__name__}"

    with Client(transport=using(transport, server), fetch_schema_from_transport=True) as client:
        create = CREATE
        create.variable_values = {"input": {"name": "Müller", "fileNumber": number}}
        made = client.execute(create)["createCase"]
        again = client.execute(create)["createCase"]
        found = CASES
        found.variable_values = {"search": number}
        count = client.execute(found)["cases"]["totalCount"]

    assert made == {"case": {"name": "Müller", "fileNumber": number}, "userErrors": []}
    assert again == {
        "case": None,
        "userErrors": [{"code": "FILE_NUMBER_CONFLICT", "field": ["fileNumber"]}],
    }
    assert count == 1


@pytest.mark.parametrize("transport", [AIOHTTPTransport, HTTPXAsyncTransport])
async def test_many_queries_run_at_once(server, transport):
    async with Client(transport=using(transport, server), schema=SCHEMA) as session:
        found = await asyncio.gather(*(session.execute(CASES) for _ in range(20)))

    assert len({one["cases"]["totalCount"] for one in found}) == 1


def test_errors_come_with_their_codes(server):
    with (
        Client(transport=using(RequestsHTTPTransport, server)) as client,
        pytest.raises(TransportQueryError) as refused,
    ):
        client.execute(gql("{ nothing }"))

    [error] = refused.value.errors
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
