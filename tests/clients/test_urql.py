"""urql, which asks by GET."""

import json

from tests import npm

pytestmark = npm.needed


def test_queries_run_by_get_and_errors_are_told(own_server, tmp_path):
    own_server.create("Müller & Söhne +49", "Weiß")
    folder = npm.project(tmp_path / "project", "urql-get.js")

    told = json.loads(own_server.node(folder, "urql-get.js"))

    assert told == {
        "methods": ["GET", "GET", "GET"],
        "all": 2,
        "again": 2,
        "found": ["Müller & Söhne +49"],
        "code": "GRAPHQL_VALIDATION_FAILED",
    }
