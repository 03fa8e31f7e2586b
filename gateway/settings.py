"""The settings, read once from CASEGRAPH_* environment variables; flags of a command win."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from domain.errors import invalid
from gateway.costs import MOST_ROWS

PREFIX = "CASEGRAPH_"


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Each field is CASEGRAPH_ and its name in capitals."""

    database_url: str = "sqlite:///casegraph.db"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    cors_origins: tuple[str, ...] = ()
    rate_limit: int = 6_000
    query_seconds: int = 10
    query_rows: int = MOST_ROWS
    log_level: str = "info"
    log_format: str = "json"
    demo_key: str = ""

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for worker processes."""
        return {
            PREFIX + field.name.upper(): _text(getattr(self, field.name)) for field in fields(self)
        }


DESCRIPTIONS = {
    "database_url": "Where the cases are: sqlite:///path, or just a path.",
    "host": "The address to listen on; 0.0.0.0 for all.",
    "port": "The TCP port to listen on; 0 for any free one.",
    "workers": "How many server processes.",
    "cors_origins": "Origins, separated by commas, whose pages may call the API; * for all.",
    "rate_limit": "Calls a minute that one API key may make in one process.",
    "query_seconds": "How long one query may read before it is stopped.",
    "query_rows": "How many rows one GraphQL operation may read at most.",
    "log_level": "debug (with every SQL statement), info, warning or error.",
    "log_format": "json, or text for people.",
    "demo_key": "A key to fill in on the GraphiQL page. For demonstrations only.",
}


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in *environment*. Raises Invalid for a value that cannot be."""
    found: dict[str, object] = {}
    for field in fields(Settings):
        name = PREFIX + field.name.upper()
        text = environment.get(name)
        if text is None:
            continue
        if field.type in (int, "int"):
            if not text.isdecimal() or len(text) > 9:
                raise invalid(f"{name} must be a whole number, not {text!r}.", field.name)
            found[field.name] = int(text)
        elif field.name == "cors_origins":
            found[field.name] = tuple(part.strip() for part in text.split(",") if part.strip())
        else:
            found[field.name] = text
    return Settings(**found)  # type: ignore[arg-type]


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
