"""Importing much at once, without the garbage collector.

What is imported stays. The collector would look through it again and again meanwhile, for a sixth
of the time that the program takes to start.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector wait until the block ends, if it was on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
