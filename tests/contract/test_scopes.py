"""One table: every REST route and every GraphQL root field, who may use it, and on whose objects.

A cell is an operation, a key and the workspace of the objects that the operation names: the one
of the key, the firm's sandbox, another firm's, or none, because the id was never given out.
"""

import base64
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
from graphql import get_named_type

from domain.access.principal import Scope
from domain.upkeep import administration
from gateway.globalids import KINDS
from gateway.schema.assembled import schema
from rest_compat.application import Application
from tests.contract.conftest import opened_case
from tests.contract.worlds import world
from tests.fixtures import Api

READ, WRITE, DELETE, HOOKS = "read", "write", "delete", "hooks"
EVERY = frozenset((READ, WRITE, DELETE, HOOKS))

KEYS = {
    "all": ("live", EVERY),
    "read": ("live", {READ}),
    "write": ("live", {WRITE}),
    "delete": ("live", {DELETE}),
    "hooks": ("live", {HOOKS}),
    "test": ("sandbox", EVERY),
    "stranger": ("other", EVERY),
    "revoked": ("live", None),
    "nobody": ("live", None),
}
"""Each key, the workspace it belongs to, and its scopes; None if it opens nothing."""

WORKSPACES = {"live": "all", "sandbox": "test", "other": "stranger"}
"""Each workspace, and a key for everything in it."""

NOT_FOUND = {
    "case": "CASE_NOT_FOUND",
    "linked": "CASE_NOT_FOUND",
    "party": "PARTY_NOT_FOUND",
    "staff": "STAFF_NOT_FOUND",
    "link": "LINK_NOT_FOUND",
    "case_party": "PARTY_NOT_FOUND",
    "case_staff": "STAFF_NOT_FOUND",
    "idle_party": "PARTY_NOT_FOUND",
    "idle_staff": "STAFF_NOT_FOUND",
    "deleted": "CASE_NOT_FOUND",
    "webhook": "WEBHOOK_NOT_FOUND",
}


@dataclass(frozen=True)
class Route:
    """A route: its scopes, the status of its success, and a body, with places for ids."""

    method: str
    path: str
    scope: str
    ok: int
    body: Any = None

    @property
    def places(self) -> list[str]:
        return places_in(self.path + repr(self.body))

    def allowed(self, scopes: Collection[str]) -> bool:
        return set(self.scope.split()) <= set(scopes)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ROUTES = [
    Route("GET", "/cases", READ, 200),
    Route("POST", "/cases", WRITE, 201, {"name": "N"}),
    Route("GET", "/cases/{case}", READ, 200),
    Route("PUT", "/cases/{case}", WRITE, 200, {"name": "N"}),
    Route("DELETE", "/cases/{case}", DELETE, 204),
    Route("GET", "/cases/{case}/parties", READ, 200),
    Route("POST", "/cases/{case}/parties", WRITE, 201, {"id": "{party}", "role": "witness"}),
    Route("PUT", "/cases/{case}/parties", WRITE, 200, [{"id": "{party}", "role": "witness"}]),
    Route("GET", "/cases/{case}/staff", READ, 200),
    Route("POST", "/cases/{case}/staff", WRITE, 201, {"id": "{staff}", "role": "clerk"}),
    Route("DELETE", "/cases/{case}/staff", WRITE, 204, {"staff_id": "{staff}"}),
    Route("GET", "/cases/{case}/timeline", READ, 200),
    Route("POST", "/cases/{case}/links", WRITE, 201, {"case_id": "{linked}", "type": "parent"}),
    Route("GET", "/cases/{case}/links", READ, 200),
    Route("DELETE", "/cases/{case}/links/{link}", WRITE, 204),
    Route("GET", "/changes", READ, 200),
    Route("GET", "/parties", READ, 200),
    Route("GET", "/parties/{party}", READ, 200),
    Route("GET", "/parties/{party}/cases", READ, 200),
    Route("GET", "/staff", READ, 200),
    Route("GET", "/staff/{staff}", READ, 200),
    Route("GET", "/staff/{staff}/cases", READ, 200),
    Route("GET", "/webhooks", HOOKS, 200),
    Route("POST", "/webhooks", f"{HOOKS} {READ}", 201, {"url": "https://hooks.example.org/"}),
    Route("GET", "/webhooks/{webhook}", HOOKS, 200),
    Route("PUT", "/webhooks/{webhook}", f"{HOOKS} {READ}", 200, {"state": "paused"}),
    Route("DELETE", "/webhooks/{webhook}", f"{HOOKS} {READ}", 204),
    Route("POST", "/webhooks/{webhook}/secret", f"{HOOKS} {READ}", 200),
    Route("GET", "/webhooks/{webhook}/deliveries", HOOKS, 200),
]


@dataclass(frozen=True)
class Field:
    """A root field: the document that asks for it, with places for ids, and its scopes."""

    kind: str
    asked: str
    scope: str | None
    absent: Any = None

    @property
    def name(self) -> str:
        return self.asked.partition(" ")[0].partition("(")[0]

    @property
    def places(self) -> list[str]:
        return places_in(self.asked)

    def allowed(self, scopes: Collection[str]) -> bool:
        return set((self.scope or "").split()) <= set(scopes)

    def __str__(self) -> str:
        return self.name


def query(asked: str, scope: str | None = READ, absent: Any = None) -> Field:
    return Field("query", asked, scope, absent)


def mutation(asked: str, scope: str = WRITE) -> Field:
    return Field("mutation", asked + " { userErrors { code } }", scope)


FIELDS = [
    query("viewer { mode }", None),
    query('node(id: "{case}") { id }'),
    query(
        'nodes(ids: ["{case}", "{party}", "{staff}", "{link}", "{event}", "{case_party}",'
        ' "{case_staff}"]) { id }'
    ),
    query('case(id: "{case}") { id }'),
    query("cases { totalCount }"),
    query('search(query: "x") { totalCount }'),
    query("changes { totalCount }"),
    query("deletedCases { totalCount }", f"{READ} {DELETE}"),
    query("parties { totalCount }"),
    query('party(id: "{party}") { id }'),
    query("staff { totalCount }"),
    query('staffMember(id: "{staff}") { id }'),
    mutation('createCase(input: {name: "N", parties: [{partyId: "{party}", role: "client"}]})'),
    mutation('updateCase(input: {id: "{case}", name: "N"})'),
    mutation('deleteCase(input: {id: "{case}"})', DELETE),
    mutation('createParty(input: {name: "N"})'),
    mutation('updateParty(input: {id: "{party}", name: "N"})'),
    mutation('createStaff(input: {name: "N"})'),
    mutation('updateStaff(input: {id: "{staff}", name: "N"})'),
    mutation(
        'addCaseParties(input: {caseId: "{case}", parties: [{partyId: "{party}", role: "x"}]})'
    ),
    mutation(
        'replaceCaseParties(input: {caseId: "{case}", parties: [{partyId: "{party}", role: "x"}]})'
    ),
    mutation('updateCaseParty(input: {id: "{case_party}", role: "x"})'),
    mutation('updateCaseStaff(input: {id: "{case_staff}", role: "x"})'),
    mutation('removeCaseParties(input: {caseId: "{case}", partyIds: ["{party}"]})'),
    mutation('assignStaff(input: {caseId: "{case}", staff: [{staffId: "{staff}", role: "x"}]})'),
    mutation('unassignStaff(input: {caseId: "{case}", staffIds: ["{staff}"]})'),
    mutation('linkCases(input: {caseId: "{case}", linkedCaseId: "{linked}", type: PARENT})'),
    mutation('unlinkCases(input: {linkId: "{link}"})'),
    mutation('deleteParty(input: {id: "{idle_party}"})', DELETE),
    mutation('deleteStaff(input: {id: "{idle_staff}"})', DELETE),
    mutation(
        'mergeParties(input: {keepId: "{party}", mergeId: "{idle_party}"})', f"{WRITE} {DELETE}"
    ),
    mutation('restoreCase(input: {id: "{deleted}"})', DELETE),
    query("webhooks { id deliveries { totalCount } }", HOOKS),
    query('webhook(id: "{webhook}") { id deliveries { totalCount } }', HOOKS),
    mutation('createWebhook(input: {url: "https://hooks.example.org/"})', f"{HOOKS} {READ}"),
    mutation('updateWebhook(input: {id: "{webhook}", state: PAUSED})', f"{HOOKS} {READ}"),
    mutation('deleteWebhook(input: {id: "{webhook}"})', f"{HOOKS} {READ}"),
    mutation('rollWebhookSecret(input: {id: "{webhook}"})', f"{HOOKS} {READ}"),
]

Ids = dict[str, str]


def places_in(template: str) -> list[str]:
    return [place for place in (*NOT_FOUND, "event") if "{" + place + "}" in template]


def filled(template: Any, ids: Ids) -> Any:
    if isinstance(template, dict):
        return {name: filled(part, ids) for name, part in template.items()}
    if isinstance(template, list):
        return [filled(part, ids) for part in template]
    if isinstance(template, str):
        for place, id in ids.items():
            template = template.replace("{" + place + "}", id)
    return template


@dataclass
class Office:
    """All that a cell needs: the keys, and fresh objects in whichever workspace."""

    api: Any
    keys: dict[str, str]
    objects: Callable[[str], Awaitable[Ids]]
    _kept: dict[str, Ids]

    async def ids(self, whose: str, *, fresh: bool = False) -> Ids:
        """Plain ids, by place, of objects in a workspace, or of none if it is "missing"."""
        if fresh or whose not in self._kept:
            self._kept[whose] = await self.objects(whose)
        return self._kept[whose]

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[key]}"} if key in self.keys else {}

    async def rest(self, route: Route, key: str, ids: Ids) -> httpx2.Response:
        return await self.api.http.request(
            route.method,
            "/api/v1" + filled(route.path, ids),
            headers=self.headers(key),
            json=filled(route.body, ids),
        )

    async def graphql(self, asked: Field, key: str, ids: Ids) -> httpx2.Response:
        document = f"{asked.kind} {{ {filled(asked.asked, ids)} }}"
        return await self.api.http.post(
            "/graphql", headers=self.headers(key), json={"query": document}
        )


@pytest.fixture
def firms(database_kind, request):
    """The URL of a new database with two firms, and objects of each and of a sandbox; the keys."""
    with world(database_kind, request, _objects_of_all) as (url, keys, ids):
        request.node.stash[THERE] = ids
        yield url, keys


THERE = pytest.StashKey[dict[str, Ids]]()


@pytest.fixture
async def office(api, owner, request) -> Office:
    revoked, entry = await administration.create_key(owner, "revoked", list(Scope))
    await administration.revoke_key(owner, entry.id)
    there = {whose: dict(ids) for whose, ids in request.node.stash[THERE].items()}
    return Office(api, api.keys | {"revoked": revoked}, partial(objects, api), there)


async def _objects_of_all(api: Api) -> dict[str, Ids]:
    return {whose: await objects(api, whose) for whose in WORKSPACES}


async def objects(api: Api, whose: str) -> Ids:
    """Plain ids, by place, of new objects in a workspace."""
    if whose == "missing":
        return MISSING
    key = WORKSPACES[whose]
    case, linked = await opened_case(api, key), await opened_case(api, key)
    wanted = {"case_id": linked["uuid"], "type": "related"}
    link = await api.rest("POST", f"/cases/{case['uuid']}/links", key=key, json=wanted)
    events = await api.rest("GET", f"/cases/{case['uuid']}/timeline", key=key)
    url = {"url": "https://hooks.invalid/"}
    webhook = await api.rest("POST", "/webhooks", key=key, json=url)
    return {
        "case": case["uuid"],
        "linked": linked["uuid"],
        "party": case["parties"]["nodes"][0]["party"]["databaseId"],
        "staff": case["staff"]["nodes"][0]["staff"]["databaseId"],
        "link": link.json()["id"],
        "event": events.json()["data"][0]["id"],
        "case_party": f"{case['uuid']}/1",
        "case_staff": f"{case['uuid']}/2",
        "webhook": webhook.json()["id"],
        **await idle(api, key),
    }


async def idle(api: Api, key: str) -> Ids:
    """Who is in no case, and a case that was deleted."""
    gone = await opened_case(api, key)
    data = await api.data(
        'mutation($gone: ID!) { createParty(input: {name: "I"}) { party { databaseId } }'
        ' createStaff(input: {name: "I"}) { staff { databaseId } }'
        " deleteCase(input: {id: $gone}) { deletedCaseId } }",
        {"gone": gone["id"]},
        key=key,
    )
    return {
        "idle_party": data["createParty"]["party"]["databaseId"],
        "idle_staff": data["createStaff"]["staff"]["databaseId"],
        "deleted": gone["uuid"],
    }


MISSING = {
    "webhook": "whk_" + "0" * 26,
    "case": str(uuid.UUID(int=0x0189_0000_0000_7000_8000_0000_0000_0001)),
    "linked": str(uuid.UUID(int=0x0189_0000_0000_7000_8000_0000_0000_0002)),
    "party": "pty_" + "0" * 26,
    "staff": "usr_" + "0" * 26,
    "link": "lnk_" + "0" * 26,
    "event": "evt_" + "0" * 26,
    "case_party": "01890000-0000-7000-8000-000000000001/1",
    "case_staff": "01890000-0000-7000-8000-000000000001/2",
    "idle_party": "pty_" + "1" * 26,
    "idle_staff": "usr_" + "1" * 26,
    "deleted": str(uuid.UUID(int=0x0189_0000_0000_7000_8000_0000_0000_0003)),
}


def globally(ids: Ids) -> Ids:
    """The ids as GraphQL gives them."""
    names = {
        "case": "Case",
        "linked": "Case",
        "deleted": "Case",
        "party": "Party",
        "idle_party": "Party",
        "staff": "Staff",
        "idle_staff": "Staff",
    }
    made = {place: encoded(name, ids[place]) for place, name in names.items()}
    link = encoded("CaseLink", f"{ids['case']}/{ids['link']}")
    roles = {
        "case_party": encoded("CaseParty", ids["case_party"]),
        "case_staff": encoded("CaseStaff", ids["case_staff"]),
    }
    return (
        made
        | roles
        | {"webhook": ids["webhook"], "link": link, "event": encoded("TimelineEvent", ids["event"])}
    )


def encoded(name: str, id: str) -> str:
    return base64.b64encode(f"{name}:{id}".encode()).decode()


def whose_of(places: list[str]) -> list[str]:
    """The columns of an operation: without a place for an id, all are the same."""
    return [*WORKSPACES, "missing"] if places else ["live"]


def test_the_tables_name_every_route_and_every_root_field():
    paths = Application().openapi()["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    places = ("case", "link", "party", "staff", "webhook")
    named = {f"{{{name}}}": f"{{{name}_id}}" for name in places}
    listed = set()
    for route in ROUTES:
        path = route.path
        for ours, theirs in named.items():
            path = path.replace(ours, theirs)
        listed.add((route.method, path))

    assert listed == documented
    for kind in ("query", "mutation"):
        fields = schema._schema.type_map[kind.capitalize()].fields.keys()
        assert {asked.name for asked in FIELDS if asked.kind == kind} == fields


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_every_cell_of_a_route_is_as_documented(office, route):
    found, expected = {}, {}
    for key, (home, scopes) in KEYS.items():
        for whose in whose_of(route.places):
            writes = route.method != "GET" and scopes is not None and route.allowed(scopes)
            ids = await office.ids(whose, fresh=writes and whose == home)
            response = await office.rest(route, key, ids)

            cell = key, whose
            found[cell] = response.status_code, code_of(response)
            if scopes is None:
                expected[cell] = 401, "AUTH_INVALID_KEY"
            elif not route.allowed(scopes):
                expected[cell] = 403, "AUTH_INSUFFICIENT_SCOPE"
            elif route.places and whose != home:
                expected[cell] = 404, NOT_FOUND[places_in(route.path)[0]]
            else:
                expected[cell] = route.ok, None

    assert found == expected


def code_of(response: httpx2.Response) -> str | None:
    return response.json()["error"]["code"] if response.status_code >= 400 else None


@pytest.mark.parametrize("asked", FIELDS, ids=str)
async def test_every_cell_of_a_root_field_is_as_documented(office, asked):
    found, expected = {}, {}
    for key, (home, scopes) in KEYS.items():
        for whose in whose_of(asked.places):
            writes = asked.kind == "mutation" and scopes is not None and asked.allowed(scopes)
            ids = globally(await office.ids(whose, fresh=writes and whose == home))
            response = await office.graphql(asked, key, ids)

            cell = key, whose
            answer = response.json()
            found[cell] = outcome_of(asked, answer)
            if scopes is None:
                expected[cell] = "AUTH_INVALID_KEY"
                assert response.status_code == 401
            elif not asked.allowed(scopes):
                expected[cell] = "AUTH_INSUFFICIENT_SCOPE"
            elif asked.places and whose != home:
                absent = NOT_FOUND[asked.places[0]]
                expected[cell] = absent if asked.kind == "mutation" else "null"
            else:
                expected[cell] = "found"

    assert found == expected


def outcome_of(asked: Field, answer: Any) -> str:
    """The code of a refusal, "null" if nothing was there, or "found"."""
    if "errors" in answer:
        [error] = answer["errors"]
        # nodes itself is not nullable, so its refusal reaches the root.
        refused = None if asked.name == "nodes" else {asked.name: None}
        assert answer.get("data") in (refused, None)
        return error["extensions"]["code"]
    value = answer["data"][asked.name]
    if asked.kind == "mutation":
        codes = {error["code"] for error in value["userErrors"]}
        assert len(codes) <= 1
        return codes.pop() if codes else "found"
    nothing = value is None or value == [None] * 7
    assert nothing or not isinstance(value, list) or all(value)
    return "null" if nothing else "found"


PLACES_REST = [(route, place) for route in ROUTES for place in route.places]
PLACES_GRAPHQL = [(asked, place) for asked in FIELDS for place in asked.places]


async def test_a_foreign_id_anywhere_in_a_route_is_answered_like_a_missing_one(office):
    for route, place in PLACES_REST:
        own = await office.ids("live")
        missing = await office.rest(route, "all", own | {place: MISSING[place]})
        assert (missing.status_code, code_of(missing)) == (404, NOT_FOUND[place]), route

        for whose in ("sandbox", "other"):
            foreign = (await office.ids(whose))[place]
            answer = await office.rest(route, "all", own | {place: foreign})

            assert answer.text.replace(foreign, MISSING[place]) == missing.text, (route, place)
            assert told(answer) == told(missing), (route, place)


async def test_a_foreign_id_anywhere_in_a_field_is_answered_like_a_missing_one(office):
    for asked, place in PLACES_GRAPHQL:
        await answered_like_a_missing_one(office, asked, place)


async def answered_like_a_missing_one(office, asked, place):
    global_only = asked.name in ("node", "nodes") or place.startswith("case_")
    for form in (globally,) if global_only else (globally, dict):
        own = await office.ids("live")
        missing = await office.graphql(asked, "all", form(own) | {place: form(MISSING)[place]})
        if asked.kind == "mutation":
            [error] = missing.json()["data"][asked.name]["userErrors"]
            assert error["code"] == NOT_FOUND[place]

        for whose in ("sandbox", "other"):
            foreign = form(await office.ids(whose))[place]
            answer = await office.graphql(asked, "all", form(own) | {place: foreign})

            assert answer.text.replace(foreign, form(MISSING)[place]) == missing.text, (asked, form)
            assert told(answer) == told(missing), form


def told(response: httpx2.Response) -> dict[str, str]:
    """What the headers say, but for the request's id and what is left of the limit."""
    differing = ("x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset", "content-length")
    return {name: value for name, value in response.headers.items() if name not in differing}


FORGED_LINKS = [("other", "live"), ("live", "other"), ("sandbox", "live"), ("live", "sandbox")]


@pytest.mark.parametrize(("case_of", "link_of"), FORGED_LINKS)
async def test_a_link_id_put_together_from_two_firms_finds_nothing(office, case_of, link_of):
    case, link = (await office.ids(case_of))["case"], (await office.ids(link_of))["link"]
    forged = encoded("CaseLink", f"{case}/{link}")

    data = await office.api.data(
        "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }", {"id": forged}
    )
    refused = await office.api.data(
        "mutation($id: ID!) { unlinkCases(input: {linkId: $id}) { link { id } userErrors { code } }"
        " }",
        {"id": forged},
    )

    assert data == {"node": None, "nodes": [None]}
    assert refused["unlinkCases"] == {"link": None, "userErrors": [{"code": "LINK_NOT_FOUND"}]}


FILTERS = [
    (
        "CaseFilter",
        "cases(filter: $by) { totalCount }",
        lambda ids: {"party": {"id": ids["party"]}},
    ),
    (
        "CaseFilter",
        "cases(filter: $by) { totalCount }",
        lambda ids: {"staff": {"id": ids["staff"]}},
    ),
]


@pytest.mark.parametrize(("type_", "asked", "by"), FILTERS)
async def test_a_filter_by_a_foreign_id_finds_nothing(office, type_, asked, by):
    await office.ids("live")
    for whose in ("sandbox", "other", "missing"):
        ids = globally(await office.ids(whose))

        data = await office.api.data(f"query($by: {type_}) {{ {asked} }}", {"by": by(ids)})

        assert data == {"cases": {"totalCount": 0}}, whose


@pytest.mark.parametrize("whose", ["sandbox", "other"])
async def test_a_foreign_cursor_is_answered_like_a_forged_one(office, whose):
    for workspace in WORKSPACES:
        for _ in range(2):
            await office.ids(workspace, fresh=True)
    page = await office.api.rest("GET", "/cases?limit=1", key=WORKSPACES[whose])
    cursor = page.json()["pagination"]["cursor"]
    document = "query($c: String) { cases(after: $c) { nodes { id } } }"

    rest, forged_rest = [
        await office.api.rest("GET", "/cases", params={"cursor": one}) for one in (cursor, "e30=")
    ]
    graphql, forged_graphql = [
        await office.api.graphql(document, {"c": one}) for one in (cursor, "e30=")
    ]

    assert (rest.status_code, rest.text) == (400, forged_rest.text)
    assert graphql["data"] == {"cases": None}
    assert graphql == forged_graphql


@pytest.mark.parametrize("key", ["", "nonsense", "cg_live_0000"])
async def test_a_route_is_closed_without_a_good_key(office, key):
    ids = await office.ids("live")
    for route in ROUTES:
        response = await office.api.http.request(
            route.method,
            "/api/v1" + filled(route.path, ids),
            headers={"Authorization": f"Bearer {key}"},
        )

        assert (response.status_code, code_of(response)) == (401, "AUTH_INVALID_KEY"), str(route)


NESTED = [
    ("Case", "parties", "createCase(input: {name: 'N'}) { case { parties { totalCount } } }"),
    ("Case", "staff", "createCase(input: {name: 'N'}) { case { staff { totalCount } } }"),
    ("Case", "links", "createCase(input: {name: 'N'}) { case { links { totalCount } } }"),
    ("Case", "timeline", "createCase(input: {name: 'N'}) { case { timeline { totalCount } } }"),
    ("Party", "cases", "createParty(input: {name: 'N'}) { party { cases { totalCount } } }"),
    ("Staff", "cases", "createStaff(input: {name: 'N'}) { staff { cases { totalCount } } }"),
    (
        "CaseLink",
        "case",
        "linkCases(input: {caseId: '{case}', linkedCaseId: '{linked}', type: CHILD})"
        " { link { case { name } } }",
    ),
]
"""What hangs on an object, reached through a mutation by a key that may write only."""

WITH_THE_OBJECT = {
    ("CaseLink", "linkedCase"),
    ("CaseParty", "case"),
    ("CaseParty", "party"),
    ("CaseStaff", "case"),
    ("CaseStaff", "staff"),
}
"""Part of the link or the role itself; what hangs on them is asked for like any other."""

ONLY_BELOW_THESE = {("TimelineEvent", "case"), ("TimelineEvent", "changes")}
"""No mutation answers an event: whoever has one came through a timeline."""


def test_the_table_names_every_nested_field():
    types = schema._schema.type_map
    nested = {
        (name, field)
        for name in KINDS
        for field, definition in types[name].fields.items()
        if hasattr(get_named_type(definition.type), "fields")
    }

    assert {(name, field) for name, field, _asked in NESTED} == (
        nested - WITH_THE_OBJECT - ONLY_BELOW_THESE
    )


@pytest.mark.parametrize(("type_", "field", "asked"), NESTED)
async def test_a_nested_field_needs_the_scope_to_read(office, type_, field, asked):
    asked = filled(asked.replace("'", '"'), globally(await office.ids("live")))

    answer = await office.api.graphql(f"mutation {{ {asked} }}", key="write")

    [error] = answer["errors"]
    assert error["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"
    assert error["path"][-1] == field


async def test_an_update_that_changes_nothing_needs_the_scope_to_read(office):
    ids = globally(await office.ids("live"))
    for asked in (
        'updateCase(input: {id: "{case}"}) { case { name } }',
        'updateCase(input: {id: "{case}", name: "Müller ./. Weiß"}) { case { description } }',
        'updateParty(input: {id: "{party}"}) { party { name } }',
        'updateStaff(input: {id: "{staff}"}) { staff { email } }',
        'replaceCaseParties(input: {caseId: "{case}", parties: '
        '[{partyId: "{party}", role: "client"}]}) { case { name } }',
    ):
        answer = await office.api.graphql(f"mutation {{ {filled(asked, ids)} }}", key="write")

        [error] = answer["errors"]
        assert error["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE", asked


async def test_what_hangs_on_a_linked_case_needs_the_scope_to_read(office):
    ids = globally(await office.ids("live"))
    link = 'linkCases(input: {caseId: "{case}", linkedCaseId: "{linked}", type: CHILD})'
    asked = f"{link} {{ link {{ linkedCase {{ name parties {{ totalCount }} }} }} }}"

    answer = await office.api.graphql(f"mutation {{ {filled(asked, ids)} }}", key="write")

    [error] = answer["errors"]
    assert error["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"
    assert error["path"] == ["linkCases", "link", "linkedCase", "parties"]
