"""Clients that write without a pause, over both surfaces, and keep a ledger of the answers."""

import itertools
import random
import threading
import time

import orjson

from tests.fault.ledgers import Attempt, Ledger, Request, State
from tests.fault.servers import Gateway
from tests.fault.wires import Wire

_CREATE = (
    "mutation($input: CreateCaseInput!) { createCase(input: $input) {"
    " case { uuid } userErrors { code message } } }"
)
_UPDATE = (
    "mutation($input: UpdateCaseInput!) { updateCase(input: $input) {"
    " case { uuid } userErrors { code message } } }"
)
_ADD = (
    "mutation($input: AddCasePartiesInput!) { addCaseParties(input: $input) {"
    " case { uuid } userErrors { code message } } }"
)
_LINK = (
    "mutation($input: LinkCasesInput!) { linkCases(input: $input) {"
    " link { databaseId } userErrors { code message } } }"
)
_DELETE = (
    "mutation($input: DeleteCaseInput!) { deleteCase(input: $input) {"
    " case { uuid } userErrors { code message } } }"
)
_STATUSES = ("active", "closed", "archived")
_LENGTHS = (0, 300, 9_000)
"""Of descriptions: some are long, so that the log is checkpointed every few dozen writes."""
RECENT = 40


def graphql(document: str, given: dict[str, object], key: str | None = None) -> Request:
    if key is not None:
        given = {**given, "idempotencyKey": key}
    body = orjson.dumps({"query": document, "variables": {"input": given}})
    return Request("POST", "/graphql", body, key)


def rest(method: str, path: str, given: object = None, key: str | None = None) -> Request:
    body = b"" if given is None else orjson.dumps(given)
    return Request(method, f"/api/v1/cases{path}", body, key)


class Load(threading.Thread):
    """One client. It ends when it is told to, or when the gateway is no longer there."""

    def __init__(self, server: Gateway, ledger: Ledger, name: str) -> None:
        super().__init__(daemon=True)
        self.ledger = ledger
        self.surprises: list[str] = []
        self._server = server
        self._random = random.Random(name)
        self._name = name
        self._count = itertools.count()
        self._ended = threading.Event()
        self._ways = {
            self._create: 30,
            self._create_bare: 15,
            self._update: 25,
            self._add_parties: 15,
            self._link: 8,
            self._unlink: 4,
            self._delete: 5,
        }

    def end(self) -> None:
        self._ended.set()
        self.join(60)
        assert not self.is_alive()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with Wire(self._server) as wire:
                    for attempt in [one for one in self.ledger.doubts if one.request.key]:
                        self._send(wire, attempt)
                    while not self._ended.is_set():
                        [way] = self._random.choices([*self._ways], [*self._ways.values()])
                        if attempt := way():
                            self._send(wire, attempt)
            except (OSError, EOFError):
                time.sleep(0.01)

    def _send(self, wire: Wire, attempt: Attempt) -> None:
        method, path, body, key = attempt.request
        if attempt not in self.ledger.doubts:
            self.ledger.doubts.append(attempt)
        more = [f"Idempotency-Key: {key}"] if key and path != "/graphql" else []
        answer = wire.ask(method, path, body, *more)
        found = answer.json() if answer.body else {}
        if path == "/graphql" and "errors" not in found:
            [found] = found["data"].values()
        if answer.status >= 300 or found.get("errors") or found.get("userErrors"):
            self.surprises.append(f"{answer.status} {found} for {attempt}")
            self._ended.set()
            return
        self._note(attempt, found)

    def _note(self, attempt: Attempt, found: dict) -> None:
        self.ledger.doubts.remove(attempt)
        self.ledger.acknowledged += 1
        self.ledger.known.update(attempt.after)
        if attempt.made:
            id = found["case"]["uuid"] if "case" in found else found["id"]
            self.ledger.known[id] = attempt.made[1]
        elif len(attempt.after) == 2 and ("link" in found or "linked_case" in found):
            id = found["link"]["databaseId"] if "link" in found else found["id"]
            first, second = attempt.after
            self.ledger.links[id] = first, second

    def _new_name(self) -> str:
        return f"{self._name} {next(self._count)}"

    def _some(self, count: int) -> list[str]:
        """Cases of its own that are there for certain."""
        doubtful = self.ledger.doubtful()
        recent = itertools.islice(reversed(self.ledger.known.items()), RECENT)
        there = [id for id, state in recent if not state.deleted and id not in doubtful]
        return self._random.sample(there, min(count, len(there)))

    def _changed(self, request: Request, changes: dict[str, dict[str, object]]) -> Attempt:
        before = {id: self.ledger.known[id] for id in changes}
        after = {
            id: before[id]._replace(**{"version": before[id].version + 1} | more)
            for id, more in changes.items()
        }
        return Attempt(request, before, after)

    def _create(self) -> Attempt:
        name = self._new_name()
        parties, staff = self._random.randint(0, 3), self._random.randint(0, 2)
        given = {
            "name": name,
            "description": "x" * self._random.choice(_LENGTHS),
            "parties": [{"new": {"name": f"party {n}"}, "role": "client"} for n in range(parties)],
            "staff": [{"new": {"name": f"staff {n}"}, "role": "clerk"} for n in range(staff)],
        }
        made = name, State(parties=parties, staff=staff)
        return Attempt(graphql(_CREATE, given, f"key {name}"), made=made)

    def _create_bare(self) -> Attempt:
        name = self._new_name()
        given = {"name": name, "description": "x" * self._random.choice(_LENGTHS)}
        key = self._random.choice([f"key {name}", None])
        return Attempt(rest("POST", "", given, key), made=(name, State()))

    def _update(self) -> Attempt | None:
        for id in self._some(1):
            now = self.ledger.known[id].status
            status = self._random.choice([one for one in _STATUSES if one != now])
            request = self._random.choice(
                [
                    rest("PUT", f"/{id}", {"status": status}),
                    graphql(_UPDATE, {"id": id, "status": status.upper()}),
                ]
            )
            return self._changed(request, {id: {"status": status}})
        return None

    def _add_parties(self) -> Attempt | None:
        for id in self._some(1):
            names = [self._new_name() for _ in range(self._random.randint(1, 3))]
            key = self._random.choice([f"key {names[0]}", None])
            request = self._random.choice(
                [
                    rest(
                        "POST",
                        f"/{id}/parties",
                        [{"name": name, "role": "witness"} for name in names],
                        key,
                    ),
                    graphql(
                        _ADD,
                        {
                            "caseId": id,
                            "parties": [{"new": {"name": n}, "role": "witness"} for n in names],
                        },
                        key,
                    ),
                ]
            )
            return self._changed(request, {id: {"parties": self._count_of(id, len(names))}})
        return None

    def _count_of(self, id: str, more: int) -> int:
        return self.ledger.known[id].parties + more

    def _link(self) -> Attempt | None:
        match self._some(2):
            case [one, other] if not self._linked(one, other):
                request = self._random.choice(
                    [
                        rest("POST", f"/{one}/links", {"target_case_id": other, "type": "related"}),
                        graphql(_LINK, {"caseId": one, "linkedCaseId": other, "type": "RELATED"}),
                    ]
                )
                changes: dict[str, dict[str, object]] = {
                    id: {"links": self.ledger.known[id].links + 1} for id in (one, other)
                }
                return self._changed(request, changes)
        return None

    def _linked(self, one: str, other: str) -> bool:
        """Whether they are, or may be: of a link that nobody acknowledged the id is not known."""
        known = self.ledger.known
        return known[one].links > 0 and known[other].links > 0

    def _unlink(self) -> Attempt | None:
        doubtful = self.ledger.doubtful()
        for id, ends in reversed(self.ledger.links.items()):
            gone = any(self.ledger.known[end].deleted or end in doubtful for end in ends)
            if not gone:
                del self.ledger.links[id]
                changes: dict[str, dict[str, object]] = {
                    end: {"links": self.ledger.known[end].links - 1} for end in ends
                }
                return self._changed(rest("DELETE", f"/{ends[0]}/links/{id}"), changes)
        return None

    def _delete(self) -> Attempt | None:
        for id in self._some(1):
            state = self.ledger.known[id]
            links = {link: ends for link, ends in self.ledger.links.items() if id in ends}
            others = [end for ends in links.values() for end in ends if end != id]
            if len(links) != state.links or self.ledger.doubtful() & set(others):
                return None  # of a link that nobody acknowledged the other end is not known
            for link in links:
                del self.ledger.links[link]
            # Each link goes with a new version of both cases.
            changes: dict[str, dict[str, object]] = {
                end: {
                    "links": self.ledger.known[end].links - others.count(end),
                    "version": self.ledger.known[end].version + others.count(end),
                }
                for end in others
            }
            version = state.version + 1 + len(links)
            changes[id] = {"deleted": True, "links": 0, "version": version}
            request = self._random.choice([rest("DELETE", f"/{id}"), graphql(_DELETE, {"id": id})])
            return self._changed(request, changes)
        return None
