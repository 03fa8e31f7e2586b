"""Ctrl-C and SIGTERM at moments when nothing else takes them: while much is imported.

Python turns Ctrl-C into a KeyboardInterrupt wherever it happens to be, and drops one that is raised
in a weakref's callback or a finalizer. An import runs many of these, so that a program may go on
as if nobody had asked it to stop.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator

ASKED_BY = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Let Ctrl-C end the process there and then: nothing that it began must be cleared up."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield  # whoever started it has decided
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def noted() -> Iterator[list[int]]:
    """Yield the signals that ask for a stop meanwhile; what becomes of them is up to the caller."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: asked.append(number))
        for number in ASKED_BY
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, and a terminal that is closed, stop the block as Ctrl-C does.

    By themselves they end a process without clearing up.
    """
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {
        number: signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
        for number in numbers
        if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
