"""Structured logs: one JSON object a line (or text for people), with the request's id.

Keys, names, query texts and variables are never logged, nor are exception messages, which may
quote them.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""The id of the current request."""

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


def configure(level: str, style: str) -> None:
    """Set up logging for the process; the standard library's loggers use the same format."""
    shared: list[structlog.typing.Processor] = [
        _with_request_id,
        _without_words,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
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
