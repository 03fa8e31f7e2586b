"""Whether the answers are right, before anything is timed.

Each server's answers are taken apart and compared with small statements of this module's own;
then they must be equal, as JSON values, to those of floor (a), and so to each other. One file: a
check for each work.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from benchmarks import works
from benchmarks.databases import raw
from benchmarks.servers import BenchmarkError, Running
from benchmarks.works import PAGE, Call, Sample, Work, local_id
from domain import words
from domain.reading import terms
from domain.reading.terms import MatchRule, Score, Sought

CALLS = 5
"""How many calls of a work are checked; the rest differ in their variables only."""
SEARCH_CALLS = 2
"""The same for a search, whose answer is checked by reading every text of the firm."""
_PAGE = (
    "SELECT id FROM cases WHERE deleted_at IS NULL AND workspace_id = ?"
    " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
)
_PARTIES = (
    "SELECT (SELECT name FROM party p WHERE p.workspace_id = e.workspace_id AND p.id = party_id)"
    " FROM case_party e WHERE workspace_id = ? AND case_id = ? ORDER BY position"
)
_STAFF = (
    "SELECT (SELECT name FROM staff s WHERE s.workspace_id = e.workspace_id AND s.id = staff_id)"
    " FROM staff_assignment e WHERE workspace_id = ? AND case_id = ? ORDER BY position"
)
_TEXTS = (
    "SELECT json_array(c.id, c.created_at, c.name, c.file_number, (SELECT json_group_array("
    "json_array(p.name, r.reference)) FROM case_party r JOIN party p ON p.workspace_id ="
    " r.workspace_id AND p.id = r.party_id WHERE r.workspace_id = c.workspace_id AND r.case_id ="
    " c.id)) FROM cases c WHERE c.workspace_id = ? AND c.deleted_at IS NULL AND c.status = 'active'"
)
"""All that is searched by default."""


def check(
    work: Work, running: list[Running], sample: Sample, cell: int, calls: int = CALLS
) -> dict[str, int]:
    """Check a work on all servers that know it: the bytes of an answer of each.

    Raises BenchmarkError, saying what is wrong with which answer.
    """
    sizes: dict[str, int] = {}
    if work.name in ("Q5", "Q6"):
        calls = min(calls, SEARCH_CALLS)
    for index, planned in enumerate(works.calls(work, sample, cell)[:calls]):
        call = works.numbered(planned, f"check{index}")
        answers: dict[str, Any] = {}
        for one in running:
            name = one.server.name
            # Finished bytes answer one call of each work, and write nothing.
            if not one.server.knows(work) or (name == "finished" and index > 0):
                continue
            body = one.ask(work, call)
            sizes.setdefault(name, len(body))
            answer = orjson.loads(body)
            if isinstance(answer, dict) and "errors" in answer:
                raise BenchmarkError(f"{name} answered {work.name} with {answer['errors']}")
            if name != "finished":
                _check_by_sql(work, call, one, sample, answer)
            if name != "finished" or not work.writes:
                answers[name] = _comparable(work, answer)
        _check_equal(work, answers)
    return sizes


def _check_equal(work: Work, answers: dict[str, Any]) -> None:
    if not answers:
        return
    first = next(iter(answers))
    wanted = "floor" if "floor" in answers else first
    for name, answer in answers.items():
        without_cursor = "stock" in (name, wanted)
        if _without_cursor(answer, without_cursor) != _without_cursor(
            answers[wanted], without_cursor
        ):
            raise BenchmarkError(f"{name} and {wanted} answer {work.name} differently.")


def _comparable(work: Work, answer: Any) -> Any:
    """The answer without what must differ: ids of what was made, positions, edges of nodes only."""
    if work.document:
        answer.pop("extensions", None)
    if work.name == "M1":
        case = dict(answer["data"]["createCase"]["case"])
        return sorted(case), case["name"], case["fileNumber"], case["version"]
    return _nodes(answer) if work.document else answer


def _nodes(value: Any) -> Any:
    if isinstance(value, list):
        return [_nodes(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _nodes(one) for key, one in value.items()}
    edges = made.get("edges")
    if isinstance(edges, list) and all(edge.keys() == {"node"} for edge in edges):
        del made["edges"]
        made["nodes"] = [edge["node"] for edge in edges]
    return made


def _without_cursor(answer: Any, leave_out: bool) -> Any:
    """Stock Strawberry's cursors are numbers, which nobody else's are."""
    if not leave_out or "pageInfo" not in (cases := answer["data"].get("cases", {})):
        return answer
    info = cases["pageInfo"] | {"endCursor": None}
    return {"data": {"cases": {**cases, "pageInfo": info}}}


def _check_by_sql(work: Work, call: Call, one: Running, sample: Sample, answer: Any) -> None:
    # What is only read, the file says that it was copied from.
    with raw(one.firm if work.writes else replace(one.firm, server_url=None)) as connection:
        facts = _Facts(connection, one.firm.workspace_id)
        answer = answer if work.document is None else _nodes(answer)
        try:
            got, wanted = _CHECKS[work.name](facts, call, sample, answer)
        except (KeyError, TypeError, IndexError) as error:
            told = str(answer)[:500]
            raise BenchmarkError(
                f"{one.server.name} answered {work.name} in another shape ({error!r}): {told}"
            ) from error
    if got != wanted:
        raise BenchmarkError(
            f"{one.server.name} answered {work.name} wrongly.\n"
            f"is:        {str(got)[:800]}\nshould be: {str(wanted)[:800]}"
        )


class _Facts:
    """What a database says itself, one small statement at a time."""

    def __init__(self, connection: Any, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def column(self, sql: str, *values: Any) -> list[Any]:
        rows = self._connection.execute(sql, (self._workspace_id, *values))
        return [row[0] for row in rows]

    def row(self, sql: str, *values: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._connection.execute(
            sql, (self._workspace_id, *values)
        ).fetchone()
        return found

    def count(self) -> int:
        counted: int = self.row(
            "SELECT count(*) FROM cases WHERE workspace_id = ? AND deleted_at IS NULL"
        )[0]
        return counted

    def page(self, limit: int, offset: int = 0) -> list[str]:
        return self.column(_PAGE, limit, offset)

    def people(self, case_id: str) -> tuple[list[str], list[str]]:
        return self.column(_PARTIES, case_id), self.column(_STAFF, case_id)


Compared = tuple[Any, Any]


def _names(connection: Any, kind: str) -> list[str]:
    return [role[kind]["name"] for role in connection["nodes"]]


def _people(case: Any) -> tuple[list[str], list[str]]:
    return _names(case["parties"], "party"), _names(case["staff"], "staff")


def _listed(facts: _Facts, page: int, answer: Any) -> Compared:
    found = answer["data"]["cases"]
    got = [(local_id(case["id"]), *_people(case)) for case in found["nodes"]]
    offset = (page - 1) * PAGE
    wanted = [(id, *facts.people(id)) for id in facts.page(PAGE, offset)]
    more = facts.count() > offset + PAGE
    return (got, found["pageInfo"]["hasNextPage"]), (wanted, more)


def _q1(facts: _Facts, _call: Call, _sample: Sample, answer: Any) -> Compared:
    return _listed(facts, 1, answer)


def _q1p(facts: _Facts, _call: Call, sample: Sample, answer: Any) -> Compared:
    return _listed(facts, sample.deep_page, answer)


def _q2(facts: _Facts, call: Call, _sample: Sample, answer: Any) -> Compared:
    assert call.variables is not None
    case = answer["data"]["case"]
    id = local_id(call.variables["id"])
    got = (
        local_id(case["id"]),
        case["fileNumber"],
        case["version"],
        _people(case),
        [local_id(link["linkedCase"]["id"]) for link in case["links"]["nodes"]],
        [(event["seq"], len(event["changes"])) for event in case["timeline"]["nodes"]],
    )
    seqs = facts.column(
        "SELECT json_array(seq, json_array_length(changes)) FROM timeline_event"
        " WHERE workspace_id = ? AND case_id = ? ORDER BY seq DESC",
        id,
    )
    wanted = (
        id,
        *facts.row("SELECT file_number, version FROM cases WHERE workspace_id = ? AND id = ?", id),
        facts.people(id),
        facts.column(
            "SELECT linked_case_id FROM case_link WHERE workspace_id = ? AND case_id = ?"
            " ORDER BY id",
            id,
        ),
        [tuple(orjson.loads(pair)) for pair in seqs],
    )
    return got, wanted


def _q3(facts: _Facts, _call: Call, _sample: Sample, answer: Any) -> Compared:
    got = [local_id(case["id"]) for case in answer["data"]["cases"]["nodes"]]
    return got, facts.page(100)


def _q4(facts: _Facts, _call: Call, _sample: Sample, answer: Any) -> Compared:
    got = [
        (
            local_id(case["id"]),
            [
                (
                    role["party"]["name"],
                    [
                        (local_id(other["case"]["id"]), _names(other["case"]["staff"], "staff"))
                        for other in role["party"]["cases"]["nodes"]
                    ],
                )
                for role in case["parties"]["nodes"]
            ],
        )
        for case in answer["data"]["cases"]["nodes"]
    ]
    wanted = []
    for id in facts.page(20):
        party_ids = facts.column(
            "SELECT party_id FROM case_party WHERE workspace_id = ? AND case_id = ?"
            " ORDER BY position",
            id,
        )
        names = facts.people(id)[0]
        others = [
            facts.column(
                "SELECT case_id FROM case_party WHERE workspace_id = ? AND party_id = ?"
                " ORDER BY case_id DESC LIMIT 5",
                party_id,
            )
            for party_id in party_ids
        ]
        met = [[(other, facts.people(other)[1]) for other in listed] for listed in others]
        wanted.append((id, list(zip(names, met, strict=True))))
    return got, wanted


def _q5(facts: _Facts, call: Call, _sample: Sample, answer: Any) -> Compared:
    assert call.variables is not None
    sought = terms.sought(call.variables["term"])
    scored = []
    for text in facts.column(_TEXTS):
        id, created_at, name, number, parties = orjson.loads(text)
        score = _score(sought, name, number, parties)
        if score is not None:
            scored.append((score, created_at, id))
    ids = [id for _score, _created_at, id in sorted(scored, reverse=True)]
    found = answer["data"]["cases"]
    got = [local_id(case["id"]) for case in found["nodes"]]
    more = found["pageInfo"]["hasNextPage"]
    return (found["totalCount"], got, more), (len(ids), ids[:20], len(ids) > 20)


def _score(sought: Sought, name: str, number: str | None, parties: list[list[str]]) -> int | None:
    """How well a case fits, by the rules and without the index; None if it is not found."""
    own = [(_words(name), False), (_words(number or ""), True)]
    texts = [*own, *((_words(one), False) for one, _reference in parties)]
    texts += [(_words(reference), True) for _name, reference in parties if reference]
    score = Score.WORD
    for term in sought.terms:
        best = [found[0] for text, code in texts if (found := terms.find(term, text, is_code=code))]
        if not best:
            return None
        levels = [
            _LEVELS[one.rule] for text, code in own for one in terms.find(term, text, is_code=code)
        ]
        score = min(score, max(levels, default=Score.OTHER))
    if tuple(word.plain for word in own[1][0]) == sought.words:
        return Score.NUMBER
    return Score.NAME if tuple(word.plain for word in own[0][0]) == sought.words else score


_words = lru_cache(maxsize=None)(words.words)
_LEVELS = {
    MatchRule.NUMBER: Score.WORD,
    MatchRule.WORD: Score.WORD,
    MatchRule.PREFIX: Score.PREFIX,
    MatchRule.SUBSTRING: Score.SUBSTRING,
    MatchRule.FOLDED: Score.FOLDED,
}


def _q7(facts: _Facts, _call: Call, _sample: Sample, answer: Any) -> Compared:
    found = answer["data"]["cases"]
    got = [local_id(case["id"]) for case in found["nodes"]]
    counted = {
        facet["field"]: sorted(value["count"] for value in facet["values"])
        for facet in found["facets"]
    }
    values = {
        field: facts.column(
            f"SELECT {column} FROM cases WHERE workspace_id = ? AND deleted_at IS NULL"  # noqa: S608
        )
        for field, column in (("STATUS", "status"), ("TYPE", "type"), ("DEZERNAT", "dezernat"))
    }
    pairs = facts.column(
        "SELECT DISTINCT e.staff_id || e.case_id FROM staff_assignment e JOIN cases c"
        " ON c.workspace_id = e.workspace_id AND c.id = e.case_id"
        " WHERE e.workspace_id = ? AND c.deleted_at IS NULL"
    )
    values["STAFF"] = [pair[:-36] for pair in pairs]
    wanted = {
        field: sorted(count for _value, count in Counter(some).most_common(20))
        for field, some in values.items()
    }
    return (got, counted), (facts.page(20), wanted)


def _m1(facts: _Facts, call: Call, _sample: Sample, answer: Any) -> Compared:
    assert call.variables is not None
    made = answer["data"]["createCase"]
    case, given = made["case"], call.variables["input"]
    stored = facts.row(
        "SELECT id, name, file_number, type, status, version FROM cases"
        " WHERE workspace_id = ? AND id = ?",
        case["uuid"],
    )
    told = facts.column(_LAST_EVENT)
    answered = (case["name"], case["fileNumber"], case["version"])
    got = (made["userErrors"], local_id(case["id"]), answered, stored, told)
    row = (case["uuid"], given["name"], given["fileNumber"], given["type"], "active", 1)
    answered = (given["name"], given["fileNumber"], 1)
    return got, ([], case["uuid"], answered, row, ["case_created"])


def _m2(facts: _Facts, call: Call, _sample: Sample, answer: Any) -> Compared:
    assert call.variables is not None
    made, given = answer["data"]["updateCase"], call.variables["input"]
    case = made["case"]
    stored = facts.row(
        "SELECT status, version FROM cases WHERE workspace_id = ? AND id = ?",
        local_id(given["id"]),
    )
    told = facts.column(_LAST_EVENT)
    got = (made["userErrors"], case["status"], (case["status"].lower(), case["version"]), told)
    return got, ([], given["status"], stored, ["case_updated"])


_LAST_EVENT = "SELECT type FROM timeline_event WHERE workspace_id = ? ORDER BY seq DESC LIMIT 1"


def _rest_people(case: Any) -> tuple[list[str], list[str]]:
    return [one["name"] for one in case["parties"]], [one["name"] for one in case["staff"]]


def _r1(facts: _Facts, _call: Call, _sample: Sample, answer: Any) -> Compared:
    got = [(case["id"], *_rest_people(case)) for case in answer["data"]]
    wanted = [(id, *facts.people(id)) for id in facts.page(PAGE)]
    more = answer["pagination"]["has_more"]
    return (got, more), (wanted, facts.count() > PAGE)


def _r2(facts: _Facts, call: Call, _sample: Sample, answer: Any) -> Compared:
    assert call.path is not None
    id = call.path.rpartition("/")[2]
    got = (answer["id"], answer["file_number"], _rest_people(answer))
    number = facts.row("SELECT file_number FROM cases WHERE workspace_id = ? AND id = ?", id)
    return got, (id, *number, facts.people(id))


_CHECKS: dict[str, Callable[[_Facts, Call, Sample, Any], Compared]] = {
    "Q1": _q1,
    "Q1p": _q1p,
    "Q2": _q2,
    "Q3": _q3,
    "Q4": _q4,
    "Q5": _q5,
    "Q6": _q5,
    "Q7": _q7,
    "M1": _m1,
    "M2": _m2,
    "R1": _r1,
    "R2": _r2,
}
