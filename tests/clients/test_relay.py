"""relay-compiler and relay-runtime: a connection paged both ways, and optimistic updates."""

import json

from tests import npm

pytestmark = npm.needed

NAMES = [f"case {n:02}" for n in range(15)]
CURSORS = (
    "{ cases(first: 15, orderBy: {field: NAME, direction: ASC})"
    " { edges { cursor node { name } } } }"
)


def test_a_connection_grows_in_both_directions_and_renames_are_shown_at_once(relay, own_server):
    own_server.create(*NAMES)
    edges = own_server.data(CURSORS, {})["cases"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == NAMES

    told = json.loads(own_server.node(relay, "relay-cases.js", edges[4]["cursor"]))

    assert told["first"] == NAMES[5:9]
    assert told["forwards"] == NAMES[5:13]
    assert told["backwards"] == NAMES[2:13]
    assert told["more"] == [True, True]
    assert told["optimistic"] == ["renamed", "too late"]
    assert told["codes"] == [[], ["VERSION_CONFLICT"]]
    assert told["settled"] == ["renamed", NAMES[3]]
