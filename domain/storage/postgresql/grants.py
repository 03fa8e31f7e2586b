"""What the role that serves may do, where it is not the owner of the tables.

It reads and writes as the API does. It can neither switch the policies off that keep the workspaces
apart, nor name all workspaces at once, nor change or delete an event of a timeline.
"""

import asyncpg

from domain.errors import invalid

_READ = "SELECT"
_KEPT = "SELECT, INSERT, UPDATE"
_ALL = "SELECT, INSERT, UPDATE, DELETE"
TABLES = {
    "alembic_version": _READ,
    "workspace": _READ,
    "api_key": f"{_READ}, UPDATE (last_used_on, seal)",
    "cases": _KEPT,
    "party": _ALL,
    "staff": _ALL,
    "party_alias": _ALL,
    "case_party": _ALL,
    "staff_assignment": _ALL,
    "case_link": _ALL,
    "timeline_event": "SELECT, INSERT",
    "timeline_head": "SELECT, UPDATE",
    "timeline_erasure": _READ,
    "idempotency_key": _ALL,
    "imported": _ALL,
    "search_entry": _ALL,
    "rate_window": _ALL,
    "webhook": _ALL,
    "webhook_delivery": _ALL,
}
FUNCTIONS = (
    "casegraph_candidates(text[], text[])",
    "casegraph_key(text, text)",
    "casegraph_heads()",
    "casegraph_webhooks()",
)
"""The owner's functions that it may call."""

_ROLE = """
    SELECT rolsuper OR rolbypassrls, pg_has_role(rolname, current_user, 'MEMBER')
    FROM pg_roles WHERE rolname = $1"""
_GRANTED = """
    SELECT DISTINCT grantee.rolname
    FROM pg_class, aclexplode(relacl) AS granted, pg_roles AS grantee
    WHERE pg_class.oid = 'cases'::regclass AND granted.privilege_type = 'INSERT'
        AND grantee.oid = granted.grantee AND grantee.oid <> relowner"""
_OWNED = """
    SELECT pg_has_role(current_user, relowner, 'USAGE')
    FROM pg_class WHERE oid = to_regclass('alembic_version')"""


async def grant(connection: asyncpg.Connection, role: str) -> None:
    """Let *role* serve. Raises Invalid for a role that there is not, or that may do more."""
    row = await connection.fetchrow(_ROLE, role)
    if row is None:
        raise invalid(f"There is no role {role}. Create it with: createuser {role}", "app_role")
    if row[0]:
        raise invalid(f"The role {role} is a superuser or has BYPASSRLS.", "app_role")
    if row[1]:
        raise invalid(f"The role {role} is the owner of the tables, or has its rights.", "app_role")
    async with connection.transaction():
        await _grant(connection, role)


async def grant_again(connection: asyncpg.Connection) -> None:
    """Grant what a new schema wants to the roles that served the old one."""
    async with connection.transaction():
        for row in await connection.fetch(_GRANTED):
            await _grant(connection, row[0])


async def may_migrate(connection: asyncpg.Connection) -> bool:
    """Whether the connection's role owns the tables, or there are none yet."""
    return await connection.fetchval(_OWNED) is not False


async def _grant(connection: asyncpg.Connection, role: str) -> None:
    name = '"' + role.replace('"', '""') + '"'
    schema, database = await connection.fetchrow(
        "SELECT quote_ident(current_schema()), quote_ident(current_database())"
    )
    await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {name}")
    await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    for table, privileges in TABLES.items():
        await connection.execute(f"REVOKE ALL ON {table} FROM {name}")
        await connection.execute(f"GRANT {privileges} ON {table} TO {name}")
    for function in FUNCTIONS:
        await connection.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {name}")
