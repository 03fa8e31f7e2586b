"""Three workspaces read and written at once, by many clients: nobody sees a row of another.

Everything in them is alike, file numbers too, but that each text begins with its workspace's mark.
CASEGRAPH_ROWS is how many rows are read (10,000 unless it is set).
"""

import itertools
import json
import os
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.fault.exchanges import Line, Request
from tests.fault.pairs import two_gateways

ROWS = int(os.environ.get("CASEGRAPH_ROWS", "6000"))
CASES = 40
READERS = 3
"""For each workspace."""

MARKS = ("Alpha", "Beta", "Gamma")
NAME = re.compile(rb'"name":"(\w+)')

CREATE = (
    "mutation($input: CreateCaseInput!) { createCase(input: $input) { case { id uuid"
    " parties { nodes { id party { id } } } staff { nodes { id staff { id } } }"
    " timeline { nodes { id } } }"
    " userErrors { code message } } }"
)
LINK = (
    "mutation($a: ID!, $b: ID!) { linkCases(input: {caseId: $a, linkedCaseId: $b, type: RELATED})"
    " { link { id databaseId } userErrors { code } } }"
)
UPDATE = (
    "mutation($input: UpdateCaseInput!) { updateCase(input: $input) {"
    " case { name parties { nodes { party { name } } } } userErrors { code } } }"
)
PEOPLE = (
    "parties { nodes { reference party { name cases(first: 5) { nodes { case { name } } } } } }"
    " staff { nodes { note staff { name cases(first: 5) { nodes { case { name } } } } } }"
)
HISTORY = (
    "links { nodes { case { name } linkedCase { name parties { nodes { party { name } } } } } }"
    " timeline(first: 5) { nodes { case { name } changes { before after } } }"
)
NODE = (
    "... on Case { name } ... on Party { name } ... on Staff { name }"
    " ... on CaseLink { linkedCase { name } } ... on TimelineEvent { case { name } }"
    " ... on CaseParty { its: case { name } party { name } }"
    " ... on CaseStaff { its: case { name } staff { name } }"
)


@dataclass
class Office:
    """A workspace: its mark, its key, and what is in it."""

    mark: str
    key: str
    cases: list[str] = field(default_factory=list)
    global_ids: list[str] = field(default_factory=list)


class Client:
    """Sends requests with one key, and looks at every row that comes back."""

    def __init__(self, url: str, office: Office) -> None:
        self._line = Line(url)
        self._office = office
        self._strangers = [mark.encode() for mark in MARKS if mark != office.mark]
        self.rows = 0
        self.foreign: list[str] = []

    def ask(self, method, path, body=None):
        """The body of the answer, as JSON."""
        headers = [
            (b"Authorization", b"Bearer " + self._office.key.encode()),
            (b"Content-Type", b"application/json"),
        ]
        content = None if body is None else json.dumps(body).encode()
        request = Request(method, path.encode(), headers, content)
        answer = self._line.ask(request)
        names = NAME.findall(answer.body)
        self.rows += len(names)
        if set(names) - {self._office.mark.encode()} or any(
            mark in answer.body for mark in self._strangers
        ):
            self.foreign.append(f"{self._office.mark}: {request} {answer}")
        assert answer.status < 400, f"{request} {answer}"
        return json.loads(answer.body) if answer.body else None

    def graphql(self, document, **variables):
        body = {"query": document, "variables": variables}
        answer = self.ask(b"POST", "/graphql", body)
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with two_gateways(tmp_path_factory.mktemp("isolation")) as both:
        yield both


@pytest.fixture(scope="module")
def offices(servers):
    server, _ = servers
    server.command("init", "--workspace", "other")
    keys = (server.key, server.make_key("--workspace", "other"), server.make_key("--test"))
    made = [Office(mark, key) for mark, key in zip(MARKS, keys, strict=True)]
    for office in made:
        furnish(server, office)
    return made


def furnish(server, office):
    """The same cases as everywhere else, but for the mark."""
    client = Client(server.url, office)
    for n in range(CASES):
        mark = office.mark
        new = {
            "name": f"{mark} case {n}",
            "fileNumber": f"AZ-2026-{n}",
            "type": "civil",
            "dezernat": f"{mark} department",
            "description": f"{mark} description",
            "parties": [
                {
                    "new": {"name": f"{mark} party {i}"},
                    "role": "client",
                    "reference": f"{mark} reference",
                }
                for i in range(3)
            ],
            "staff": [
                {"new": {"name": f"{mark} staff {i}"}, "role": "clerk", "note": f"{mark} note"}
                for i in range(2)
            ],
        }
        case = client.graphql(CREATE, input=new)["createCase"]["case"]
        office.cases.append(case["uuid"])
        office.global_ids.append(case["id"])
        for related in ("parties", "staff", "timeline"):
            office.global_ids += [node["id"] for node in case[related]["nodes"]]
        office.global_ids += [role["party"]["id"] for role in case["parties"]["nodes"]]
        office.global_ids += [role["staff"]["id"] for role in case["staff"]["nodes"]]
        if n:
            link = client.graphql(LINK, a=office.cases[n - 1], b=case["uuid"])
            office.global_ids.append(link["linkCases"]["link"]["id"])
    assert client.foreign == []


def readings(client, office, strangers, chance):
    """Without end: every way of reading, over both surfaces, in any order."""
    pages = {"f": {}}, {"f": {"search": "case"}}, {"f": {"type": ["civil"]}}
    found = "{ nodes { name cases { nodes { case { name } } } } }"
    party = f"query($s: String) {{ parties(search: $s) {found} }}"
    staff = f"query($s: String) {{ staff(search: $s) {found} }}"
    foreign = [id for other in strangers for id in other.global_ids]

    def page_of(inner):
        wanted = chance.choice(pages)
        document = (
            f"query($f: CaseFilter) {{ cases(first: 30, filter: $f) {{ nodes {{ {inner} }} }} }}"
        )
        client.graphql(document, **wanted)

    def by_number():
        number = f"AZ-2026-{chance.randrange(CASES)}"
        document = f"query($n: String) {{ case(fileNumber: $n) {{ name {PEOPLE} }} }}"
        assert client.graphql(document, n=number)["case"] is not None
        client.graphql(
            "query($f: CaseFilter) { cases(filter: $f) { nodes { name } } }",
            f={"fileNumber": number},
        )

    def nodes():
        own, theirs = chance.sample(office.global_ids, 20), chance.sample(foreign, 20)
        ids = [id for pair in zip(own, theirs, strict=True) for id in pair]
        found = client.graphql(
            f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id {NODE} }} }}", ids=ids
        )
        assert all(found["nodes"][::2])
        assert not any(found["nodes"][1::2])

    def all_pages():
        parameters = f"limit={chance.choice((7, 20))}&search=case"
        cursor, seen = "", Counter()
        while True:
            body = client.ask(b"GET", f"/api/v1/cases?{parameters}{cursor}")
            seen.update(case["id"] for case in body["data"])
            if not body["pagination"]["has_more"]:
                break
            cursor = "&cursor=" + body["pagination"]["cursor"].replace("+", "%2B")
        assert not seen.keys() & {id for other in strangers for id in other.cases}

    rest = ("", "/parties", "/staff", "/timeline", "/links")
    ways = [
        lambda: client.ask(b"GET", "/api/v1/cases?limit=100"),
        all_pages,
        lambda: client.ask(
            b"GET", f"/api/v1/cases/{chance.choice(office.cases)}{chance.choice(rest)}"
        ),
        lambda: page_of(f"name fileNumber dezernat description {PEOPLE}"),
        lambda: page_of(f"name {HISTORY}"),
        lambda: client.graphql(party, s=chance.choice((None, "party"))),
        lambda: client.graphql(staff, s=chance.choice((None, "staff"))),
        by_number,
        nodes,
    ]
    while True:
        yield chance.choice(ways)


def test_interleaved_reads_of_three_workspaces_show_no_foreign_row(servers, offices):
    enough = threading.Event()
    clients = []

    def reading(office, number):
        client = Client(servers[number % 2].url, office)
        clients.append(client)
        chance = random.Random(f"{office.mark} {number}")
        others = [other for other in offices if other is not office]
        for read in readings(client, office, others, chance):
            read()
            if enough.is_set() or sum(one.rows for one in clients) >= ROWS:
                return

    def writing(office):
        client = Client(servers[offices.index(office) % 2].url, office)
        clients.append(client)
        for n in itertools.count():
            if enough.wait(0.005):
                return
            known = office.cases[n % CASES]
            client.graphql(UPDATE, input={"id": known, "name": f"{office.mark} case v{n}"})
            made = client.ask(b"POST", "/api/v1/cases", {"name": f"{office.mark} case new {n}"})
            path = f"/api/v1/cases/{made['id']}"
            client.ask(b"POST", f"{path}/parties", {"name": f"{office.mark} p", "role": "client"})
            link = client.ask(b"POST", f"{path}/links", {"case_id": known})
            client.ask(b"DELETE", f"{path}/links/{link['id']}")
            client.ask(b"DELETE", path)

    with ThreadPoolExecutor(len(offices) * (READERS + 1)) as pool:
        work = [pool.submit(writing, office) for office in offices]
        work += [pool.submit(reading, office, n) for office in offices for n in range(READERS)]
        for done in as_completed(work):
            enough.set()  # or, if one failed, nobody would stop the others
            done.result()

    rows = sum(client.rows for client in clients)
    print(f"\n{rows:,} rows read, {sum(len(client.foreign) for client in clients)} foreign")
    assert [found for client in clients for found in client.foreign] == []
    assert rows >= ROWS
    assert all(client.rows for client in clients)


def test_a_revoked_key_opens_nothing_a_second_later_in_any_process(servers, offices):
    server, _ = servers
    printed = server.command("keys", "create", "lost laptop", "--workspace", "other")
    key = re.search(r"cg_live_\w+", printed)[0]
    headers = {"Authorization": f"Bearer {key}"}
    query = {"query": "{ viewer { mode } }"}
    for each in servers:
        assert httpx2.get(f"{each.url}/api/v1/cases", headers=headers).status_code == 200
        assert httpx2.post(f"{each.url}/graphql", json=query, headers=headers).status_code == 200

    server.command("keys", "revoke", key[8:20])
    time.sleep(1)

    for each in servers:
        assert httpx2.get(f"{each.url}/api/v1/cases", headers=headers).status_code == 401
        assert httpx2.post(f"{each.url}/graphql", json=query, headers=headers).status_code == 401
