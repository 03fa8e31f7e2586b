"""Merging two parties that are one and the same."""

from dataclasses import dataclass, replace

from sqlalchemy import insert, select, update

from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.models import Change, Party
from domain.storage import seals
from domain.storage.database import Database, Transaction
from domain.storage.tables import imported, party_alias
from domain.writing import idempotency, role_rows, rows
from domain.writing.role_rows import PARTY_ROLES, Role
from domain.writing.timeline import NewEvent


@dataclass(frozen=True, slots=True)
class Merged:
    """The party that was kept, and what a merge did, or would do."""

    party: Party
    cases: int
    """Cases in which the kept party now stands for the other."""
    moved: int
    """Roles that the kept party took over."""
    joined: int
    """Roles that both had in one case, which are one now."""


async def merge_parties(
    who: Principal,
    database: Database,
    keep_id: str,
    merge_id: str,
    *,
    dry_run: bool = False,
    idempotency_key: str | None = None,
) -> Merged:
    """Let the party *keep_id* take over every role of the party *merge_id*, which goes.

    A role that both have in a case becomes one; their references are joined. The old id leads to
    the kept party from now on. With *dry_run*, nothing changes. Raises PartyNotFound, Invalid,
    IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    who.require(Scope.CASES_DELETE)
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, "merge_parties", keep_id, merge_id, dry_run
    ) as call:
        db = call.db
        if call.before:
            kept = await rows.party_to_change(db, who, call.before, field=idempotency.FIELD)
            return Merged(kept, 0, 0, 0)
        kept = await rows.party_to_change(db, who, keep_id, field=("keep_id",))
        gone = await rows.party_to_change(db, who, merge_id, field=("merge_id",))
        if kept.id == gone.id:
            check.wrong("These are one and the same party already.", "merge_id")
        check.done()
        steps = await _steps(check, db, who, kept, gone)
        check.done()
        call.result = kept.id
        cases = {was.case_id for was, _both, _now in steps}
        joined = sum(both is not None for _was, both, _now in steps)
        if not dry_run:
            names = {kept.id: kept.name, gone.id: gone.name}
            for case_id in sorted(cases):
                of_case = [step for step in steps if step[0].case_id == case_id]
                changes = [one for step in of_case for one in await _take(db, who, names, *step)]
                event = NewEvent("parties_merged", case_id=case_id, changes=changes)
                call.events.append(event)
                await rows.touch(db, who, await rows.any_case(db, who, case_id))
            call.events += await _replace(db, who, kept, gone)
        return Merged(kept, len(cases), len(steps) - joined, joined)


Step = tuple[Role, Role | None, Role]
"""A role of the party that goes, the kept party's same role in that case if any, and the new."""


async def _steps(
    check: Check, db: Transaction, who: Principal, kept: Party, gone: Party
) -> list[Step]:
    own = {
        (role.case_id, role.role): role
        for role in await role_rows.roles_of_node(db, who, PARTY_ROLES, kept.id)
    }
    steps: list[Step] = []
    for was in await role_rows.roles_of_node(db, who, PARTY_ROLES, gone.id):
        both = own.get((was.case_id, was.role))
        if both is None:
            steps.append((was, None, replace(was, node_id=kept.id)))
            continue
        said = list(dict.fromkeys(one for one in (both.remark, was.remark) if one))
        remark = "; ".join(said) or None
        if remark is not None and len(remark) > PARTY_ROLES.remark_max:
            check.wrong(
                f"In the case {was.case_id} the two references together have more than "
                f"{PARTY_ROLES.remark_max} characters: shorten one first.",
                "merge_id",
            )
        steps.append((was, both, replace(both, remark=remark)))
    return steps


async def _take(
    db: Transaction,
    who: Principal,
    names: dict[str, str],
    was: Role,
    both: Role | None,
    now: Role,
) -> list[Change]:
    """Carry out one step; return how the timeline tells of it."""
    table = PARTY_ROLES
    [before, after] = role_rows.described(table, [was, now], names)
    if both is None:
        await role_rows.update_role(db, who.workspace_id, table, now)
        return [Change(table.field, before, after)]
    await role_rows.delete_roles(db, who.workspace_id, table, [was])
    await role_rows.update_role(db, who.workspace_id, table, now)
    [own] = role_rows.described(table, [both], names)
    changes = [Change(table.field, before, None)]
    return changes if own == after else [*changes, Change(table.field, own, after)]


async def _replace(db: Transaction, who: Principal, kept: Party, gone: Party) -> list[NewEvent]:
    """Remove the party *gone*, and let everything that led to it lead to *kept*."""
    mine = party_alias.c.workspace_id == who.workspace_id
    await db.run(
        update(party_alias).where(mine, party_alias.c.party_id == gone.id).values(party_id=kept.id)
    )
    await rows.remove_register(db, who, "party", gone.id)
    alias = {"workspace_id": who.workspace_id, "id": gone.id, "party_id": kept.id}
    await db.run(insert(party_alias).values(alias))
    marks = (imported.c.workspace_id == who.workspace_id, imported.c.object_id == gone.id)
    for (id,) in await db.rows(select(imported.c.id).where(*marks)):
        row = {"workspace_id": who.workspace_id, "id": id, "object_id": kept.id}
        sealed = seals.sealed(who.secret, imported, row)
        await db.run(update(imported).where(*marks, imported.c.id == id).values(sealed))
    return [
        NewEvent(
            "party_merged",
            subject_id=gone.id,
            changes=[
                Change("name", gone.name, None),
                Change("kind", gone.kind, None),
                Change("merged_into", None, kept.id),
            ],
        ),
        NewEvent("party_absorbed", subject_id=kept.id, changes=[Change("merged", None, gone.id)]),
    ]
