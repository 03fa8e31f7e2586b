"""The revision of the schema that this version expects.

It is told by the names of the migrations' files: Alembic, which reads the files, takes longer to
load than most commands take altogether, and only a migration needs it.
"""

import functools
from pathlib import Path

FOLDER = Path(__file__).parent / "migrations" / "versions"


@functools.cache
def head() -> str:
    """The latest revision: the digits that its file's name begins with."""
    return max(path.name.partition("_")[0] for path in FOLDER.glob("[0-9]*_*.py"))
