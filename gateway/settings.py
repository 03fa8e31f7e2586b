"""The settings: CASEGRAPH_* environment variables, read once; flags of a command win.

Name, kind, bounds, default and description of each stand together, and nowhere else.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.access.keys import FAILURES_A_MINUTE

PREFIX = "CASEGRAPH_"
MOST = 10**9
_SECRET = ("database_url", "demo_key")
"""Whose values no message repeats: a URL may hold a password."""


class BadSetting(Exception):
    """Settings that cannot be used: a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _count(default: int, description: str, *, least: int = 0, most: int = MOST) -> Any:
    return Field(default, ge=least, le=most, description=description)


def _seconds(default: int, description: str) -> Any:
    return Field(default, ge=1, le=3_600, description=description)


class Settings(BaseModel):
    """What can be set. Each field is CASEGRAPH_ and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite:///casegraph.db",
        description="Where the cases are: sqlite:///path, just a path, or postgresql://...",
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="The address to listen on; 0.0.0.0 for all."
    )
    port: int = _count(8000, "The TCP port to listen on; 0 for any free one.", most=65_535)
    workers: int = _count(1, "How many server processes.", least=1, most=64)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins, separated by commas, whose pages may call the API; * for all.",
    )
    rate_limit: int = _count(
        6_000, "Points a minute that one API key may spend in one process.", least=1
    )
    failed_auth_limit: int = _count(
        FAILURES_A_MINUTE, "Calls with a wrong key that one address may make a minute.", least=1
    )
    query_seconds: int = _seconds(10, "How long one query may read before it is stopped.")
    query_rows: int = _count(200_000, "How many rows one GraphQL operation may read at most.")
    query_depth: int = _count(30, "How many levels of fields one GraphQL document may have.")
    query_tokens: int = _count(1_500, "How many tokens one GraphQL document may have.")
    query_aliases: int = _count(
        200, "How many aliases one GraphQL operation may have, fragments spread out."
    )
    query_directives: int = _count(
        200, "How many directives one GraphQL operation may have, fragments spread out."
    )
    query_duplicates: int = _count(
        2_000, "How many pairs of fields may have one response name at the same place."
    )
    query_objects: int = _count(
        100, "How many input objects may be written in one GraphQL document."
    )
    variable_objects: int = _count(
        250, "How many objects the variables of one GraphQL request may hold."
    )
    variable_values: int = _count(
        2_000, "How many values the variables of one GraphQL request may hold."
    )
    body_bytes: int = _count(1 << 20, "How long the body of a request may be, in bytes.", least=1)
    introspection: bool = Field(
        default=True, description="Whether the schema can be asked for over GraphQL: true or false."
    )
    suggestions: bool = Field(
        default=True,
        description="Whether errors name fields that are spelled alike: true or false.",
    )
    header_seconds: int = _seconds(10, "How long a request may take to send its head.")
    body_seconds: int = _seconds(30, "How long a request may take to send its body.")
    idle_seconds: int = _seconds(30, "How long a connection may wait for the next request.")
    connections: int = _count(1_000, "How many connections one process holds at once.", least=1)
    in_flight: int = _count(
        200, "How many requests one process works on at once; the next get 503."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug (with every SQL statement), info, warning or error."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="json, or text for people."
    )
    demo_key: str = Field(
        default="", description="A key to fill in on the GraphiQL page. For demonstrations only."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

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
    """The settings of the environment. Raises BadSetting for values that cannot be."""
    try:
        return Settings(**dict(_Environment()))
    except ValidationError as error:
        raise _bad(error) from None


def _bad(error: ValidationError) -> BadSetting:
    return BadSetting(
        [
            _sentence(str(problem["loc"][0]), problem["input"])
            for problem in error.errors(include_url=False)
        ]
    )


def _sentence(name: str, value: object) -> str:
    wanted = f"{PREFIX}{name.upper()} must be {_kind(Settings.model_fields[name])}"
    return f"{wanted}." if name in _SECRET else f"{wanted}, not {value!r}."


def _kind(field: FieldInfo) -> str:
    """What a setting may be, as people say it."""
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
    choices = getattr(field.annotation, "__args__", ())
    return f"one of: {', '.join(choices)}" if choices else "a text"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
