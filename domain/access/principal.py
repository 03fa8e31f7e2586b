"""Who asks, and what they may do: Principal and Scope. Keys themselves are in keys.py."""

from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InsufficientScope
from domain.models import Mode


class Scope(StrEnum):
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    CASES_DELETE = "cases:delete"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: workspace, API key and scopes. Every service method takes one first.

    KeyRing.authenticate makes them from keys. administration.operator makes the command line's,
    since whoever may open the database may do everything.
    """

    workspace_id: int
    workspace_slug: str
    workspace_name: str
    mode: Mode
    key_id: str
    key_name: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Raise InsufficientScope unless this principal holds *scope*."""
        if scope not in self.scopes:
            raise InsufficientScope(scope)
