"""The audits of graphql-http: what the GraphQL-over-HTTP specification demands and recommends."""

import json

from tests import npm

pytestmark = npm.needed


def test_every_audit_is_passed(server, tmp_path):
    folder = npm.project(tmp_path / "project", "audits.js")

    results = json.loads(server.node(folder, "audits.js"))

    assert [one for one in results if one["status"] != "ok"] == []
    assert len(results) == 61
