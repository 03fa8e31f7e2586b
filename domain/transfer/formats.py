"""The lines of a file, and what a file is that is not JSON Lines, told from how it begins."""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from domain.errors import Invalid, invalid

ANCHOR = "timeline_head"
"""The one field of the last line of an export: the anchor of its timeline."""
_ANCHOR = re.compile(rb'\{\s*"timeline_head"\s*:\s*"[0-9]+:[0-9a-f]{64}"\s*\}')
BOM = b"\xef\xbb\xbf"
"""Some programs begin UTF-8 files with it."""
MAX_LINE = 50_000_000
"""The most bytes on a line: an export gives the whole of a case that was edited for years."""
TOO_LONG = bytes(bytearray(b"\xff"))
"""What lines_of() gives in place of a line that is longer, and never in place of another."""
_SKIPPED = 1 << 20
_SENTENCE = "An import reads JSON Lines: UTF-8, one JSON object on each line."
_SIGNATURES = (
    (b"\x1f\x8b", "The file is compressed with gzip. Decompress it first, with gunzip."),
    (b"PK\x03\x04", "The file is a ZIP archive or an Excel workbook. Export its rows as JSON."),
    (b"BZh", "The file is compressed with bzip2. Decompress it first, with bunzip2."),
    (b"\xfd7zXZ", "The file is compressed with xz. Decompress it first, with unxz."),
    (b"\x28\xb5\x2f\xfd", "The file is compressed with Zstandard. Decompress it first."),
    (b"%PDF", "The file is a PDF document. Export the data that it shows as JSON."),
    (b"\xd0\xcf\x11\xe0", "The file is an old Excel workbook. Export its rows as JSON."),
    (b"SQLite format 3", "The file is a SQLite database. Use casegraph export to get its cases."),
)


def is_anchor(line: bytes) -> bool:
    """Whether a line is the last one of an export, which names no case."""
    return _ANCHOR.fullmatch(line) is not None


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream. No more of a line is read into memory than a line may have."""
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(_SKIPPED)
            line = TOO_LONG
        yield line


def require_json_lines(first: bytes) -> None:
    """Raise Invalid if a file that begins with this line is something else, and say what it is."""
    for signature, sentence in _SIGNATURES:
        if first.startswith(signature):
            raise _not(sentence)
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in first[:4]:
        raise _not("The file is in UTF-16 or UTF-32. Save it as UTF-8.")
    text = first.removeprefix(BOM).strip()
    if text.startswith(b"<"):
        raise _not("The file is XML or HTML. Convert each case to a JSON object on its own line.")
    if text.startswith(b"["):
        raise _not("The file is one JSON array. Write one object on each line: jq -c '.[]' FILE")
    if text == b"{":
        raise _not("The file is JSON over many lines. Write one object on each line: jq -c . FILE")
    if text and not text.startswith(b"{") and _looks_like_a_table(text):
        raise _not("The file is CSV. Convert each row to a JSON object on a line of its own.")


def _looks_like_a_table(text: bytes) -> bool:
    """Whether a first line that is no object is a head of columns, and no JSON value either."""
    try:
        json.loads(text)
    except ValueError:
        return any(text.count(mark) for mark in (b",", b";", b"\t"))
    return False


def _not(sentence: str) -> Invalid:
    return invalid(f"{sentence} {_SENTENCE}", "file")
