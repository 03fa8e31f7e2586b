import json
from collections.abc import Iterator
from enum import Enum
from urllib.parse import urlsplit

import pytest
import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from strawberry.asgi import GraphQL

from gateway import graphiql

KEY = "cg_test_key"


@strawberry.enum
class CaseStatus(Enum):
    ACTIVE = "active"
    CLOSED = "closed"


@strawberry.enum
class CaseOrderField(Enum):
    CREATED_AT = "created_at"


@strawberry.enum
class Direction(Enum):
    ASC = "asc"
    DESC = "desc"


@strawberry.input
class CaseFilter:
    status: list[CaseStatus] | None = None
    search: str | None = None


@strawberry.input
class CaseOrder:
    field: CaseOrderField
    direction: Direction


@strawberry.type
class Case:
    id: strawberry.ID
    name: str
    file_number: str
    status: CaseStatus = CaseStatus.ACTIVE
    type: str = "civil"
    dezernat: str | None = None
    created_at: str = "2026-01-02T03:04:05Z"


@strawberry.type
class CaseConnection:
    total_count: int
    nodes: list[Case]


@strawberry.type
class Query:
    @strawberry.field(description="Cases, newest first.")
    def cases(
        self, first: int = 50, filter: CaseFilter | None = None, order_by: CaseOrder | None = None
    ) -> CaseConnection:
        found = [
            Case(id=strawberry.ID("1"), name="Müller v. Schmidt", file_number="AZ-2026-001"),
            Case(id=strawberry.ID("2"), name="Estate of Weber", file_number="AZ-2026-002"),
        ]
        return CaseConnection(total_count=len(found), nodes=found[:first])


answer_graphql = GraphQL(strawberry.Schema(Query), graphql_ide=None)


class Guarded:
    """Answers GraphQL to those who bring the key."""

    async def __call__(self, scope, receive, send):
        if Request(scope).headers.get("Authorization") == f"Bearer {KEY}":
            await answer_graphql(scope, receive, send)
        else:
            body = {"errors": [{"message": "This API key is not known."}]}
            await JSONResponse(body, status_code=401)(scope, receive, send)


def gateway_with(demo_key: str | None) -> Starlette:
    async def page(request: Request) -> Response:
        return graphiql.page(demo_key=demo_key)

    return Starlette(
        routes=[
            Mount("/graphql/static", graphiql.static_files()),
            Route("/graphql", page, methods=["GET"]),
            Route("/graphql", Guarded(), methods=["POST"]),
        ]
    )
