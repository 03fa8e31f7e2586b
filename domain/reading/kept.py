"""Finished answers, kept until their workspace is written again, and so never stale.

Every transaction that changes anything that can be read of a workspace adds to its timeline, which
`casegraph verify` proves: its state is what the timeline tells. So an answer is of the state at an
end of the timeline, by its hash (Database.head), which is read before the answer is made. Whoever
asks again reads it again: if it is the same, nothing was committed in between.

An answer is kept when it is asked for a second time: what nobody asks again takes no space.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from domain.access.principal import Principal
from domain.storage.database import Database

_SEEN = 10_000
"""How many questions are remembered that were asked once."""
_OVERHEAD = 600
"""Bytes that an answer takes beside its own and its question's, about."""


class Kept(NamedTuple):
    """An answer, and what was charged for it: the rows it might have read, and did visit."""

    answer: Any
    rows: int
    visited: int


class Question(NamedTuple):
    """What was asked, and the kept answer, if there is one.

    Without *head*, the end of the timeline before, the answer will not be kept.
    """

    key: tuple[Hashable, ...]
    workspace_id: int
    head: str | None = None
    kept: Kept | None = None

    def in_other_words(self, question: tuple[Hashable, ...]) -> "Question":
        """The same caller's question at the same moment, put differently."""
        return self._replace(key=(*self.key[:2], question), kept=None)


@dataclass(slots=True)
class _Workspace:
    head: str
    keys: set[Hashable] = field(default_factory=set)


class KeptAnswers:
    """Keeps answers in at most *most_bytes*; the least recently used go first. 0 keeps none."""

    def __init__(self, database: Database, most_bytes: int) -> None:
        self._database = database
        self._most = most_bytes
        self.bytes = 0
        self._answers: OrderedDict[Hashable, tuple[int, int, Kept]] = OrderedDict()
        self._workspaces: dict[int, _Workspace] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self.hits = 0

    async def ask(self, who: Principal, *question: Hashable) -> Question:
        """Look for the answer to a question that callers with the same scopes get the same to.

        Raises TimedOut, Unavailable, Damaged.
        """
        workspace_id = who.workspace_id
        key = (workspace_id, who.scopes, question)
        if not self._most or not self._expects(key, who):
            return Question(key, workspace_id)
        head = await self._database.head(workspace_id)
        if head is None:
            return Question(key, workspace_id)
        known = self._workspaces.get(workspace_id)
        if known is None:
            self._workspaces[workspace_id] = _Workspace(head)
        elif known.head != head:
            # All of them: what was erased must not be left in memory.
            self._drop_all(known)
            known.head = head
        for found in (key, (key, who.key_id)):
            if (entry := self._answers.get(found)) is not None:
                self._answers.move_to_end(found)
                self.hits += 1
                return Question(key, workspace_id, head, entry[2])
        return Question(key, workspace_id, head)

    def keep(
        self,
        question: Question,
        kept: Kept,
        size: int,
        key_id: str | None = None,
    ) -> None:
        """Keep the answer to a question, if it was asked before; with a *key_id*, for it alone.

        *size* is the bytes of the question and the answer.
        """
        known = self._workspaces.get(question.workspace_id)
        size += _OVERHEAD
        if question.head is None or known is None or known.head != question.head:
            return  # or written since: an answer of before
        if size > self._most:
            return
        key = question.key if key_id is None else (question.key, key_id)
        if key in self._answers:
            return
        self._answers[key] = question.workspace_id, size, kept
        known.keys.add(key)
        self.bytes += size
        while self.bytes > self._most:
            dropped, (workspace_id, its_size, _kept) = self._answers.popitem(last=False)
            self.bytes -= its_size
            self._workspaces[workspace_id].keys.discard(dropped)

    def _expects(self, key: Hashable, who: Principal) -> bool:
        """Whether the question was asked before; it is noted."""
        if key in self._answers or (key, who.key_id) in self._answers:
            return True
        noted = hash(key)
        if noted in self._seen:
            return True
        self._seen[noted] = None
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        return False

    def _drop_all(self, known: _Workspace) -> None:
        for key in known.keys:
            _workspace_id, size, _kept = self._answers.pop(key)
            self.bytes -= size
        known.keys.clear()
