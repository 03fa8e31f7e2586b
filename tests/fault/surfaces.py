"""One read and one write over each surface, as a client sees them."""

import itertools

import httpx2

from tests.fault.servers import Gateway

CREATE = (
    "mutation($input: CreateCaseInput!) { createCase(input: $input) {"
    " case { uuid } userErrors { code } } }"
)
_NUMBERS = itertools.count()


class Surfaces:
    """Both doors of a gateway; each call asks at both."""

    def __init__(self, server: Gateway) -> None:
        self._client = server.client()

    def __enter__(self) -> "Surfaces":
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.close()

    def write(self, **more: object) -> list[httpx2.Response]:
        """Create a case at each door."""
        return [self.rest_write(**more), self.graphql_write(**more)]

    def rest_write(self, **more: object) -> httpx2.Response:
        return self._client.post("/api/v1/cases", json={"name": f"case {next(_NUMBERS)}", **more})

    def graphql_write(self, **more: object) -> httpx2.Response:
        camel = {"fileNumber" if name == "file_number" else name: more[name] for name in more}
        return self.graphql(CREATE, input={"name": f"case {next(_NUMBERS)}", **camel})

    def read(self, uuid: str) -> list[httpx2.Response]:
        """Read a case at each door."""
        query = "query($id: ID!) { case(id: $id) { uuid name timeline { nodes { type } } } }"
        return [self._client.get(f"/api/v1/cases/{uuid}"), self.graphql(query, id=uuid)]

    def ready(self) -> httpx2.Response:
        return self._client.get("/readyz")

    def graphql(self, query: str, **variables: object) -> httpx2.Response:
        return self._client.post("/graphql", json={"query": query, "variables": variables})

    def given_case(self, **more: object) -> str:
        """A case that was made at the first door; its id."""
        made = self._client.post("/api/v1/cases", json={"name": "given", **more})
        assert made.status_code == 201, made.text
        return made.json()["id"]

    def count(self) -> int:
        answer = self.graphql("{ cases { totalCount } }").json()
        return answer["data"]["cases"]["totalCount"]


def codes(answers: list[httpx2.Response]) -> list[str]:
    """The code of the refusal in the answer of REST and in that of GraphQL."""
    rest, graphql = answers
    [error] = graphql.json()["errors"]
    return [rest.json()["error"]["code"], error["extensions"]["code"]]


def messages(answers: list[httpx2.Response]) -> list[str]:
    rest, graphql = answers
    [error] = graphql.json()["errors"]
    return [rest.json()["error"]["message"], error["message"]]


def assert_unavailable(answers: list[httpx2.Response], sentence: str) -> None:
    """Refused for the moment, with *sentence*, and told when to try again."""
    assert [answer.status_code for answer in answers] == [503, 503], answers[1].text
    assert codes(answers) == ["SERVICE_UNAVAILABLE"] * 2
    assert messages(answers) == [sentence] * 2
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)


def assert_done(answers: list[httpx2.Response]) -> None:
    rest, graphql = answers
    assert rest.status_code < 300, rest.text
    assert graphql.status_code == 200
    assert "errors" not in graphql.json(), graphql.text
