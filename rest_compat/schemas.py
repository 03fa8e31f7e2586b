"""The JSON Schema of the values in bodies and answers, for the OpenAPI document.

The domain checks values, with better words; a schema only tells beforehand. What a schema allows,
the domain takes. The domain takes a little more, like names in any script.
"""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from domain import checks
from domain.models import CaseStatus, LinkType, PartyKind, WebhookState
from domain.webhooks.addresses import URL_MAX
from domain.webhooks.registering import QUERY_MAX

_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
_INSIDE = rf"[^{_CONTROLS}\u2028\u2029\u115f-\u1160\u202a-\u202e\u2066-\u2069\u3164\ufeff\uffa0]*"
_SIGN = (
    "[0-9A-Za-z\u00c0-\u02af\u0370-\u0373\u0386-\u03ff\u0400-\u0481\u048a-\u052f\u05d0-\u05ea"
    "\u0620-\u064a\u0904-\u0939\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
)
_LOWER = "a-z\u00df-\u00f6\u00f8-\u00ff"


def _text(longest: int, pattern: str, example: str, **more: Any) -> WithJsonSchema:
    schema = {"type": "string", "maxLength": longest, "pattern": pattern, "examples": [example]}
    return WithJsonSchema(schema | more)


def _line(longest: int, example: str) -> WithJsonSchema:
    return _text(longest, rf"^{_INSIDE}{_SIGN}{_INSIDE}$", example, minLength=1)


def _optional_line(longest: int, example: str) -> WithJsonSchema:
    return _text(longest, rf"^{_INSIDE}$", example)


def _word(example: str) -> WithJsonSchema:
    return _text(checks.WORD_MAX, rf"^[{_LOWER}][0-9{_LOWER}_-]*$", example, minLength=1)


def _one_of(values: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [str(value) for value in values]})


def _id(example: str) -> WithJsonSchema:
    return _text(checks.ID_MAX, "^[!-~]+$", example, minLength=1)


Name = Annotated[str, _line(checks.NAME_MAX, "Müller ./. Weiß")]
FileNumber = Annotated[str, _optional_line(checks.FILE_NUMBER_MAX, "AZ-2026-042")]
Status = Annotated[str, _one_of(CaseStatus)]
CaseType = Annotated[str, _word("litigation")]
Description = Annotated[
    str,
    _text(
        checks.DESCRIPTION_MAX,
        r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
        "Damages after a traffic accident",
    ),
]
Dezernat = Annotated[str, _optional_line(checks.DEZERNAT_MAX, "Mietrecht")]
PartyRole = Annotated[str, _word("client")]
StaffRole = Annotated[str, _word("lead_attorney")]
Kind = Annotated[str, _one_of(PartyKind)]
Reference = Annotated[str, _optional_line(checks.REFERENCE_MAX, "12 C 345/26")]
Note = Annotated[str, _optional_line(checks.NOTE_MAX, "until June")]
Email = Annotated[
    str, _text(checks.EMAIL_MAX, r"^[!-?A-~]+@[!-?A-~]+$", "gross@example.org", format="email")
]
LinkKind = Annotated[str, _one_of(LinkType)]
PartyId = Annotated[str, _id("pty_06H1WM78ZC006191SMN7QH705G")]
StaffId = Annotated[str, _id("usr_06H1WM78ZC006191SMN7QH705G")]
LinkId = Annotated[str, _id("lnk_06H1WM78ZC006191SMN7QH705G")]
WebhookId = Annotated[str, _id("whk_06H1WM78ZC006191SMN7QH705G")]
WebhookUrl = Annotated[
    str,
    _text(
        URL_MAX,
        r"^https://([a-z]{1,40}\.){1,4}[a-z]{2,12}(/[0-9A-Za-z._~-]{0,60}){0,8}$",
        "https://hooks.example.org/casegraph",
        format="uri",
    ),
]
WebhookQuery = Annotated[
    str,
    _text(
        QUERY_MAX,
        # With something to see: an empty one is refused.
        r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*[!-~]"
        r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
        "subscription { caseChanges { cursor node { type case { uuid name } } } }",
    ),
]
EventType = Annotated[str, _word("case_updated")]
ChangeCursor = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9+/]+=*$", "maxLength": 4_000}),
]
State = Annotated[str, _one_of(WebhookState)]
EventId = Annotated[str, _id("evt_06H1WM78ZC006191SMN7QH705G")]
CaseId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "format": "uuid",
            "examples": ["019bc8f0-4c00-7000-8000-0123456789ab"],
        }
    ),
]
Instant = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T09:00:00Z"]}),
]


def schema_of(alias: Any, **more: Any) -> WithJsonSchema:
    """The schema of one of the types above, for a field that may be absent but not null."""
    schema = next(one for one in alias.__metadata__ if isinstance(one, WithJsonSchema))
    return WithJsonSchema({**(schema.json_schema or {}), **more})


def items(least: int, most: int) -> Any:
    """How many items a list has."""
    return Field(json_schema_extra={"minItems": least, "maxItems": most})


def not_empty() -> Any:
    """A list that may be absent, but neither null nor empty."""

    def without_null(schema: dict[str, Any]) -> None:
        listed, _null = schema.pop("anyOf")
        schema.update(listed, minItems=1)
        schema.pop("default", None)

    return Field(json_schema_extra=without_null)


def named_by(*names: str) -> Any:
    """At least one of these members must be there, and not both of the first two."""
    return {
        "anyOf": [{"required": [name]} for name in names],
        "not": {"required": list(names[:2])},
    }
