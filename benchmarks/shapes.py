"""The answers of the floors, from rows: the same for both databases."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

Row = Sequence[Any]
People = Mapping[str, list[Any]]
"""Roles of parties or staff, by case."""

_REST_CASE = (
    "id",
    "name",
    "file_number",
    "status",
    "type",
    "description",
    "dezernat",
    "created_at",
    "updated_at",
)


def listed(rows: Sequence[Row], parties: People, staff: People, seal: str) -> Any:
    """Q1: 50 of at most 51 rows."""
    page = rows[:50]
    edges = [
        {
            "node": {
                "id": global_id("Case", id),
                "name": name,
                "fileNumber": file_number,
                "status": status.upper(),
                "type": type,
                "dezernat": dezernat,
                "createdAt": created_at,
                "updatedAt": updated_at,
                "parties": {"nodes": parties[id][:10]},
                "staff": {"nodes": staff[id][:10]},
            }
        }
        for id, name, file_number, status, type, dezernat, created_at, updated_at in page
    ]
    end = cursor(page[-1][0], page[-1][6], seal) if page else None
    return {
        "cases": {"edges": edges, "pageInfo": {"hasNextPage": len(rows) > 50, "endCursor": end}}
    }


def whole(
    row: Row, parties: list[Any], staff: list[Any], links: Iterable[Row], events: Iterable[Row]
) -> Any:
    """Q2: one case with everything."""
    id = row[0]
    return {
        "case": {
            "id": global_id("Case", id),
            "uuid": id,
            "name": row[1],
            "fileNumber": row[2],
            "status": row[3].upper(),
            "type": row[4],
            "description": row[5],
            "dezernat": row[6],
            "createdAt": row[7],
            "updatedAt": row[8],
            "version": row[9],
            "parties": {"nodes": parties},
            "staff": {"nodes": staff},
            "links": {
                "nodes": [
                    {
                        "id": global_id("CaseLink", f"{id}/{link_id}"),
                        "type": kind.upper(),
                        "linkedCase": {
                            "id": global_id("Case", other),
                            "name": name,
                            "fileNumber": file_number,
                            "status": status.upper(),
                        },
                    }
                    for link_id, kind, other, name, file_number, status in links
                ]
            },
            "timeline": {
                "nodes": [
                    {
                        "id": global_id("TimelineEvent", event_id),
                        "seq": seq,
                        "type": kind,
                        "actor": actor,
                        "at": at,
                        "occurredAt": occurred_at,
                        "title": title,
                        "changes": orjson.loads(changes),
                    }
                    for event_id, seq, kind, actor, at, occurred_at, title, changes in events
                ]
            },
        }
    }


def short(rows: Iterable[Row]) -> Any:
    """Q3."""
    return {
        "cases": {
            "nodes": [
                {
                    "id": global_id("Case", id),
                    "name": name,
                    "fileNumber": file_number,
                    "status": status.upper(),
                }
                for id, name, file_number, status in rows
            ]
        }
    }


def met(
    rows: Iterable[Row],
    parties: Mapping[str, list[Row]],
    cases: Mapping[str, Iterable[Row]],
    staff: People,
) -> Any:
    """Q4: *parties* are rows by case, *cases* rows by party."""
    nodes = {
        party_id: [
            {
                "case": {
                    "id": global_id("Case", id),
                    "name": name,
                    "staff": {"nodes": staff[id][:10]},
                }
            }
            for id, name in found
        ]
        for party_id, found in cases.items()
    }
    return {
        "cases": {
            "nodes": [
                {
                    "id": global_id("Case", row[0]),
                    "name": row[1],
                    "parties": {
                        "nodes": [
                            {
                                "role": role,
                                "party": {
                                    "id": global_id("Party", party_id),
                                    "name": name,
                                    "cases": {"nodes": nodes[party_id]},
                                },
                            }
                            for _case_id, role, party_id, name in parties[row[0]][:10]
                        ]
                    },
                }
                for row in rows
            ]
        }
    }


def found(rows: Sequence[Row]) -> Any:
    """Q5 and Q6: 20 of at most 21 rows, each of which tells how many there are in all."""
    return {
        "cases": {
            "totalCount": rows[0][3] if rows else 0,
            "nodes": [
                {"id": global_id("Case", id), "name": name, "fileNumber": file_number}
                for id, name, file_number, _total in rows[:20]
            ],
            "pageInfo": {"hasNextPage": len(rows) > 20},
        }
    }


def counted(rows: Sequence[Row], facets: Sequence[Sequence[Row]], names: Mapping[str, str]) -> Any:
    """Q7: short rows, at most 21 values of each facet and their counts, and the names of staff."""
    return {
        "cases": {
            **short(rows)["cases"],
            "facets": [
                {
                    "field": field,
                    "hasMore": len(values) > 20,
                    "values": [
                        {
                            "value": _facet_value(field, value),
                            "label": names.get(value, value),
                            "count": count,
                        }
                        for value, count in values[:20]
                    ],
                }
                for field, values in zip(FACETS, facets, strict=True)
            ],
        }
    }


FACETS = ("STATUS", "TYPE", "DEZERNAT", "STAFF")


def _facet_value(field: str, value: str) -> str:
    if field == "STAFF":
        return global_id("Staff", value)
    return value.upper() if field == "STATUS" else value


def rest_page(rows: Sequence[Row], objects: list[Any], seal: str) -> Any:
    """R1: at most 51 rows, and the objects of the first 50."""
    pagination: dict[str, Any] = {"has_more": len(rows) > 50}
    if len(rows) > 50:
        pagination["cursor"] = cursor(rows[49][0], rows[49][7], seal)
    return {"data": objects, "pagination": pagination}


def rest(
    rows: Iterable[Row], parties: Mapping[str, list[Row]], staff: Mapping[str, list[Row]]
) -> list[dict[str, Any]]:
    """Case objects of the REST contract; parties and staff are rows by case."""
    return [
        {
            **dict(zip(_REST_CASE, row, strict=True)),
            "parties": [
                {"id": id, "role": role, "name": name}
                for _case_id, role, id, name in parties[row[0]]
            ],
            "staff": [
                {"id": id, "name": name, "role": role} for _case_id, role, id, name in staff[row[0]]
            ],
        }
        for row in rows
    ]


def people(kind: str, rows: Iterable[Row]) -> People:
    """Roles from rows of a case, a role, an id and a name."""
    found: dict[str, list[Any]] = defaultdict(list)
    for case_id, role, id, name in rows:
        found[case_id].append(
            {"role": role, kind.lower(): {"id": global_id(kind, id), "name": name}}
        )
    return found


def people_of_one(kind: str, rows: Iterable[Row]) -> list[Any]:
    """Roles of one case, from rows of a role, an id and a name."""
    name = kind.lower()
    return [
        {"role": role, name: {"id": global_id(kind, id), "name": its_name}}
        for role, id, its_name in rows
    ]


def by_case(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by their first column."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


def cursor(id: str, created_at: str, seal: str) -> str:
    content = orjson.dumps({"id": id, "k": [created_at], "f": seal})
    return base64.b64encode(content).decode()


def global_id(name: str, id: str) -> str:
    return base64.b64encode(f"{name}:{id}".encode()).decode()
