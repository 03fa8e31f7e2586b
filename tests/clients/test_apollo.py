"""Apollo Client: relayStylePagination, automatic persisted queries, and optimistic updates."""

import json

from tests import npm

pytestmark = npm.needed

NAMES = [f"case {n:02}" for n in range(10)]


def test_cases_are_paged_by_persisted_queries_and_renamed_optimistically(own_server, tmp_path):
    own_server.create(*NAMES)
    folder = npm.project(tmp_path / "project", "apollo-cases.js")

    told = json.loads(own_server.node(folder, "apollo-cases.js"))

    assert told["paged"] == NAMES
    # It sends the hash alone, then the document once, and never again.
    assert told["sent"] == [
        ["GET", False, "PERSISTED_QUERY_NOT_FOUND"],
        ["POST", True, "data"],
        ["GET", False, "data"],
        ["GET", False, "data"],
    ]
    assert told["optimistic"] == ["renamed", "too late"]
    [first, [conflict]] = told["errors"]
    assert first == []
    assert (conflict["code"], conflict["field"]) == ("VERSION_CONFLICT", ["expectedVersion"])
    assert told["settled"] == ["renamed", NAMES[1]]
