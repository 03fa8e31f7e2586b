"""The works: what is asked of every server, and with which variables.

What varies from request to request is a variable, as clients send it: a server may remember a
document, but not an answer.
"""

import base64
import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from benchmarks.data import SEED, Firm
from domain import folding
from domain.reading import cursors
from gateway import globalids

NUMBER = "@n@"
"""Stands in a call for the number of the request, where each must be another."""
SAMPLE = 300  # cases that are asked for one at a time
TERMS = 60
BLOCK = 60  # cases whose status one cell toggles
DEEP_PAGE = 1_000
PAGE = 50

Q1 = """query Q1 {
  cases(first: 50) {
    edges {
      node {
        id name fileNumber status type dezernat createdAt updatedAt
        parties(first: 10) { nodes { role party { id name } } }
        staff(first: 10) { nodes { role staff { id name } } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""
Q1_AFTER = Q1.replace("query Q1", "query Q1($after: String!)").replace(
    "first: 50", "first: 50, after: $after"
)
Q2 = """query Q2($id: ID!) {
  case(id: $id) {
    id uuid name fileNumber status type description dezernat createdAt updatedAt version
    parties(first: 10) { nodes { role party { id name } } }
    staff(first: 10) { nodes { role staff { id name } } }
    links(first: 50) { nodes { id type linkedCase { id name fileNumber status } } }
    timeline(first: 20) {
      nodes { id seq type actor at occurredAt title changes { field before after } }
    }
  }
}"""
Q3 = "query Q3 { cases(first: 100) { nodes { id name fileNumber status } } }"
Q4 = """query Q4 {
  cases(first: 20) {
    nodes {
      id name
      parties(first: 10) {
        nodes {
          role
          party {
            id name
            cases(first: 5) {
              nodes { case { id name staff(first: 10) { nodes { role staff { id name } } } } }
            }
          }
        }
      }
    }
  }
}"""
Q5 = """query Q5($term: String!) {
  cases(first: 20, filter: {status: [ACTIVE], search: $term}) {
    totalCount
    nodes { id name fileNumber }
    pageInfo { hasNextPage }
  }
}"""
Q6 = Q5.replace("Q5", "Q6")
Q7 = """query Q7 {
  cases(first: 20) {
    nodes { id name fileNumber status }
    facets(by: [STATUS, TYPE, DEZERNAT, STAFF]) { field hasMore values { value label count } }
  }
}"""
M1 = """mutation M1($input: CreateCaseInput!) {
  createCase(input: $input) {
    case { id uuid name fileNumber version }
    userErrors { code }
  }
}"""
M2 = """mutation M2($input: UpdateCaseInput!) {
  updateCase(input: $input) { case { id status version } userErrors { code } }
}"""

# Strawberry's ListConnection has edges only.
STOCK = {
    "Q1": Q1.replace(
        "nodes { role party { id name } }", "edges { node { role party { id name } } }"
    ).replace("nodes { role staff { id name } }", "edges { node { role staff { id name } } }"),
    "Q2": """query Q2($id: ID!) {
  case(id: $id) {
    id uuid name fileNumber status type description dezernat createdAt updatedAt version
    parties(first: 10) { edges { node { role party { id name } } } }
    staff(first: 10) { edges { node { role staff { id name } } } }
    links(first: 50) { edges { node { id type linkedCase { id name fileNumber status } } } }
    timeline(first: 20) {
      edges {
        node { id seq type actor at occurredAt title changes { field before after } }
      }
    }
  }
}""",
    "Q3": "query Q3 { cases(first: 100) { edges { node { id name fileNumber status } } } }",
    "Q4": """query Q4 {
  cases(first: 20) {
    edges {
      node {
        id name
        parties(first: 10) {
          edges {
            node {
              role
              party {
                id name
                cases(first: 5) {
                  edges {
                    node {
                      case {
                        id name
                        staff(first: 10) { edges { node { role staff { id name } } } }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}""",
}
"""The same questions for the stock server."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of request: a GraphQL document, or a REST route if there is none."""

    name: str
    title: str
    document: str | None = None
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a work: its variables, or its path."""

    variables: dict[str, Any] | None = None
    path: str | None = None


WORKS = (
    Work("Q1", "50 cases with parties and staff", Q1),
    Work("Q2", "one case with everything", Q2),
    Work("Q3", "100 cases, four fields", Q3),
    Work("Q4", "20 cases, their parties, their cases, their staff", Q4),
    Work("Q5", "search, filtered and counted", Q5),
    Work("Q6", "three words of a name and a party, filtered and counted", Q6),
    Work("Q7", "20 cases with four facets", Q7),
    Work("R1", "GET /cases?limit=50"),
    Work("R2", "GET /cases/{id}"),
    Work("Q1p", f"Q1 at page {DEEP_PAGE:,}, or the last one", Q1_AFTER),
    Work("M1", "createCase", M1, writes=True),
    Work("M2", "updateCase", M2, writes=True),
)
BY_NAME = {work.name: work for work in WORKS}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the calls are made of: some of a firm's cases, in no order, and words to search for."""

    case_ids: list[str]
    active_ids: list[str]
    terms: list[str]
    words: list[str]
    deep_cursor: str
    deep_page: int

    @classmethod
    def of(cls, firm: Firm) -> "Sample":
        rng = random.Random(SEED)  # noqa: S311 (the same for everybody, not secret)
        # Immutable: it is read before anybody writes, and no files are left beside it.
        uri = f"{firm.path.as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute(
                "SELECT id, created_at, status, name, file_number FROM cases"
                " WHERE workspace_id = ? AND deleted_at IS NULL"
                " ORDER BY created_at DESC, id DESC",
                [firm.workspace_id],
            ).fetchall()
            # Three words of a case: of its name, and of a party.
            named = connection.execute(
                "SELECT c.name, p.name FROM cases c JOIN case_party e"
                " ON e.workspace_id = c.workspace_id AND e.case_id = c.id JOIN party p"
                " ON p.workspace_id = e.workspace_id AND p.id = e.party_id"
                " WHERE c.workspace_id = ? AND c.status = 'active' AND e.role = 'client'"
                " ORDER BY c.id LIMIT ?",
                [firm.workspace_id, 4 * TERMS],
            ).fetchall()
        words = list(_three_words(named))
        # The last page but one, so that every page that is compared is full.
        page = max(1, min(DEEP_PAGE, len(rows) // PAGE - 1))
        last = rows[(page - 1) * PAGE - 1]
        active = [row for row in rng.sample(rows, len(rows)) if row[2] == "active"]
        return cls(
            case_ids=[row[0] for row in rng.sample(rows, min(SAMPLE, len(rows)))],
            active_ids=[row[0] for row in active],
            terms=list(_terms(active[:TERMS])),
            words=words,
            deep_cursor=cursors.encode((last[1], last[0]), cursors.Seal(firm.seal)),
            deep_page=page,
        )


def calls(work: Work, sample: Sample, cell: int) -> list[Call]:
    """The requests of a cell, to be sent round and round; no two cells write the same."""
    match work.name:
        case "Q2":
            return [Call({"id": globalids.encode("Case", id)}) for id in sample.case_ids]
        case "Q5":
            return [Call({"term": term}) for term in sample.terms]
        case "Q6":
            return [Call({"term": text}) for text in sample.words]
        case "Q1p":
            return [Call({"after": sample.deep_cursor})]
        case "M1":
            number = f"B{cell}-{NUMBER}"
            case = {"name": f"Müller ./. Weiß {NUMBER}", "fileNumber": number, "type": "litigation"}
            return [Call({"input": case})]
        case "M2":
            start = cell * BLOCK % max(1, len(sample.active_ids) - BLOCK)
            ids = [globalids.encode("Case", id) for id in sample.active_ids[start : start + BLOCK]]
            return [
                Call({"input": {"id": id, "status": status}})
                for status in ("CLOSED", "ACTIVE")
                for id in ids
            ]
        case "R1":
            return [Call(path="/api/v1/cases?limit=50")]
        case "R2":
            return [Call(path=f"/api/v1/cases/{id}") for id in sample.case_ids]
    return [Call({})]


def numbered(call: Call, number: str) -> Call:
    """*call* with a number of its own, as the load generator fills it in."""
    if call.variables is None or "input" not in call.variables:
        return call
    given = call.variables["input"].items()
    return Call({"input": {name: value.replace(NUMBER, number) for name, value in given}})


def _terms(rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    """As people search: by one name, by a whole name, by a file number as they type it.

    No word is so short that the index does not have it.
    """
    for index, (_id, _created_at, _status, name, file_number) in enumerate(rows):
        client = name.partition(" ./. ")[0]
        if index % 3 == 0 and file_number:
            yield folding.plain(file_number).replace("-", " ", 1).replace("-", "")
        elif index % 3 == 1 and all(map(_is_long, client.replace("-", " ").split())):
            yield client
        else:
            yield max(filter(str.isalpha, client.replace("-", " ").split()), key=len, default=name)


def _three_words(rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Of a case and a client: two words of the name, and one more of the client."""
    for name, client in rows:
        own = [word for word in name.replace("-", " ").split() if _is_long(word)]
        more = [word for word in client.replace("-", " ").split() if _is_long(word)]
        chosen = dict.fromkeys([*own[-2:], *more])
        if len(chosen) >= 3:
            yield " ".join(list(chosen)[:3])


def _is_long(word: str) -> bool:
    """Whether the index has all of it."""
    return len(word) > 3 and word.isalpha()


def local_id(global_id: str) -> str:
    """The id within its type."""
    return base64.b64decode(global_id).decode().partition(":")[2]
