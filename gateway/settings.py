"""The settings, read once from CASEGRAPH_* environment variables; flags of a command win."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from domain.access.keys import FAILURES_A_MINUTE
from domain.errors import invalid

PREFIX = "CASEGRAPH_"
_BOOLEANS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Each field is CASEGRAPH_ and its name in capitals."""

    database_url: str = "sqlite:///casegraph.db"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    cors_origins: tuple[str, ...] = ()
    rate_limit: int = 6_000
    failed_auth_limit: int = FAILURES_A_MINUTE
    query_seconds: int = 10
    query_rows: int = 200_000
    query_depth: int = 30
    query_tokens: int = 1_500
    query_aliases: int = 200
    query_directives: int = 200
    query_duplicates: int = 2_000
    query_objects: int = 100
    variable_objects: int = 250
    variable_values: int = 2_000
    body_bytes: int = 1 << 20
    introspection: bool = True
    suggestions: bool = True
    header_seconds: int = 10
    body_seconds: int = 30
    idle_seconds: int = 30
    connections: int = 1_000
    in_flight: int = 200
    log_level: str = "info"
    log_format: str = "json"
    demo_key: str = ""

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for worker processes."""
        return {
            PREFIX + field.name.upper(): _text(getattr(self, field.name)) for field in fields(self)
        }


DESCRIPTIONS = {
    "database_url": "Where the cases are: sqlite:///path, just a path, or postgresql://...",
    "host": "The address to listen on; 0.0.0.0 for all.",
    "port": "The TCP port to listen on; 0 for any free one.",
    "workers": "How many server processes.",
    "cors_origins": "Origins, separated by commas, whose pages may call the API; * for all.",
    "rate_limit": "Points a minute that one API key may spend in one process.",
    "failed_auth_limit": "Calls with a wrong key that one address may make a minute.",
    "query_seconds": "How long one query may read before it is stopped.",
    "query_rows": "How many rows one GraphQL operation may read at most.",
    "query_depth": "How many levels of fields one GraphQL document may have.",
    "query_tokens": "How many tokens one GraphQL document may have.",
    "query_aliases": "How many aliases one GraphQL operation may have, fragments spread out.",
    "query_directives": "How many directives one GraphQL operation may have, fragments spread out.",
    "query_duplicates": "How many pairs of fields may have one response name at the same place.",
    "query_objects": "How many input objects may be written in one GraphQL document.",
    "variable_objects": "How many objects the variables of one GraphQL request may hold.",
    "variable_values": "How many values the variables of one GraphQL request may hold.",
    "body_bytes": "How long the body of a request may be.",
    "introspection": "Whether the schema can be asked for over GraphQL: true or false.",
    "suggestions": "Whether errors name fields that are spelled alike: true or false.",
    "header_seconds": "How long a request may take to send its head.",
    "body_seconds": "How long a request may take to send its body.",
    "idle_seconds": "How long a connection may wait for the next request.",
    "connections": "How many connections one process holds at once.",
    "in_flight": "How many requests one process works on at once; the next get 503.",
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
        elif field.type in (bool, "bool"):
            if text.lower() not in _BOOLEANS:
                raise invalid(f"{name} must be true or false, not {text!r}.", field.name)
            found[field.name] = _BOOLEANS[text.lower()]
        elif field.name == "cors_origins":
            found[field.name] = tuple(part.strip() for part in text.split(",") if part.strip())
        else:
            found[field.name] = text
    return Settings(**found)  # type: ignore[arg-type]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
