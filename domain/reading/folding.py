"""Folded keys for search and order, so that Mueller, Muller and Müller match each other.

A text has two folded forms. *plain* is NFKC, case-folded (so sharp s becomes ss), with marks
stripped and white space collapsed. *loose* also turns ae, oe and ue into a, o and u. A search term
matches a text if its plain form is a substring of the text's plain form, or its loose form of the
text's loose form. Either form alone would miss Müller for "Mueller" or Mueller for "eller".
"""

import re
import unicodedata

_DIGRAPH = re.compile("([aou])e")
_DIGITS = re.compile("[0-9]+")
# Letters that Unicode does not decompose but people type without the stroke.
_STROKES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i"})


def plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    unmarked = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(unmarked.translate(_STROKES).split())


def loose(plain_text: str) -> str:
    """The loose form of a text that is already in plain form."""
    return _DIGRAPH.sub(r"\1", plain_text)


def number(text: str) -> str:
    """A file number without separators: AZ-2026-042 and az 2026/042 are both az2026042."""
    return "".join(char for char in plain(text) if char.isalnum())


def number_order(file_number: str | None) -> str:
    """A sort key in natural order: AZ-9 before AZ-10, and cases without a file number last."""
    if file_number is None:
        return "~"
    padded = _DIGITS.sub(lambda run: f"{len(run[0]):03d}{run[0]}", _unpadded(plain(file_number)))
    return "!" + padded


def _unpadded(text: str) -> str:
    return _DIGITS.sub(lambda run: run[0].lstrip("0") or "0", text)
