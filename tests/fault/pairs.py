"""Two server processes over one database."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.fault.servers import Gateway, gateway


@contextlib.contextmanager
def two_gateways(folder: Path) -> Iterator[tuple[Gateway, Gateway]]:
    """Both running, each on a port of its own; in the end the database must be sound.

    Of the workers of one gateway the kernel may choose the same for all connections; so it is
    certain that both take part.
    """
    with gateway(folder) as one:
        another = Gateway(folder)
        another.key = one.key
        another.start()
        try:
            yield one, another
            one.command("verify")
        finally:
            another.stop()
