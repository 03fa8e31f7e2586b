"""Structured logs: one JSON object a line (or text for people), with the request's id.

Keys, names, query texts and variables are never logged, nor are exception messages, which may
quote them.
"""

import asyncio
import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog
from structlog.typing import EventDict

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""The id of the current request."""

ACCESS = "casegraph.access"
_access = logging.getLogger(ACCESS)
_requests = structlog.get_logger(ACCESS)
_python = structlog.get_logger("casegraph.python")
_lines: BinaryIO | None = None
"""Where access() writes its lines itself."""
_waiting: list[bytes] = []

_FRAMES = 30
LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}


def _with_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    if request_id := REQUEST_ID.get(""):
        event["request_id"] = request_id
    return event


def _without_words(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Log an exception, and each of its causes, by its type and where it was raised."""
    raised = event.pop("exc_info", None)
    if raised:
        error = raised if isinstance(raised, BaseException) else sys.exc_info()[1]
        if isinstance(raised, tuple):
            error = raised[1]
        event["exception"] = "\n".join(_places(error))
    return event


def _places(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__module__}.{type(error).__qualname__}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-_FRAMES):
            yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _first_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop what asyncio appends to its messages about a task: the exception itself."""
    if event.get("logger") == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def access(event: str, *, quiet: bool = False, **facts: Any) -> None:
    """Write a line of the access log, with the id of the request: at info, *quiet* ones at debug.

    Every request pays for it, and structlog and logging take eight times as long for a line of
    JSON as making it here; so they have those for people only. It is written when the answer is,
    with those of others.
    """
    level = logging.DEBUG if quiet else logging.INFO
    if not _access.isEnabledFor(level):
        return
    if _lines is None:
        _requests.log(level, event, **facts)
        return
    facts["event"] = event
    facts.setdefault("request_id", REQUEST_ID.get(""))
    facts["logger"] = ACCESS
    facts["level"] = "debug" if quiet else "info"
    facts["timestamp"] = datetime.now(UTC)
    _waiting.append(orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
    if len(_waiting) == 1:
        try:
            asyncio.get_running_loop().call_soon(flush)
        except RuntimeError:  # there is no loop
            flush()


def flush() -> None:
    """Write the lines that wait: those of all requests that were answered in one go of the loop."""
    lines = b"".join(_waiting)
    _waiting.clear()
    if _lines is not None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it, or the disk is full
            _lines.write(lines)
            _lines.flush()


def unraisable(what: "sys.UnraisableHookArgs") -> None:
    """Log what Python cannot raise, like an error of a finalizer: for sys.unraisablehook."""
    _python.warning("unraisable", exc_info=what.exc_value)


def _wants_colours() -> bool:
    """Only a terminal has colours, and not if NO_COLOR is set (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def configure(level: str, style: str) -> None:
    """Set up logging for the process; the standard library's loggers use the same format."""
    global _lines
    _lines = getattr(sys.stderr, "buffer", None) if style == "json" else None
    shared: list[structlog.typing.Processor] = [
        _with_request_id,
        _without_words,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=_wants_colours())]
        if style == "text"
        else [structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _first_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("casegraph").setLevel(LEVELS[level])
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(max(LEVELS[level], logging.INFO))
