"""Where a table or an index lies in a database file, and how to spoil it."""

import contextlib
import random
import sqlite3
import struct
from pathlib import Path

INTERIOR_INDEX, LEAF_INDEX = 0x02, 0x0A
"""Kinds of pages; tables WITHOUT ROWID are made of these, too."""


def root_of(database: Path, name: str) -> int:
    """The number of the first page of a table or an index, from 1 on."""
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as raw:
        [(page,)] = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name])
    return page


def leaves_of(database: Path, name: str) -> list[int]:
    """The pages of its rows, in the order of their keys, but for those that stand further up."""
    data = database.read_bytes()
    size = page_size(data)

    def below(number: int) -> list[int]:
        page = data[(number - 1) * size : number * size]
        kind, _, count, _, _ = struct.unpack_from(">BHHHB", page)
        if kind == LEAF_INDEX:
            return [number]
        assert kind == INTERIOR_INDEX
        cells = struct.unpack_from(f">{count}H", page, 12)
        children = [struct.unpack_from(">I", page, cell)[0] for cell in cells]
        children.append(struct.unpack_from(">I", page, 8)[0])
        return [leaf for child in children for leaf in below(child)]

    return below(root_of(database, name))


def page_size(data: bytes) -> int:
    size = int.from_bytes(data[16:18], "big")
    return 65_536 if size == 1 else size


def spoil(database: Path, *pages: int) -> None:
    """Overwrite whole pages with noise, behind the back of whoever has the file open."""
    noise = random.Random(7)
    size = page_size(database.read_bytes()[:100])
    with database.open("rb+") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(noise.randbytes(size))
