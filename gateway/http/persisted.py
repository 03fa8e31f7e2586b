"""Documents that a client names instead of sending them: trusted ones, and registered ones.

Trusted documents come from manifests (manifests.py) and have the ids that these give them. Others
are registered by their SHA-256 when a client sends both: Apollo's automatic persisted queries.
GraphQL-over-HTTP specification (draft), appendix A, and Apollo's protocol, version 1.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from gateway.http.parameters import BadRequest, Parameters

MOST = 1_000
MOST_CHARACTERS = 1_000_000
"""The most characters of all registered documents together."""
PREFIX = "sha256:"
"""What a document id begins with that is a hash (appendix A: prefixed document identifiers)."""


class Persisted:
    """Finds the document that a request names."""

    def __init__(self, trusted: Mapping[str, str], *, register: bool, only: bool) -> None:
        """*trusted*: documents by their ids, and by PREFIX with their hashes.

        With *register*, clients may register more. With *only*, nothing but trusted documents is
        executed, whether they are named or sent.
        """
        self._trusted = trusted
        self._only = only
        self._registers = register and not only
        self._registered: OrderedDict[tuple[int, str], str] = OrderedDict()
        self._characters = 0

    def resolved(self, asked: Parameters, workspace_id: int) -> Parameters:
        """What was asked, with the text of its document.

        Raises BadRequest if the document is not known, is not to be executed, or has another hash.
        """
        if asked.query:
            if asked.sha256 is not None and asked.sha256 != digest(asked.query):
                message = "extensions.persistedQuery.sha256Hash must be the SHA-256 of query."
                raise BadRequest(400, "VALIDATION_ERROR", message)
            if self._only and PREFIX + digest(asked.query) not in self._trusted:
                message = "This server executes only documents that it was started with."
                raise BadRequest(403, "QUERY_NOT_IN_SAFELIST", message)
            return replace(asked, trusted=True) if self._only else asked
        name = asked.document_id or PREFIX + str(asked.sha256)
        text = self._trusted.get(name)
        trusted = text is not None
        if text is None and self._registers and name.startswith(PREFIX):
            text = self._registered.get((workspace_id, name))
            if text is not None:
                self._registered.move_to_end((workspace_id, name))
        if text is None:
            raise self._unknown(asked)
        return replace(asked, query=text, trusted=trusted)

    def register(self, asked: Parameters, workspace_id: int) -> None:
        """Remember a valid document that was sent with its hash, for keys of the same workspace."""
        if not self._registers or asked.sha256 is None:
            return
        key = workspace_id, PREFIX + asked.sha256
        if key not in self._registered:
            self._characters += len(asked.query)
        self._registered[key] = asked.query
        self._registered.move_to_end(key)
        while len(self._registered) > MOST or self._characters > MOST_CHARACTERS:
            _key, dropped = self._registered.popitem(last=False)
            self._characters -= len(dropped)

    def _unknown(self, asked: Parameters) -> BadRequest:
        """The refusals that make Apollo Client and urql send the text: they know the messages."""
        is_on = bool(self._trusted) or self._registers
        code, message = (
            ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
            if is_on
            else ("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
        )
        if asked.document_id is not None:
            message = (
                "This server has no document with this id. Send its text as query, or start the "
                "server with a manifest that has it."
            )
        return BadRequest(None, code, message)


def digest(text: str) -> str:
    """The SHA-256 of a document, in hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
