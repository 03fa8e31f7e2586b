"""Folded keys for search, order and file numbers: Mueller, Muller and Müller match each other.

Every key begins with the same step, Unicode's toNFKC_Casefold (3.13): compatible characters are
one, sharp s is ss, and characters that are ignorable by default are dropped. Dashes are one, and
so are apostrophes and quotes, typographic or not.

A text has two folded forms. *plain* also has its marks stripped and its white space collapsed.
*loose* moreover turns ae, oe and ue into a, o and u. How a search uses them is in
domain/reading/terms.py: either form alone would miss Müller for "Mueller" or Mueller for "eller".
"""

import re
import unicodedata
from functools import lru_cache

from domain import characters

_DIGRAPH = re.compile("([aou])e+")
_DIGITS = re.compile("[0-9]+")
# Letters that Unicode does not decompose but people type without the stroke.
_STROKES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i"})


# What NFKC makes of an accent that stands alone, as people type an apostrophe.
_BARE_ACUTE = " \u0301"


@lru_cache(maxsize=64)  # a write makes several keys of each text
def plain(text: str) -> str:
    """The plain form of a text."""
    return " ".join(unmarked(text).split())


def unmarked(text: str) -> str:
    """The plain form of a text, with its white space as it is."""
    if text.isascii():
        # The rest changes nothing then, and takes ten times as long.
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", _folded(text))
    without = "".join(char for char in decomposed if not unicodedata.combining(char))
    return without.translate(_STROKES)


def loose(plain_text: str) -> str:
    """The loose form of a text that is already in plain form."""
    return _DIGRAPH.sub(r"\1", plain_text)


def number(text: str) -> str:
    """A file number without separators: AZ-2026-042 and az 2026/042 are both az2026042."""
    return "".join(char for char in plain(text) if char.isalnum())


def number_key(file_number: str | None) -> str | None:
    """What a file number is unique by: AZ-1 and az–1 are one, but AZ 1, AZ/1 and ÄZ-1 are others.

    None for no file number, and for one of which nothing is left.
    """
    return " ".join(_folded(file_number or "").split()) or None


def number_order(file_number: str | None) -> str:
    """A sort key in natural order: AZ-9 before AZ-10, and cases without a file number last."""
    if file_number is None:
        return "~"
    padded = _DIGITS.sub(lambda run: f"{len(run[0]):03d}{run[0]}", _unpadded(plain(file_number)))
    return "!" + padded


def _folded(text: str) -> str:
    if text.isascii():
        return text.casefold()
    # Before NFKC too: a soft hyphen may stand between a letter and its mark.
    kept = unicodedata.normalize("NFKC", characters.alike(text))
    folded = kept.casefold().replace(_BARE_ACUTE, "'")
    # Folded letters may be ones that NFKC composes anew or, like the n with an apostrophe, divides.
    return unicodedata.normalize("NFKC", characters.alike(folded))


def _unpadded(text: str) -> str:
    return _DIGITS.sub(lambda run: run[0].lstrip("0") or "0", text)
