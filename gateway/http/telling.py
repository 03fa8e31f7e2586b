"""What the log and the metrics tell of a GraphQL request: facts for the request's state."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.execution.context import Context

_KEY = re.compile("cg_(?:live|test)_")
_LONGEST_NAME = 100
UNTOLD = "(untold)"
"""For an operation's name that is too long for a log, or has something like a key in it."""


def operation_of(context: Context) -> dict[str, Any]:
    """The name and the type of the operation; none if it did not come to that.

    A name is the client's to choose, so it could be anything.
    """
    name = context.operation
    if name is None:
        return {}
    if len(name) > _LONGEST_NAME or _KEY.search(name):
        name = UNTOLD
    return {"operation": name, "type": context.type}


def answer_of(response: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Whether anything was executed, and the codes of all errors, each once.

    The errors of a mutation's payload are among them.
    """
    codes = [error["extensions"]["code"] for error in response.get("errors", ())]
    for payload in context.done.values():
        codes += [error.code.value for error in getattr(payload, "user_errors", ())]
    return {"executed": "data" in response, "codes": tuple(dict.fromkeys(codes))}
