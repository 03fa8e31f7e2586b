"""Structured logs: one JSON object a line (or text for people), with the request's id.

Never logged: keys, names, query texts, variables.
"""

import logging
import sys
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""The id of the request that is being answered."""

LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}


def _with_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    if request_id := REQUEST_ID.get(""):
        event["request_id"] = request_id
    return event


def configure(level: str, style: str) -> None:
    """Set up logging for the process; the standard library's loggers go the same way."""
    shared: list[structlog.typing.Processor] = [
        _with_request_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        # Not rich's tracebacks: they show local variables, and so clients' names.
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if style == "text"
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
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
