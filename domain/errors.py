"""Every error the domain raises. A code is public and permanent.

DomainError
├── Denied               about the caller
│   ├── InvalidKey           AUTH_INVALID_KEY
│   ├── InsufficientScope    AUTH_INSUFFICIENT_SCOPE
│   └── RateLimited          RATE_LIMIT_EXCEEDED
├── Refused              about the request
│   ├── Several              problems of different codes; the first one's is the error's
│   │   └── Invalid              VALIDATION_ERROR
│   ├── Absent
│   │   ├── CaseNotFound         CASE_NOT_FOUND
│   │   ├── PartyNotFound        PARTY_NOT_FOUND
│   │   ├── StaffNotFound        STAFF_NOT_FOUND
│   │   ├── LinkNotFound         LINK_NOT_FOUND
│   │   └── WebhookNotFound      WEBHOOK_NOT_FOUND
│   ├── FileNumberTaken      FILE_NUMBER_CONFLICT
│   ├── LinkExists           LINK_EXISTS
│   ├── InUse
│   │   ├── PartyInUse           PARTY_IN_USE
│   │   └── StaffInUse           STAFF_IN_USE
│   ├── VersionConflict      VERSION_CONFLICT
│   └── IdempotencyKeyReused IDEMPOTENCY_KEY_REUSED
├── TimedOut             QUERY_TIMEOUT, about a read that took too long
├── Unavailable          SERVICE_UNAVAILABLE, about a temporary condition: try again
│   └── InDoubt              a write that may be stored: do not simply try again
│       └── Stored               a write that is stored, but cannot be shown
└── Damaged              DATABASE_DAMAGED, about the stored data: trying again does not help
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: a sentence, its code, and the path of the input field in snake_case."""

    code: str
    message: str
    field: Path = ()
    existing: tuple[str, Any] | None = None
    """The object in the way, if the caller may see it: the name of its type, and its key."""


class DomainError(Exception):
    """The root of every refusal; any other exception is a defect."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, field: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.code, self.message, self.field),)


class Denied(DomainError):
    """The caller may not make this request, or not now."""


class InvalidKey(Denied):
    """Missing, malformed, unknown and revoked keys look alike: a guesser must not learn which."""

    code = "AUTH_INVALID_KEY"

    def __init__(self) -> None:
        super().__init__("The API key is missing, malformed, unknown or revoked.")


class InsufficientScope(Denied):
    code = "AUTH_INSUFFICIENT_SCOPE"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key lacks the scope {scope}.")
        self.scope = scope


class RateLimited(Denied):
    """The limit for one minute is exceeded; *retry_after* is in whole seconds, at least 1."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(
        self, retry_after: int, what: str = "Too many requests with this API key."
    ) -> None:
        super().__init__(f"{what} Try again in {retry_after} s.")
        self.retry_after = retry_after


class Refused(DomainError):
    """The caller is allowed to ask, but this request cannot be carried out, or not now."""

    existing: tuple[str, Any] | None = None
    """See Problem."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.code, self.message, self.field, self.existing),)


class Several(Refused):
    """Lists every problem of a request, not just the first, whose code is the error's."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._problems = tuple(problems)
        first = self._problems[0]
        more = len(self._problems) - 1
        super().__init__(first.message + (f" ({more} more.)" if more else ""), first.field)
        self.code = first.code

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems


class Invalid(Several):
    """The input breaks rules."""

    code = "VALIDATION_ERROR"


def invalid(message: str, *field: str) -> Invalid:
    """An Invalid with one problem."""
    return Invalid([Problem(Invalid.code, message, field)])


class Absent(Refused):
    """Missing, deleted, or in another workspace: the caller must not learn which."""

    noun = ""

    def __init__(
        self, identifier: str | None, field: Path = ("id",), where: str = "in this workspace"
    ) -> None:
        if identifier is None:
            super().__init__(f"There is no such {self.noun} {where}.", field)
        else:
            # Shortened because the id in a request may be megabytes long.
            shown = identifier if len(identifier) <= 80 else identifier[:79] + "…"
            super().__init__(f'There is no {self.noun} "{shown}" {where}.', field)
        self.identifier = identifier


class CaseNotFound(Absent):
    code = "CASE_NOT_FOUND"
    noun = "case"


class PartyNotFound(Absent):
    code = "PARTY_NOT_FOUND"
    noun = "party"


class StaffNotFound(Absent):
    code = "STAFF_NOT_FOUND"
    noun = "staff member"


class LinkNotFound(Absent):
    code = "LINK_NOT_FOUND"
    noun = "link"


class WebhookNotFound(Absent):
    code = "WEBHOOK_NOT_FOUND"
    noun = "webhook"


class FileNumberTaken(Refused):
    """*case_id* is the case that has the number, if the caller may see it."""

    code = "FILE_NUMBER_CONFLICT"

    def __init__(self, file_number: str, case_id: str | None = None) -> None:
        super().__init__(f"Another case has the file number {file_number}.", ("file_number",))
        self.existing = None if case_id is None else ("Case", case_id)


class LinkExists(Refused):
    """*link* is the key of the link in the way, if the caller may see it."""

    code = "LINK_EXISTS"

    def __init__(self, how: str, link: tuple[str, str] | None = None) -> None:
        super().__init__(f"These two cases are already linked {how}.", ("type",))
        self.existing = None if link is None else ("CaseLink", link)


class InUse(Refused):
    """*count* visible cases still name the object; *case_id* is one, if the caller may see it."""

    noun = ""

    def __init__(self, count: int, case_id: str | None = None) -> None:
        where = "a case names" if count == 1 else f"{count:,} cases name"
        super().__init__(f"This {self.noun} cannot be deleted: {where} it.", ("id",))
        self.existing = None if case_id is None else ("Case", case_id)


class PartyInUse(InUse):
    code = "PARTY_IN_USE"
    noun = "party"


class StaffInUse(InUse):
    code = "STAFF_IN_USE"
    noun = "staff member"


class VersionConflict(Refused):
    """The object changed since the caller read it.

    *actual* is its version, or its revision if revisions were expected; *current* is the object as
    it is now, if the caller may see it.
    """

    code = "VERSION_CONFLICT"

    def __init__(
        self,
        expected: Collection[str],
        actual: str,
        current: Any = None,
        field: str = "expected_version",
    ) -> None:
        wanted = [one for one in expected if len(one) <= 20]
        expectation = f"Version {min(wanted)}" if wanted else "Another version"
        message = f"{expectation} was expected, but the current version is {actual}."
        super().__init__(message, (field,))
        self.actual = actual
        self.current = current


class IdempotencyKeyReused(Refused):
    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was used before with a different request.", ("idempotency_key",)
        )


class TimedOut(DomainError):
    """A read was stopped at its deadline."""

    code = "QUERY_TIMEOUT"

    def __init__(self) -> None:
        super().__init__("The query took too long and was stopped. Request less data.")


class Unavailable(DomainError):
    """The database cannot be reached or written at the moment; nothing was changed."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self, message: str = "The database is not available right now.") -> None:
        super().__init__(message)


class InDoubt(Unavailable):
    """A write that may be stored: sent again without an idempotency key, it may be stored twice."""


class Stored(InDoubt):
    """A write that is stored, but what the answer would show of it cannot be read."""

    def __init__(self) -> None:
        super().__init__("The change is stored, but it cannot be shown right now.")


class Damaged(DomainError):
    """Stored data cannot be read back and needs repair by a person. Nothing was changed."""

    code = "DATABASE_DAMAGED"

    def __init__(self, what: str = "Part of the database is damaged.") -> None:
        super().__init__(f"{what} The operator should run `casegraph verify` and restore a backup.")


CODES: dict[str, type[DomainError]] = {
    error.code: error
    for error in (
        InvalidKey,
        InsufficientScope,
        RateLimited,
        Invalid,
        CaseNotFound,
        PartyNotFound,
        StaffNotFound,
        LinkNotFound,
        WebhookNotFound,
        FileNumberTaken,
        LinkExists,
        PartyInUse,
        StaffInUse,
        VersionConflict,
        IdempotencyKeyReused,
        TimedOut,
        Unavailable,
        Damaged,
    )
}
"""The closed list of codes; both surfaces must map every one."""
