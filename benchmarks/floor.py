"""Floor (a): the same answers by hand. What a good engineer writes in an hour without a framework.

One plain statement a table with the sqlite3 module, on the event loop, dicts, orjson. It reads
bodies but no GraphQL: the work is named by the path. Nobody is asked who they are. What it writes
is as durable as what casegraph writes, and the same rows: casegraph verify finds nothing in its
files. One file, as that engineer would have it.
"""

import gc
import hashlib
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvicorn

from benchmarks import searches, shapes
from benchmarks.data import ACTOR
from benchmarks.shapes import global_id
from benchmarks.works import local_id
from domain import folding, ids, instants, words
from domain.reading import search

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CASES = """
    SELECT id, name, file_number, status, type, dezernat, created_at, updated_at FROM cases
    WHERE workspace_id = ? AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 51"""
WHOLE_CASES = """
    SELECT id, name, file_number, status, type, description, dezernat, created_at, updated_at
    FROM cases
    WHERE workspace_id = ? AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 51"""
SHORT_CASES = """
    SELECT id, name, file_number, status FROM cases
    WHERE workspace_id = ? AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ?"""
ONE_CASE = """
    SELECT id, name, file_number, status, type, description, dezernat, created_at, updated_at,
        version
    FROM cases WHERE workspace_id = ? AND id = ? AND deleted_at IS NULL"""
PARTIES = """
    SELECT e.case_id, e.role, p.id, p.name FROM case_party e
    JOIN party p ON p.workspace_id = e.workspace_id AND p.id = e.party_id
    WHERE e.workspace_id = ? AND e.case_id IN ({}) ORDER BY e.case_id, e.position"""
STAFF = """
    SELECT e.case_id, e.role, s.id, s.name FROM staff_assignment e
    JOIN staff s ON s.workspace_id = e.workspace_id AND s.id = e.staff_id
    WHERE e.workspace_id = ? AND e.case_id IN ({}) ORDER BY e.case_id, e.position"""
PARTIES_OF_ONE = """
    SELECT e.role, p.id, p.name FROM case_party e
    JOIN party p ON p.workspace_id = e.workspace_id AND p.id = e.party_id
    WHERE e.workspace_id = ? AND e.case_id = ? ORDER BY e.position LIMIT 10"""
STAFF_OF_ONE = """
    SELECT e.role, s.id, s.name FROM staff_assignment e
    JOIN staff s ON s.workspace_id = e.workspace_id AND s.id = e.staff_id
    WHERE e.workspace_id = ? AND e.case_id = ? ORDER BY e.position LIMIT 10"""
LINKS = """
    SELECT l.id, l.type, c.id, c.name, c.file_number, c.status FROM case_link l
    JOIN cases c ON c.workspace_id = l.workspace_id AND c.id = l.linked_case_id
    WHERE l.workspace_id = ? AND l.case_id = ? AND c.deleted_at IS NULL ORDER BY l.id LIMIT 50"""
TIMELINE = """
    SELECT id, seq, type, actor, at, occurred_at, title, changes
    FROM timeline_event INDEXED BY ix_timeline_event_case
    WHERE workspace_id = ? AND case_id = ? ORDER BY seq DESC LIMIT 20"""
PARTY_CASES = """
    SELECT c.id, c.name FROM case_party e
    JOIN cases c ON c.workspace_id = e.workspace_id AND c.id = e.case_id
    WHERE e.workspace_id = ? AND e.party_id = ? AND c.deleted_at IS NULL
    ORDER BY e.case_id DESC, e.role DESC LIMIT 5"""
FACETS = tuple(
    f"SELECT {value}, {count} FROM cases AS c {joined}"
    f" WHERE c.workspace_id = ? AND c.deleted_at IS NULL GROUP BY {value}"
    f" ORDER BY 2 DESC, {value} IS NULL, {value} LIMIT 21"
    for value, count, joined in (
        ("c.status", "count(*)", ""),
        ("c.type", "count(*)", ""),
        ("c.dezernat", "count(*)", ""),
        (
            "s.staff_id",
            "count(DISTINCT s.case_id)",
            "JOIN staff_assignment AS s ON s.workspace_id = c.workspace_id AND s.case_id = c.id",
        ),
    )
)
NAMES = (
    "SELECT id, name FROM staff WHERE workspace_id = ? AND id IN (SELECT value FROM json_each(?))"
)
INSERT_CASE = """
    INSERT INTO cases (workspace_id, id, name, file_number, status, type, created_at, updated_at,
        version, name_order, number_order, last_position, number_key)
    VALUES (?, ?, ?, ?, 'active', ?, ?, ?, 1, ?, ?, 0, ?)"""
INSERT_ENTRY = """
    INSERT INTO search_entry (workspace_id, kind, id, scope, name, code)
    VALUES (?, 'case', ?, ?, ?, ?)"""
HEAD = "SELECT seq, hash FROM timeline_head WHERE workspace_id = ?"
INSERT_EVENT = """
    INSERT INTO timeline_event (workspace_id, seq, id, case_id, type, actor, at, occurred_at,
        changes, hash, source)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'recorded')"""
UPDATE_HEAD = "UPDATE timeline_head SET seq = ?, hash = ?, at = ? WHERE workspace_id = ?"
STATUS = """
    SELECT status, version FROM cases
    WHERE workspace_id = ? AND id = ? AND deleted_at IS NULL"""
UPDATE_CASE = """
    UPDATE cases SET status = ?, updated_at = ?, version = ? WHERE workspace_id = ? AND id = ?"""


class Floor:
    """The answers of one database, as values for orjson: one method a work."""

    def __init__(self, path: Path, workspace_id: int, seal: str) -> None:
        self.workspace_id = workspace_id
        self.seal = seal
        self.reader = sqlite3.connect(path, isolation_level=None)
        for pragma in (
            "journal_mode=WAL",
            "query_only=1",
            "cache_size=-64000",
            "mmap_size=268435456",
        ):
            self.reader.execute(f"PRAGMA {pragma}")
        self.writer = sqlite3.connect(path, isolation_level=None)
        for pragma in ("synchronous=FULL", "foreign_keys=1", "cache_size=-64000"):
            self.writer.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def answer(self, path: str, variables: dict[str, Any]) -> Any:
        """What is at *path*: the name of a work, or a route."""
        if path == "/api/v1/cases":
            return self.rest_cases()
        if path.startswith("/api/v1/cases/"):
            return self.rest_case(path.rpartition("/")[2])
        return {"data": getattr(self, path[1:].lower())(**variables)}

    def q1(self) -> Any:
        rows = self.reader.execute(CASES, (self.workspace_id,)).fetchall()
        ids = [row[0] for row in rows[:50]]
        parties = shapes.people("Party", self._of_cases(PARTIES, ids))
        staff = shapes.people("Staff", self._of_cases(STAFF, ids))
        return shapes.listed(rows, parties, staff, self.seal)

    def q2(self, id: str) -> Any:
        one = (self.workspace_id, local_id(id))
        row = self.reader.execute(ONE_CASE, one).fetchone()
        if row is None:
            return {"case": None}
        parties = shapes.people_of_one("Party", self.reader.execute(PARTIES_OF_ONE, one))
        staff = shapes.people_of_one("Staff", self.reader.execute(STAFF_OF_ONE, one))
        links = self.reader.execute(LINKS, one).fetchall()
        return shapes.whole(row, parties, staff, links, self.reader.execute(TIMELINE, one))

    def q3(self) -> Any:
        return shapes.short(self.reader.execute(SHORT_CASES, (self.workspace_id, 100)))

    def q4(self) -> Any:
        rows = self.reader.execute(SHORT_CASES, (self.workspace_id, 20)).fetchall()
        parties = shapes.by_case(self._of_cases(PARTIES, [row[0] for row in rows]))
        # One bounded walk a party: a single statement would read all cases of a court.
        cases = {
            party_id: self.reader.execute(PARTY_CASES, (self.workspace_id, party_id)).fetchall()
            for party_id in {row[2] for rows in parties.values() for row in rows[:10]}
        }
        listed = {row[0] for rows in cases.values() for row in rows}
        staff = shapes.people("Staff", self._of_cases(STAFF, [*listed]))
        return shapes.met(rows, parties, cases, staff)

    def q5(self, term: str) -> Any:
        terms, values = searches.asked(self.workspace_id, term)
        return shapes.found(self.reader.execute(searches.for_sqlite(terms), values).fetchall())

    q6 = q5

    def q7(self) -> Any:
        rows = self.reader.execute(SHORT_CASES, (self.workspace_id, 20)).fetchall()
        facets = [self.reader.execute(sql, (self.workspace_id,)).fetchall() for sql in FACETS]
        ids = json.dumps([row[0] for row in facets[-1]])
        names = dict(self.reader.execute(NAMES, (self.workspace_id, ids)))
        return shapes.counted(rows, facets, names)

    def rest_cases(self) -> Any:
        rows = self.reader.execute(WHOLE_CASES, (self.workspace_id,)).fetchall()
        return shapes.rest_page(rows, self._rest(rows[:50]), self.seal)

    def rest_case(self, id: str) -> Any:
        row = self.reader.execute(ONE_CASE, (self.workspace_id, id)).fetchone()
        return self._rest([row[:-1]])[0]

    def m1(self, input: dict[str, Any]) -> Any:
        name, number, type = input["name"], input["fileNumber"], input["type"]
        id, now, plain = ids.new_case_id(), instants.now(), folding.plain(name)
        changes = {"name": name, "file_number": number, "status": "active", "type": type}
        write = self.writer.execute
        write("BEGIN IMMEDIATE")
        try:
            order = (plain[:200], folding.number_order(number)[:200])
            key = folding.number_key(number)
            write(INSERT_CASE, (self.workspace_id, id, name, number, type, now, now, *order, key))
            scope = search.scope(self.workspace_id, "case")
            keys = (scope, words.name(name), words.code(number))
            write(INSERT_ENTRY, (self.workspace_id, id, *keys))
            told = [{"field": key, "before": None, "after": changes[key]} for key in changes]
            self._record("case_created", id, now, told)
            write("COMMIT")
        except sqlite3.IntegrityError:
            write("ROLLBACK")
            errors = [{"code": "FILE_NUMBER_CONFLICT"}]
            return {"createCase": {"case": None, "userErrors": errors}}
        case = {
            "id": global_id("Case", id),
            "uuid": id,
            "name": name,
            "fileNumber": number,
            "version": 1,
        }
        return {"createCase": {"case": case, "userErrors": []}}

    def m2(self, input: dict[str, Any]) -> Any:
        id, status, now = local_id(input["id"]), input["status"].lower(), instants.now()
        write = self.writer.execute
        write("BEGIN IMMEDIATE")
        try:
            before, version = write(STATUS, (self.workspace_id, id)).fetchone()
            if before != status:
                version += 1
                write(UPDATE_CASE, (status, now, version, self.workspace_id, id))
                change = {"field": "status", "before": before, "after": status}
                self._record("case_updated", id, now, [change])
            write("COMMIT")
        except BaseException:
            write("ROLLBACK")
            raise
        case = {"id": input["id"], "status": input["status"], "version": version}
        return {"updateCase": {"case": case, "userErrors": []}}

    def _record(self, kind: str, case_id: str, now: str, changes: list[dict[str, Any]]) -> None:
        seq, last = self.writer.execute(HEAD, (self.workspace_id,)).fetchone()
        seq, event_id, told = seq + 1, ids.new_id(ids.EVENT), orjson.dumps(changes).decode()
        # The subject, the title and who claims to have acted are null, and in the hash.
        content = orjson.dumps(
            [seq, event_id, case_id, None, kind, ACTOR, now, now, None, told, "recorded", None]
        )
        digest = hashlib.sha256(last.encode() + b"\n" + content).hexdigest()
        row = (self.workspace_id, seq, event_id, case_id, kind, ACTOR, now, now, told, digest)
        self.writer.execute(INSERT_EVENT, row)
        self.writer.execute(UPDATE_HEAD, (seq, digest, now, self.workspace_id))

    def _of_cases(self, sql: str, ids: list[str]) -> sqlite3.Cursor:
        places = ",".join("?" * len(ids))
        return self.reader.execute(sql.format(places), (self.workspace_id, *ids))

    def _rest(self, rows: Sequence[shapes.Row]) -> list[dict[str, Any]]:
        ids = [row[0] for row in rows]
        parties = shapes.by_case(self._of_cases(PARTIES, ids))
        return shapes.rest(rows, parties, shapes.by_case(self._of_cases(STAFF, ids)))


def application(floor: Floor) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The bare ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        variables = orjson.loads(body)["variables"] if body else {}
        await send_json(send, orjson.dumps(floor.answer(scope["path"], variables)))

    return app


async def read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    return body


async def send_json(send: Send, content: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def serve(app: Any, port: int) -> None:
    """Serve with the same server and event loop that casegraph runs on."""
    # What was imported for the benchmark's sake is not walked by the collector time and again.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def main(
    database: Annotated[Path, typer.Option()],
    workspace: Annotated[int, typer.Option()],
    seal: Annotated[str, typer.Option()],
    port: Annotated[int, typer.Option()],
) -> None:
    """Serve the floor; started by the benchmark."""
    serve(application(Floor(database, workspace, seal)), port)


if __name__ == "__main__":
    typer.run(main)
