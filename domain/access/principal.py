"""The caller and its permissions: Principal and Scope. The keys themselves are in keys.py."""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import InsufficientScope
from domain.models import Mode


class Scope(StrEnum):
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    CASES_DELETE = "cases:delete"
    WEBHOOKS_WRITE = "webhooks:write"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: workspace, API key and scopes. The first argument of every service method.

    KeyRing.authenticate creates them from keys. administration.operator creates the command
    line's, because anyone who can open the database may do everything.
    """

    workspace_id: int
    workspace_slug: str
    workspace_name: str
    mode: Mode
    key_id: str
    key_name: str
    scopes: frozenset[Scope]
    secret: str = field(repr=False)
    """The workspace's, in hexadecimal."""

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Raise InsufficientScope unless this principal holds *scope*."""
        if scope not in self.scopes:
            raise InsufficientScope(scope)
