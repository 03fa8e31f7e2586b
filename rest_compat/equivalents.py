"""What each route is over GraphQL: an operation with its variables, shown in the documentation.

By the operation ids of the OpenAPI document. A test runs both and compares what they answer.
"""

from typing import NamedTuple


class Equivalent(NamedTuple):
    """A GraphQL document, and an example of its variables in JSON."""

    document: str
    variables: str

    @property
    def shown(self) -> str:
        """For a description in Markdown."""
        return (
            "**The same over GraphQL** (`POST /graphql`):\n\n"
            f"```graphql\n{self.document}\n```\n\n```json\n{self.variables}\n```"
        )


_CASE = """\
    uuid
    name
    fileNumber
    status
    type
    description
    dezernat
    createdAt
    updatedAt
    parties(first: 100) { nodes { role party { databaseId name } } }
    staff(first: 100) { nodes { role staff { databaseId name } } }"""
_PARTIES = "role reference addedAt party { databaseId name kind }"
_STAFF = "role note assignedAt staff { databaseId name email }"
_LINK = "databaseId type createdAt case { uuid } linkedCase { uuid name fileNumber status }"
_WEBHOOK = "id url events query keyId state reason createdAt cursor failures failingSince dueAt"
_PERSON = "databaseId name kind createdAt updatedAt"
_COLLEAGUE = "databaseId name email createdAt updatedAt"
_OF_CASE = "case { uuid name fileNumber status }"
_PAGE = "pageInfo { hasNextPage endCursor }"
_ERRORS = "userErrors { code message field }"


def _listed(name: str, field: str, items: str, variables: str, arguments: str = "") -> Equivalent:
    """A page of a list at the root; *arguments* of its own as declared, with a blank after."""
    passed = "".join(
        f"{one.split(':')[0][1:]}: {one.split(':')[0]}, "
        for one in arguments.split(", ")
        if one.startswith("$")
    )
    document = (
        f"query {name}({arguments}$first: Int, $after: String) {{\n"
        f"  {field}({passed}first: $first, after: $after) {{\n"
        f"    nodes {{ {items} }}\n"
        f"    {_PAGE}\n"
        "  }\n}"
    )
    return Equivalent(document, variables)


def _below(
    name: str, root: str, field: str, items: str, id: str, arguments: str = ""
) -> Equivalent:
    """A page of a list below one object."""
    passed = "role: $role, " if "$role" in arguments else ""
    document = (
        f"query {name}($id: ID!, {arguments}$first: Int, $after: String) {{\n"
        f"  {root}(id: $id) {{\n"
        f"    {field}({passed}first: $first, after: $after) {{\n"
        f"      nodes {{ {items} }}\n"
        f"      {_PAGE}\n"
        "    }\n  }\n}"
    )
    return Equivalent(document, f'{{"id": "{id}", "first": 50}}')


def _changed(name: str, field: str, shown: str, variables: str) -> Equivalent:
    """A mutation with its errors."""
    document = (
        f"mutation {name}($input: {name}Input!) {{\n"
        f"  {field}(input: $input) {{\n"
        f"    {shown}\n"
        f"    {_ERRORS}\n"
        "  }\n}"
    )
    return Equivalent(document, f'{{"input": {variables}}}')


_ID = "019bc8f0-4c00-7000-8000-0123456789ab"
_OTHER = "019bc8f0-4c00-7000-8000-0123456789ac"
_PARTY_ID = "pty_06H1WM78ZC006191SMN7QH705G"
_WEBHOOK_ID = "whk_06H1WM78ZC006191SMN7QH705G"
_STAFF_ID = "usr_06H1WM78ZC006191SMN7QH705G"
_A_CASE = f"case {{\n{_CASE.replace('    ', '      ')}\n    }}"
_HAS_PARTIES = f"case {{ parties(first: 100) {{ nodes {{ {_PARTIES} }} }} }}"
_HAS_STAFF = f"case {{ staff(first: 100) {{ nodes {{ {_STAFF} }} }} }}"
_NEW_PARTY = '{"new": {"name": "Jörg Müller"}, "role": "client"}'

EQUIVALENTS = {
    "listCases": Equivalent(
        "query ListCases($filter: CaseFilter, $first: Int, $after: String) {\n"
        "  cases(filter: $filter, first: $first, after: $after,\n"
        "    orderBy: { field: CREATED_AT, direction: DESC }) {\n"
        f"    nodes {{\n{_CASE.replace('    ', '      ')}\n    }}\n    {_PAGE}\n  }}\n}}",
        '{"filter": {"status": ["ACTIVE"], "search": "muller"}, "first": 50}',
    ),
    "createCase": _changed(
        "CreateCase",
        "createCase",
        _A_CASE,
        f'{{"name": "Müller ./. Weiß", "fileNumber": "AZ-2026-042", "parties": [{_NEW_PARTY}]}}',
    ),
    "getCase": Equivalent(
        f"query GetCase($id: ID!) {{\n  case(id: $id) {{\n{_CASE}\n  }}\n}}", f'{{"id": "{_ID}"}}'
    ),
    "updateCase": _changed(
        "UpdateCase",
        "updateCase",
        _A_CASE,
        f'{{"id": "{_ID}", "status": "CLOSED", "expectedVersion": 3}}',
    ),
    "deleteCase": _changed("DeleteCase", "deleteCase", "deletedCaseId", f'{{"id": "{_ID}"}}'),
    "listCaseParties": _below("ListCaseParties", "case", "parties", _PARTIES, _ID),
    "addCaseParties": _changed(
        "AddCaseParties",
        "addCaseParties",
        _HAS_PARTIES,
        f'{{"caseId": "{_ID}", "parties": [{_NEW_PARTY}]}}',
    ),
    "replaceCaseParties": _changed(
        "ReplaceCaseParties",
        "replaceCaseParties",
        _HAS_PARTIES,
        f'{{"caseId": "{_ID}", "parties": [{_NEW_PARTY}]}}',
    ),
    "listCaseStaff": _below("ListCaseStaff", "case", "staff", _STAFF, _ID),
    "assignCaseStaff": _changed(
        "AssignStaff",
        "assignStaff",
        _HAS_STAFF,
        f'{{"caseId": "{_ID}", "staff": [{{"staffId": "{_STAFF_ID}", "role": "clerk"}}]}}',
    ),
    "unassignCaseStaff": _changed(
        "UnassignStaff",
        "unassignStaff",
        _HAS_STAFF,
        f'{{"caseId": "{_ID}", "staffIds": ["{_STAFF_ID}"]}}',
    ),
    "listCaseTimeline": _below(
        "ListCaseTimeline",
        "case",
        "timeline",
        "databaseId seq type source actor claimedActor at occurredAt title "
        "changes { field before after }",
        _ID,
    ),
    "listChanges": _listed(
        "ListChanges",
        "changes",
        "databaseId seq type source actor claimedActor at occurredAt title "
        "changes { field before after } caseUuid subjectId",
        '{"filter": {"type": ["case_updated", "case_deleted"]}, "first": 50}',
        "$filter: ChangeFilter, ",
    ),
    "listWebhooks": Equivalent(f"query ListWebhooks {{\n  webhooks {{ {_WEBHOOK} }}\n}}", "{}"),
    "createWebhook": _changed(
        "CreateWebhook",
        "createWebhook",
        f"webhook {{ {_WEBHOOK} }}\n    secret",
        '{"url": "https://hooks.example.org/casegraph", "events": ["case_created"]}',
    ),
    "getWebhook": Equivalent(
        f"query GetWebhook($id: ID!) {{\n  webhook(id: $id) {{ {_WEBHOOK} }}\n}}",
        f'{{"id": "{_WEBHOOK_ID}"}}',
    ),
    "updateWebhook": _changed(
        "UpdateWebhook",
        "updateWebhook",
        f"webhook {{ {_WEBHOOK} }}",
        f'{{"id": "{_WEBHOOK_ID}", "state": "PAUSED"}}',
    ),
    "deleteWebhook": _changed(
        "DeleteWebhook", "deleteWebhook", "deletedWebhookId", f'{{"id": "{_WEBHOOK_ID}"}}'
    ),
    "rollWebhookSecret": _changed(
        "RollWebhookSecret",
        "rollWebhookSecret",
        f"webhook {{ {_WEBHOOK} }}\n    secret",
        f'{{"id": "{_WEBHOOK_ID}"}}',
    ),
    "listWebhookDeliveries": _below(
        "ListWebhookDeliveries",
        "webhook",
        "deliveries",
        "eventId type attempt at durationMs status error",
        _WEBHOOK_ID,
    ),
    "linkCases": _changed(
        "LinkCases",
        "linkCases",
        f"link {{ {_LINK} }}",
        f'{{"caseId": "{_ID}", "linkedCaseId": "{_OTHER}", "type": "RELATED"}}',
    ),
    "listCaseLinks": _below("ListCaseLinks", "case", "links", _LINK, _ID),
    "unlinkCases": _changed(
        "UnlinkCases",
        "unlinkCases",
        "case { uuid version }",
        '{"linkId": "lnk_06H1WM78ZC006191SMN7QH705G"}',
    ),
    "listParties": _listed(
        "ListParties",
        "parties",
        _PERSON,
        '{"search": "muller", "first": 50}',
        "$search: String, ",
    ),
    "getParty": Equivalent(
        f"query GetParty($id: ID!) {{\n  party(id: $id) {{ {_PERSON} }}\n}}",
        f'{{"id": "{_PARTY_ID}"}}',
    ),
    "listPartyCases": _below(
        "ListPartyCases",
        "party",
        "cases",
        f"role reference addedAt {_OF_CASE}",
        _PARTY_ID,
        "$role: String, ",
    ),
    "listStaff": _listed(
        "ListStaff", "staff", _COLLEAGUE, '{"search": "gross", "first": 50}', "$search: String, "
    ),
    "getStaff": Equivalent(
        f"query GetStaff($id: ID!) {{\n  staffMember(id: $id) {{ {_COLLEAGUE} }}\n}}",
        f'{{"id": "{_STAFF_ID}"}}',
    ),
    "listStaffCases": _below(
        "ListStaffCases",
        "staffMember",
        "cases",
        f"role note assignedAt {_OF_CASE}",
        _STAFF_ID,
        "$role: String, ",
    ),
}
