"""Floor (a) on PostgreSQL: the same answers by hand, with asyncpg.

Each read is one transaction of the kind that casegraph reads in: one snapshot, and the workspace
named to the row-level policies. One plain statement a table, with prepared statements, on as many
connections as casegraph reads on. It only reads.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import asyncpg
import orjson
import typer

from benchmarks import floor, searches, shapes
from benchmarks.floor import Receive, Scope, Send, read_body, send_json, serve
from benchmarks.works import local_id
from domain.storage.database import Pooling

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL casegraph.workspace = '{}'"
CASES = """
    SELECT id, name, file_number, status, type, dezernat, created_at, updated_at FROM cases
    WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 51"""
WHOLE_CASES = """
    SELECT id, name, file_number, status, type, description, dezernat, created_at, updated_at
    FROM cases
    WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 51"""
SHORT_CASES = """
    SELECT id, name, file_number, status FROM cases
    WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT $2"""
ONE_CASE = """
    SELECT id, name, file_number, status, type, description, dezernat, created_at, updated_at,
        version
    FROM cases WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"""
PARTIES = """
    SELECT e.case_id, e.role, p.id, p.name FROM case_party e
    JOIN party p ON p.workspace_id = e.workspace_id AND p.id = e.party_id
    WHERE e.workspace_id = $1 AND e.case_id = ANY($2::text[]) ORDER BY e.case_id, e.position"""
STAFF = """
    SELECT e.case_id, e.role, s.id, s.name FROM staff_assignment e
    JOIN staff s ON s.workspace_id = e.workspace_id AND s.id = e.staff_id
    WHERE e.workspace_id = $1 AND e.case_id = ANY($2::text[]) ORDER BY e.case_id, e.position"""
PARTIES_OF_ONE = """
    SELECT e.role, p.id, p.name FROM case_party e
    JOIN party p ON p.workspace_id = e.workspace_id AND p.id = e.party_id
    WHERE e.workspace_id = $1 AND e.case_id = $2 ORDER BY e.position LIMIT 10"""
STAFF_OF_ONE = """
    SELECT e.role, s.id, s.name FROM staff_assignment e
    JOIN staff s ON s.workspace_id = e.workspace_id AND s.id = e.staff_id
    WHERE e.workspace_id = $1 AND e.case_id = $2 ORDER BY e.position LIMIT 10"""
LINKS = """
    SELECT l.id, l.type, c.id, c.name, c.file_number, c.status FROM case_link l
    JOIN cases c ON c.workspace_id = l.workspace_id AND c.id = l.linked_case_id
    WHERE l.workspace_id = $1 AND l.case_id = $2 AND c.deleted_at IS NULL ORDER BY l.id LIMIT 50"""
TIMELINE = """
    SELECT id, seq, type, actor, at, occurred_at, title, changes FROM timeline_event
    WHERE workspace_id = $1 AND case_id = $2 ORDER BY seq DESC LIMIT 20"""
PARTY_CASES = """
    SELECT asked.id, c.id, c.name FROM unnest($2::text[]) AS asked(id), LATERAL (
        SELECT c.id, c.name FROM case_party e
        JOIN cases c ON c.workspace_id = e.workspace_id AND c.id = e.case_id
        WHERE e.workspace_id = $1 AND e.party_id = asked.id AND c.deleted_at IS NULL
        ORDER BY e.case_id DESC, e.role DESC LIMIT 5) AS c"""
FACETS = tuple(sql.replace("?", "$1") for sql in floor.FACETS)
NAMES = "SELECT id, name FROM staff WHERE workspace_id = $1 AND id = ANY($2::text[])"


class Floor:
    """The answers of one database, as values for orjson: one method a work."""

    def __init__(self, url: str, workspace_id: int, seal: str) -> None:
        self.workspace_id = workspace_id
        self.seal = seal
        self._url = url
        self._pool: asyncpg.Pool | None = None

    async def answer(self, path: str, variables: dict[str, Any]) -> Any:
        """What is at *path*: the name of a work, or a route."""
        if self._pool is None:
            most = Pooling().readers
            pool = asyncpg.create_pool(self._url, min_size=most, max_size=most)
            self._pool = await pool
        db = await self._pool.acquire()
        try:
            await db.execute(BEGIN.format(self.workspace_id))
            if path == "/api/v1/cases":
                found = await self.rest_cases(db)
            elif path.startswith("/api/v1/cases/"):
                found = await self.rest_case(db, path.rpartition("/")[2])
            else:
                found = {"data": await getattr(self, path[1:].lower())(db, **variables)}
            await db.execute("COMMIT")
            return found
        finally:
            await self._pool.release(db)

    async def q1(self, db: Any) -> Any:
        rows = await db.fetch(CASES, self.workspace_id)
        ids = [row[0] for row in rows[:50]]
        parties = shapes.people("Party", await db.fetch(PARTIES, self.workspace_id, ids))
        staff = shapes.people("Staff", await db.fetch(STAFF, self.workspace_id, ids))
        return shapes.listed(rows, parties, staff, self.seal)

    async def q2(self, db: Any, id: str) -> Any:
        one = (self.workspace_id, local_id(id))
        row = await db.fetchrow(ONE_CASE, *one)
        if row is None:
            return {"case": None}
        parties = shapes.people_of_one("Party", await db.fetch(PARTIES_OF_ONE, *one))
        staff = shapes.people_of_one("Staff", await db.fetch(STAFF_OF_ONE, *one))
        links = await db.fetch(LINKS, *one)
        return shapes.whole(row, parties, staff, links, await db.fetch(TIMELINE, *one))

    async def q3(self, db: Any) -> Any:
        return shapes.short(await db.fetch(SHORT_CASES, self.workspace_id, 100))

    async def q4(self, db: Any) -> Any:
        rows = await db.fetch(SHORT_CASES, self.workspace_id, 20)
        ids = [row[0] for row in rows]
        parties = shapes.by_case(await db.fetch(PARTIES, self.workspace_id, ids))
        wanted = {row[2] for rows in parties.values() for row in rows[:10]}
        found = shapes.by_case(await db.fetch(PARTY_CASES, self.workspace_id, [*wanted]))
        cases = {id: [(row[1], row[2]) for row in found[id]] for id in wanted}
        listed = {row[0] for rows in cases.values() for row in rows}
        staff = shapes.people("Staff", await db.fetch(STAFF, self.workspace_id, [*listed]))
        return shapes.met(rows, parties, cases, staff)

    async def q5(self, db: Any, term: str) -> Any:
        terms, values = searches.asked(self.workspace_id, term)
        sql, names = searches.for_postgresql(terms)
        return shapes.found(await db.fetch(sql, *searches.ordered(values, names)))

    q6 = q5

    async def q7(self, db: Any) -> Any:
        rows = await db.fetch(SHORT_CASES, self.workspace_id, 20)
        facets = [await db.fetch(sql, self.workspace_id) for sql in FACETS]
        ids = [row[0] for row in facets[-1]]
        names = dict(await db.fetch(NAMES, self.workspace_id, ids))
        return shapes.counted(rows, facets, names)

    async def rest_cases(self, db: Any) -> Any:
        rows = await db.fetch(WHOLE_CASES, self.workspace_id)
        return shapes.rest_page(rows, await self._rest(db, rows[:50]), self.seal)

    async def rest_case(self, db: Any, id: str) -> Any:
        row = await db.fetchrow(ONE_CASE, self.workspace_id, id)
        return (await self._rest(db, [row[:-1]]))[0]

    async def _rest(self, db: Any, rows: Sequence[shapes.Row]) -> list[dict[str, Any]]:
        ids = [row[0] for row in rows]
        parties = shapes.by_case(await db.fetch(PARTIES, self.workspace_id, ids))
        staff = shapes.by_case(await db.fetch(STAFF, self.workspace_id, ids))
        return shapes.rest(rows, parties, staff)


def application(floor: Floor) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The bare ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        variables = orjson.loads(body)["variables"] if body else {}
        await send_json(send, orjson.dumps(await floor.answer(scope["path"], variables)))

    return app


def main(
    database: Annotated[str, typer.Option()],
    workspace: Annotated[int, typer.Option()],
    seal: Annotated[str, typer.Option()],
    port: Annotated[int, typer.Option()],
) -> None:
    """Serve the floor; started by the benchmark."""
    serve(application(Floor(database, workspace, seal)), port)


if __name__ == "__main__":
    typer.run(main)
