"""Reading request bodies. This module checks their shape; the domain checks their values.

Shapes that the documentation leaves open are accepted: a list of parties may be {"parties":
[...]}, a bare list, or one object.
"""

from dataclasses import fields
from itertools import islice
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request

from domain.errors import Invalid, Problem, invalid
from domain.inputs import (
    UNSET,
    CaseChanges,
    NewCase,
    NewParty,
    NewStaff,
    NewWebhook,
    PartyRole,
    Seen,
    StaffRole,
    Unclear,
    WebhookChanges,
)
from domain.models import CaseStatus, LinkType, PartyKind
from domain.webhooks.registering import MOST_EVENTS
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES
from rest_compat import schemas
from rest_compat.errors import MAX_DETAILS, Unreadable
from rest_compat.parameters import single
from rest_compat.schemas import (
    CaseId,
    CaseType,
    Description,
    Dezernat,
    Email,
    FileNumber,
    Instant,
    Kind,
    LinkKind,
    Name,
    Note,
    PartyId,
    Reference,
    StaffId,
    Status,
    items,
    named_by,
    not_empty,
    schema_of,
)

T = TypeVar("T")


class Body(BaseModel):
    """A JSON object with known fields only, each of the right type without conversion."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PartyItem(Body):
    """A party by id, or a new one by name. An id never renames its party.

    Its role keeps its reference if none is mentioned; null clears it. added_at is not changed.
    """

    model_config = ConfigDict(json_schema_extra=named_by("id", "party_id", "name"))

    id: Annotated[str | None, schema_of(PartyId)] = None
    party_id: Annotated[str | None, schema_of(PartyId)] = None
    name: Annotated[str | None, schema_of(Name)] = None
    type: Kind | None = None
    role: schemas.PartyRole
    reference: Reference | None = None
    added_at: Instant | None = None

    def to_domain(self) -> PartyRole:
        reference = self.reference if "reference" in self.model_fields_set else UNSET
        party: str | NewParty | Unclear | None = _one_id(self.id, self.party_id)
        if party is None and self.name is not None:
            party = NewParty(self.name, self.type or PartyKind.PERSON)
        return PartyRole(party or _NOBODY, self.role, reference)


class StaffItem(Body):
    """A staff member by id, or a new one by name. assigned_at is not changed."""

    model_config = ConfigDict(json_schema_extra=named_by("id", "staff_id", "name"))

    id: Annotated[str | None, schema_of(StaffId)] = None
    staff_id: Annotated[str | None, schema_of(StaffId)] = None
    name: Annotated[str | None, schema_of(Name)] = None
    email: Email | None = None
    role: schemas.StaffRole
    note: Note | None = None
    assigned_at: Instant | None = None

    def to_domain(self) -> StaffRole:
        note = self.note if "note" in self.model_fields_set else UNSET
        staff: str | NewStaff | Unclear | None = _one_id(self.id, self.staff_id)
        if staff is None and self.name is not None:
            staff = NewStaff(self.name, self.email)
        return StaffRole(staff or _NOBODY, self.role, note)


_NOBODY = Unclear("id or name must be given.")


class CaseCreate(Body):
    """A case, with its parties and staff if they are given: all of it or nothing."""

    name: Name
    file_number: FileNumber | None = None
    status: Status = CaseStatus.ACTIVE
    type: CaseType | None = None
    description: Description | None = None
    dezernat: Dezernat | None = None
    parties: Annotated[list[PartyItem], items(0, PARTY_ROLES.most)] = []
    staff: Annotated[list[StaffItem], items(0, STAFF_ROLES.most)] = []

    def to_domain(self) -> NewCase:
        fields = {name: getattr(self, name) for name in _FIELDS}
        parties = [item.to_domain() for item in self.parties]
        return NewCase(**fields, parties=parties, staff=[item.to_domain() for item in self.staff])


class SeenRole(Body):
    """A party or staff member as the case object shows them."""

    id: str
    role: str
    name: str


class CaseUpdate(Body):
    """Only included fields are updated; null clears an optional one.

    The other fields of the case object may be sent back as they are.
    """

    name: Annotated[str | None, schema_of(Name)] = None
    file_number: FileNumber | None = None
    status: Annotated[str | None, schema_of(Status)] = None
    type: CaseType | None = None
    description: Description | None = None
    dezernat: Dezernat | None = None
    id: Annotated[str | None, schema_of(CaseId, readOnly=True)] = None
    created_at: Annotated[str | None, schema_of(Instant, readOnly=True)] = None
    updated_at: Annotated[str | None, schema_of(Instant, readOnly=True)] = None
    parties: Annotated[list[SeenRole] | None, Field(json_schema_extra={"readOnly": True})] = None
    staff: Annotated[list[SeenRole] | None, Field(json_schema_extra={"readOnly": True})] = None

    def to_domain(self) -> tuple[CaseChanges, Seen]:
        given = {name: getattr(self, name) for name in self.model_fields_set}
        for name in given.keys() & {"parties", "staff"}:
            given[name] = given[name] and [(one.id, one.role, one.name) for one in given[name]]
        changes = CaseChanges(**{name: given[name] for name in given.keys() & set(_FIELDS)})
        return changes, Seen(**{name: given[name] for name in given.keys() - set(_FIELDS)})


_FIELDS = tuple(field.name for field in fields(CaseChanges))


class StaffReference(Body):
    """A staff member by id. The role stands beside the list, since it applies to all of it."""

    model_config = ConfigDict(json_schema_extra=named_by("id", "staff_id"))

    id: Annotated[str | None, schema_of(StaffId)] = None
    staff_id: Annotated[str | None, schema_of(StaffId)] = None


class StaffRemoval(Body):
    """The staff to remove from a case, from one role or from all."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["staff_id"]},
                {"required": ["staff_ids"]},
                {"required": ["staff"]},
            ]
        }
    )

    staff_id: Annotated[str | None, schema_of(StaffId)] = None
    staff_ids: Annotated[list[Annotated[str, schema_of(StaffId)]] | None, not_empty()] = None
    staff: Annotated[list[StaffReference] | None, not_empty()] = None
    role: schemas.StaffRole | None = None


class LinkCreate(Body):
    """The case to link to, under any one of three names, and what it is to this case."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["target_case_id"]},
                {"required": ["linked_case_id"]},
                {"required": ["case_id"]},
            ]
        }
    )

    target_case_id: Annotated[str | None, schema_of(CaseId)] = None
    linked_case_id: Annotated[str | None, schema_of(CaseId)] = None
    case_id: Annotated[str | None, schema_of(CaseId)] = None
    type: LinkKind = LinkType.RELATED

    @property
    def field(self) -> str:
        """The field that named the other case."""
        names = ("target_case_id", "linked_case_id", "case_id")
        return next((name for name in names if getattr(self, name) is not None), names[0])

    def target(self) -> str:
        given = {self.target_case_id, self.linked_case_id, self.case_id} - {None}
        if len(given) != 1:
            raise invalid("target_case_id must name one case.", "target_case_id")
        return str(given.pop())


class WebhookCreate(Body):
    """An address that is to be told of changes."""

    url: schemas.WebhookUrl
    events: Annotated[list[schemas.EventType] | None, items(1, MOST_EVENTS)] = None
    query: schemas.WebhookQuery | None = None
    after: schemas.ChangeCursor | None = None

    def to_domain(self) -> NewWebhook:
        return NewWebhook(self.url, self.events, self.query, self.after)


class WebhookUpdate(Body):
    """Only included fields are changed. A null for events or query is for all, or the usual one."""

    url: Annotated[str | None, schema_of(schemas.WebhookUrl)] = None
    events: Annotated[list[schemas.EventType] | None, items(1, MOST_EVENTS)] = None
    query: schemas.WebhookQuery | None = None
    state: Annotated[str | None, schema_of(schemas.State)] = None
    after: schemas.ChangeCursor | None = None

    def to_domain(self) -> WebhookChanges:
        return WebhookChanges(**{name: getattr(self, name) for name in self.model_fields_set})


async def read_case(request: Request) -> NewCase:
    return _validated(CaseCreate, await _json(request)).to_domain()


async def read_changes(request: Request) -> tuple[CaseChanges, Seen]:
    return _validated(CaseUpdate, await _json(request)).to_domain()


async def read_parties(request: Request) -> list[PartyRole]:
    parties = _validated(list[PartyItem], _unwrapped(await _json(request), "parties"), "parties")
    return [item.to_domain() for item in parties]


async def read_staff(request: Request) -> list[StaffRole]:
    staff = _validated(list[StaffItem], _unwrapped(await _json(request), "staff"), "staff")
    return [item.to_domain() for item in staff]


async def read_link(request: Request) -> LinkCreate:
    return _validated(LinkCreate, await _json(request))


async def read_webhook(request: Request) -> NewWebhook:
    return _validated(WebhookCreate, await _json(request)).to_domain()


async def read_webhook_changes(request: Request) -> WebhookChanges:
    return _validated(WebhookUpdate, await _json(request)).to_domain()


async def read_removal(request: Request) -> tuple[list[str], str | None]:
    """The staff to remove from a case, and the role if not all roles.

    They come from ?staff_id= (repeatable) and ?role=, or else from a body.
    """
    role = single(request, "role")
    if query_ids := [id for id in request.query_params.getlist("staff_id") if id]:
        return query_ids, role
    content = await _json(request)
    if isinstance(content, list):
        content = {"staff": content}
    if isinstance(content, dict) and isinstance(content.get("staff"), list):
        named = [{"id": one} if isinstance(one, str) else one for one in content["staff"]]
        content = {**content, "staff": named}
    removal = _validated(StaffRemoval, content)
    lists = [removal.staff_id, removal.staff_ids, removal.staff]
    if sum(one is not None for one in lists) != 1:
        raise invalid("staff_id, staff_ids or staff must be given.", "staff_id")
    if removal.role is not None and role is not None and removal.role != role:
        raise invalid("The two roles must be the same.", "role")
    ids = removal.staff_ids or []
    if removal.staff_id is not None:
        ids = [removal.staff_id]
    for index, one in enumerate(removal.staff or ()):
        id = _one_id(one.id, one.staff_id)
        if not isinstance(id, str):
            reason = "id must be given." if id is None else id.reason
            raise invalid(reason, "staff", str(index), "id")
        ids.append(id)
    return ids, removal.role if removal.role is not None else role


def _unwrapped(content: Any, name: str) -> Any:
    """The list from {"name": [...]}, from a bare list, or of one object."""
    if isinstance(content, dict):
        if content.keys() == {name}:
            return content[name]
        return [content]
    return content


def _one_id(one: str | None, other: str | None) -> str | Unclear | None:
    """The id that either of two names gives."""
    if one is not None and other is not None and one != other:
        return Unclear("The two ids must be the same.", "id")
    return one if one is not None else other


def _validated(shape: type[T], content: Any, *path: str) -> T:
    """*content* as a *shape*. Raises Invalid with a problem for each field that does not fit."""
    try:
        return TypeAdapter(shape).validate_python(content)
    except ValidationError as error:
        problems = [
            Problem(Invalid.code, _MESSAGES.get(detail["type"], detail["msg"] + "."), field)
            for detail in islice(error.errors(include_url=False, include_input=False), MAX_DETAILS)
            if (field := (*path, *map(_shortened, detail["loc"]))) is not None
        ]
        if not problems[0].field:
            raise Unreadable(Invalid.code, "The body must be a JSON object.") from None
        raise Invalid(problems) from None


_UTF_8 = ("charset=utf-8", 'charset="utf-8"', "charset=utf8")
_MESSAGES = {
    "missing": "This field must be given.",
    "extra_forbidden": "There is no such field.",
    "string_type": "This must be a string.",
    "list_type": "This must be a list.",
    "model_type": "This must be an object.",
}


def _shortened(part: str | int) -> str:
    text = str(part)
    return text if len(text) <= 80 else text[:79] + "…"


async def _json(request: Request) -> Any:
    """The body as JSON. Raises Unreadable, or HTTPException if it is too long."""
    media_type, *parameters = (
        part.strip().lower() for part in request.headers.get("content-type", "").split(";")
    )
    content = await request.body()
    if not content:
        raise Unreadable(Invalid.code, "The request must have a JSON body.")
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Unreadable("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.")
    if any(one.startswith("charset") and one not in _UTF_8 for one in parameters):
        raise Unreadable("UNSUPPORTED_MEDIA_TYPE", "The body must be in UTF-8.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Unreadable("UNSUPPORTED_MEDIA_TYPE", "The body must not be compressed.")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Unreadable(Invalid.code, "The body must be valid JSON.") from None
