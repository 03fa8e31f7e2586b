"""The settings: CASEGRAPH_* environment variables, read once; a command's flags override them.

The name, type, bounds, default and description of each setting are defined only here.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.access.keys import FAILURES_A_MINUTE
from domain.storage.database import Pooling

PREFIX = "CASEGRAPH_"
MOST = 10**9
SECRET = ("database_url", "read_url", "demo_key", "metrics_token")
"""Settings whose values no message repeats: a URL may hold a password."""


class BadSetting(Exception):
    """Settings that cannot be used, one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _count(default: int, description: str, *, least: int = 0, most: int = MOST) -> Any:
    return Field(default, ge=least, le=most, description=description)


def _seconds(default: int, description: str) -> Any:
    return Field(default, ge=1, le=3_600, description=description)


class Settings(BaseModel):
    """The settings. A field's environment variable is CASEGRAPH_ and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite:///casegraph.db",
        description="The database: sqlite:///path, just a path, or postgresql://...",
    )
    read_url: str = Field(
        default="",
        description="A PostgreSQL standby of the database, to read from: postgresql://...",
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="The address to listen on; 0.0.0.0 for all."
    )
    port: int = _count(8000, "The TCP port to listen on; 0 for any free port.", most=65_535)
    workers: int = _count(1, "How many server processes to run.", least=1, most=64)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated origins whose pages may call the API; * for all.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated addresses or networks of proxies, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; * for all. Nobody's if absent.",
    )
    rate_limit: int = _count(
        6_000, "Points that one API key may spend per minute, in all processes together.", least=1
    )
    failed_auth_limit: int = _count(
        FAILURES_A_MINUTE, "Calls with a wrong key that one address may make per minute.", least=1
    )
    query_seconds: int = _seconds(10, "How long one query may read before it is stopped.")
    query_rows: int = _count(200_000, "The most rows one GraphQL operation may read.")
    query_depth: int = _count(30, "How many levels of fields one GraphQL document may have.")
    query_tokens: int = _count(1_000, "How many tokens one GraphQL document may have.")
    query_aliases: int = _count(
        100, "How many aliases one GraphQL operation may have, with fragments spread out."
    )
    query_directives: int = _count(
        100, "How many directives one GraphQL operation may have, with fragments spread out."
    )
    query_duplicates: int = _count(
        2_000, "How many pairs of fields may share a response name at the same place."
    )
    query_objects: int = _count(64, "How many input objects one GraphQL document may contain.")
    variable_objects: int = _count(
        200, "How many objects the variables of one GraphQL request may contain."
    )
    variable_values: int = _count(
        2_000, "How many values the variables of one GraphQL request may contain."
    )
    answer_mib: int = _count(
        64,
        "How many MiB of finished answers one process keeps for whoever asks again, until their "
        "workspace is written; 0 keeps none.",
    )
    body_bytes: int = _count(1 << 20, "The most bytes the body of a request may have.", least=1)
    documents: str = Field(
        default="",
        description="A manifest of trusted documents, or a folder of manifests, as relay-compiler, "
        "graphql-codegen or Apollo writes them: clients name the documents by their ids.",
    )
    documents_only: bool = Field(
        default=False,
        description="Whether to execute trusted documents only: true or false.",
    )
    persisted_queries: bool = Field(
        default=True,
        description="Whether a document that was sent with its hash can be named by the hash "
        "(automatic persisted queries): true or false.",
    )
    introspection: bool = Field(
        default=True,
        description="Whether clients may query the schema itself, and read the OpenAPI document: "
        "true or false.",
    )
    suggestions: bool = Field(
        default=True,
        description="Whether errors suggest fields with a similar spelling: true or false.",
    )
    graphiql: bool = Field(
        default=True, description="Whether browsers get GraphiQL at /graphql: true or false."
    )
    bypass_policies: bool = Field(
        default=False,
        description="Whether to serve as a PostgreSQL role that row-level policies do not bind, a "
        "superuser or one with BYPASSRLS: true or false.",
    )
    pg_readers: int = _count(
        Pooling().readers, "The most connections on which one process reads PostgreSQL.", least=1
    )
    pg_writers: int = _count(
        Pooling().writers,
        "The most connections on which one process writes to PostgreSQL.",
        least=1,
    )
    pg_statements: int = _count(
        Pooling().statements,
        "How many prepared statements a connection to PostgreSQL keeps; 0 behind a pooler of "
        "transactions, like PgBouncer.",
    )
    header_seconds: int = _seconds(10, "How long a request may take to send its head.")
    body_seconds: int = _seconds(30, "How long a request may take to send its body.")
    idle_seconds: int = _seconds(30, "How long a connection may wait for the next request.")
    connections: int = _count(
        1_000, "How many connections one process keeps open at once.", least=1
    )
    in_flight: int = _count(
        200, "How many requests one process serves at once; further ones get 503."
    )
    subscriptions: int = _count(
        100, "How many subscriptions one API key may have open in one process.", least=1
    )
    webhooks: bool = Field(
        default=True,
        description="Whether this server delivers to webhooks: true or false. Say false where a "
        "copy of the firm's data is served.",
    )
    webhook_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated networks of your own that webhooks may go to, also without "
        "TLS, like 10.1.0.0/16. Other than these, only public addresses, over TLS.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The log level: debug (with every SQL statement), info, warning or error.",
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="The log format: json, or text for people to read."
    )
    metrics_token: str = Field(
        default="",
        pattern=r"^[\x21-\x7e]*$",
        description="The bearer token that /metrics asks for; without one, it answers clients on "
        "this machine only.",
    )
    app: str = Field(
        default="",
        description="A folder with a built single-page app: its index.html is served at /, and "
        "its files below /app.",
    )
    demo_key: str = Field(
        default="",
        description="An API key that the GraphiQL page fills in; only for demonstrations.",
    )

    @field_validator("metrics_token", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ip_network(one)
        return value

    @field_validator("cors_origins", "trusted_proxies", "webhook_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @property
    def pooling(self) -> Pooling:
        return Pooling(self.pg_readers, self.pg_writers, self.pg_statements)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of one's own that webhooks may go to."""
        return tuple(map(ip_network, self.webhook_networks))

    def but(self, **changes: Any) -> Self:
        """A copy with other values. Raises BadSetting."""
        try:
            return type(self)(**{**self.model_dump(), **changes})
        except ValidationError as error:
            raise _bad(error) from None

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for worker processes."""
        return {PREFIX + name.upper(): _text(value) for name, value in self}


class _Environment(Settings, BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")


DESCRIPTIONS = {name: field.description or "" for name, field in Settings.model_fields.items()}


def from_environment() -> Settings:
    """The settings from the environment. Raises BadSetting for values that cannot be used."""
    try:
        return Settings(**dict(_Environment()))
    except ValidationError as error:
        raise _bad(error) from None


def unknown(names: Iterable[str]) -> list[str]:
    """A sentence for each of the environment's *names* that looks like a setting and is none."""
    known = [name.upper() for name in Settings.model_fields]
    # As pydantic-settings takes them, in capitals or not.
    given = {name.upper().removeprefix(PREFIX) for name in names if name.upper().startswith(PREFIX)}
    sentences = []
    for name in sorted(given.difference(known)):
        near = get_close_matches(name, known, 1, 0.7)
        hint = f"Did you mean {PREFIX}{near[0]}?" if near else "Run: casegraph settings"
        sentences.append(f"There is no setting {PREFIX}{name}. {hint}")
    return sentences


def _bad(error: ValidationError) -> BadSetting:
    return BadSetting(
        [
            _sentence(str(problem["loc"][0]), problem["input"])
            for problem in error.errors(include_url=False)
        ]
    )


def _sentence(name: str, value: object) -> str:
    rule = f"{PREFIX}{name.upper()} must be {_kind(Settings.model_fields[name])}"
    return f"{rule}." if name in SECRET else f"{rule}, not {_text(value)!r}."


def _kind(field: FieldInfo) -> str:
    """The values that a setting may have, in words."""
    limits = {
        sign: getattr(rule, sign)
        for rule in field.metadata
        for sign in ("ge", "le")
        if hasattr(rule, sign)
    }
    if field.annotation is int:
        return f"a whole number from {limits['ge']:,} to {limits['le']:,}"
    if field.annotation is bool:
        return "true or false"
    if get_origin(field.annotation) is tuple:
        return "networks, like 10.1.0.0/16"
    if any(getattr(rule, "pattern", None) for rule in field.metadata):
        return "visible ASCII characters without spaces"
    choices = getattr(field.annotation, "__args__", ())
    return f"one of: {', '.join(choices)}" if choices else "a string"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
