"""The revision of a case: a text that is another whenever the case is shown otherwise.

A case's version counts the changes to the case and its roles. Its parties and staff are shown by
name, and have versions of their own, so that renaming a court leaves its ten thousand cases alone.
"""

from functools import cache
from typing import Any

from sqlalchemy import bindparam, func, select

from domain.storage import tables
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch, Prepared


def renames(workspace_id: int, case_id: str) -> Fetch:
    """One row: how often the parties and staff of a case have changed since they were created."""
    return Fetch(_renames(), {"workspace_id": workspace_id, "case_id": case_id})


def revision(version: int, renamed: int) -> str:
    """The revision of a case with this version, and what renames() tells of it: 7, or 7.2."""
    return f"{version}.{renamed}" if renamed else str(version)


async def current(db: Snapshot, workspace_id: int, case_id: str, version: int) -> str:
    """The revision of a case that has this version now."""
    [(renamed,)] = await db.fetch(renames(workspace_id, case_id))
    return revision(version, renamed)


@cache
def _renames() -> Prepared:
    party = _changes(tables.case_party, tables.party, "party_id")
    staff = _changes(tables.staff_assignment, tables.staff, "staff_id")
    return Prepared(select(party + staff))


def _changes(roles: Any, nodes: Any, node_id: str) -> Any:
    joined = roles.join(
        nodes,
        (nodes.c.workspace_id == roles.c.workspace_id) & (nodes.c.id == roles.c[node_id]),
    )
    statement = select(func.coalesce(func.sum(nodes.c.version - 1), 0)).select_from(joined)
    return statement.where(
        roles.c.workspace_id == bindparam("workspace_id"),
        roles.c.case_id == bindparam("case_id"),
    ).scalar_subquery()
