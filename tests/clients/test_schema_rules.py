"""graphql-eslint's rules for schemas and for Relay, and graphql-inspector's for changes."""

import json
import shutil

from tests import npm
from tests.fault.servers import ROOT

pytestmark = npm.needed

NO_OBJECTS = {
    "suffixes": ["Payload", "Connection", "Edge"],
    # Parts of answers, which nobody can ask for by an id.
    "types": [
        "Change",
        "DeletedCase",
        "Facet",
        "FacetValue",
        "PageInfo",
        "SearchMatch",
        "TextRange",
        "UserError",
        "UserWarning",
        "Viewer",
        "WebhookDelivery",
    ],
}
DEVIATIONS = {
    # `node` gives nothing for a deleted case, so that it is no Node.
    ("relay-edge-types", "type DeletedCaseEdge {"),
    # Nor does it give a line of a log.
    ("relay-edge-types", "type WebhookDeliveryEdge {"),
    # What fits best comes first: nobody begins at the end.
    ("relay-arguments", "search("),
}


def project(folder, script):
    made = npm.project(folder / "project", script, "released.graphql")
    shutil.copy(ROOT / "schema.graphql", made)
    return made


def test_the_schema_keeps_the_rules_but_for_what_is_listed(tmp_path):
    folder = project(tmp_path, "schema-rules.js")
    command = ["node", "schema-rules.js", "schema.graphql", json.dumps(NO_OBJECTS)]

    found = json.loads(npm.run(command, folder))

    assert {(one["rule"], one["text"]) for one in found} == DEVIATIONS


def test_the_rules_find_what_breaks_them(tmp_path):
    folder = project(tmp_path, "schema-rules.js")
    schema = folder / "schema.graphql"
    schema.write_text(schema.read_text().replace("hasNextPage: Boolean!", "hasNextPage: Int"))
    command = ["node", "schema-rules.js", "schema.graphql", json.dumps(NO_OBJECTS)]

    found = json.loads(npm.run(command, folder))

    assert "relay-page-info" in {one["rule"] for one in found}


def test_no_change_breaks_clients_of_the_last_release(tmp_path):
    """released.graphql is the schema of the last release; until there is one, write it anew."""
    folder = project(tmp_path, "breaking-changes.js")
    (folder / "older.graphql").write_text(
        (folder / "schema.graphql")
        .read_text()
        .replace("\ntype Viewer {", "\ntype Viewer {\n  x: Int")
    )

    def compared(old):
        return json.loads(npm.run(["node", "breaking-changes.js", old, "schema.graphql"], folder))

    assert compared("older.graphql") == ["Field 'x' was removed from object type 'Viewer'"]
    assert compared("released.graphql") == []
