"""Folded keys for search and order, so that Mueller, Muller and Müller find each other.

A text has two folded forms. *plain* is NFKC, case-folded (so sharp s is ss), marks stripped,
white space collapsed. *loose* also reads ae, oe and ue as a, o and u. A search term matches a
text when its plain form stands in the text's plain form, or its loose form in the text's loose
form; one form alone would miss either Müller for "Mueller" or Mueller for "eller".
"""

import re
import unicodedata

_DIGRAPH = re.compile("([aou])e")
_DIGITS = re.compile("[0-9]+")
# Letters that Unicode does not decompose, though people type them without the stroke.
_STROKES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i"})


def plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(kept.translate(_STROKES).split())


def loose(plain_text: str) -> str:
    """The loose form of a text that is already in plain form."""
    return _DIGRAPH.sub(r"\1", plain_text)


def number(text: str) -> str:
    """A file number without separators: AZ-2026-042 and az 2026/042 are both az2026042."""
    return "".join(char for char in plain(text) if char.isalnum())


def number_order(file_number: str | None) -> str:
    """Sorts file numbers as people do, AZ-9 before AZ-10, and cases without one last."""
    if file_number is None:
        return "~"
    padded = _DIGITS.sub(lambda run: f"{len(run[0]):03d}{run[0]}", _unpadded(plain(file_number)))
    return "!" + padded


def _unpadded(text: str) -> str:
    return _DIGITS.sub(lambda run: run[0].lstrip("0") or "0", text)
