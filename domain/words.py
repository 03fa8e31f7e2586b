"""The words of a text, with their places in it, and the text as the search index keeps it.

A word is a run of letters, digits and the marks that belong to them; an apostrophe inside a word
vanishes. Words are in plain form (see folding). The index keeps two kinds of texts:

- a *name*: the words, in lower case; the loose forms of them all, in upper case, if any differs;
  and in upper case, as one, two words that may_join(). A blank comes before and after each word,
  and two divide these parts, and the joined words.
- a *code*, which is a file number or a reference: the same without joined words; then, as lines,
  all its words as one in upper case, the same without leading zeros, and its groups, each between
  bars. In these lines, signs stand for the digits.

So whatever a search looks for is a substring, and what is meant for one part is not found in
another: a word has no signs, and characters without a case stand in all parts in the same runs.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from domain import folding

_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_GROUP = re.compile(r"[0-9]+|[^0-9]+")
JOINED_BY_A_BLANK = 10
"""Letters that two words may have together: more would make the index half as large again."""
_DIGITS = "0123456789"
_SIGNS = str.maketrans(_DIGITS, "!#$%&()*+,")


class Word(NamedTuple):
    """A word in plain form, and where it stands.

    *places* has, for each of its characters, the start and the end in the text of what it was made
    from. *gap* is what comes between it and the word before, in plain form; empty for the first.
    """

    plain: str
    places: Sequence[tuple[int, int]]
    gap: str

    @property
    def start(self) -> int:
        return self.places[0][0]

    @property
    def end(self) -> int:
        return self.places[-1][1]


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    if text.isascii():
        return list(_ascii_words(text.casefold()))
    return list(_any_words(text))


def name(text: str) -> str:
    """A name as the index keeps it; empty for a text without words."""
    found = words(text)
    if not found:
        return ""
    plain = " ".join(word.plain for word in found)
    parts = [plain, *_loose(plain)]
    parts += [
        loose(one.plain + other.plain) for one, other in pairwise(found) if may_join(one, other)
    ]
    return "".join(f" {part} " for part in parts)


def code(text: str) -> str:
    """A file number or reference as the index keeps it; empty for a text without words."""
    found = [word.plain for word in words(text)]
    if not found:
        return ""
    plain = " ".join(found)
    parts = "".join(f" {part} " for part in (plain, *_loose(plain)))
    lines = dict.fromkeys((squeezed(found), squeezed(found, unpadded=True), grouped(found)))
    return "\n".join((parts, *lines, ""))


def loose(plain: str) -> str:
    """The loose form of words in plain form, in upper case."""
    return folding.loose(plain).upper()


def squeezed(found: Sequence[str], *, unpadded: bool = False) -> str:
    """Words in plain form as one, in upper case; if *unpadded*, without leading zeros of groups."""
    return "".join(groups(found) if unpadded else found).upper().translate(_SIGNS)


def grouped(found: Sequence[str]) -> str:
    """The groups of words in plain form without leading zeros, each between bars, in upper case."""
    return f"|{'|'.join(groups(found))}|".upper().translate(_SIGNS)


def groups(found: Sequence[str]) -> list[str]:
    """The runs of digits, and of all else, of words in plain form, without leading zeros."""
    return [without_zeros(run) for word in found for run in _GROUP.findall(word)]


def without_zeros(run: str) -> str:
    """A run of digits without its leading zeros; any other as it is."""
    return (run.lstrip("0") or "0") if run[0] in _DIGITS else run


def runs(word: Word) -> list[Word]:
    """The groups of a word, with their places."""
    return [
        Word(found[0], word.places[slice(*found.span())], "")
        for found in _GROUP.finditer(word.plain)
    ]


def may_join(one: Word, other: Word) -> bool:
    """Whether two words that follow each other may be one to who searches.

    They may if only a hyphen divides them, or only a blank and they are short: Annalena finds
    Anna-Lena and Anna Lena.
    """
    if not (_has_case(one.plain) and _has_case(other.plain)):
        return False
    return other.gap == "-" or (
        other.gap == " " and len(one.plain) + len(other.plain) <= JOINED_BY_A_BLANK
    )


def _loose(plain: str) -> list[str]:
    """The loose form, unless it is the plain one."""
    return [loose(plain)] if folding.loose(plain) != plain else []


def _has_case(word: str) -> bool:
    return all(char.upper() != char for char in word)


def _ascii_words(folded: str) -> Iterator[Word]:
    end = 0
    for found in _ASCII_WORD.finditer(folded):
        start, stop = found.span()
        places = [(at, at + 1) for at in range(start, stop) if folded[at] != "'"]
        yield Word(found[0].replace("'", ""), places, folded[end:start] if end else "")
        end = stop


def _any_words(text: str) -> Iterator[Word]:
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    gap, first = "", True
    folded = list(_folded(text))
    for index, (char, place) in enumerate(folded):
        if _in_word(char):
            chars.append(char)
            places.append(place)
            continue
        if char == "'" and chars and index + 1 < len(folded) and _in_word(folded[index + 1][0]):
            continue
        if chars:
            yield Word("".join(chars), places, gap)
            chars, places, gap, first = [], [], "", False
        if not first:
            gap += char
    if chars:
        yield Word("".join(chars), places, gap)


def _folded(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each character of the plain form, and what it was made from."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        for char in _plain(text[start:end]):
            yield char, (start, end)
        start = end


@lru_cache(maxsize=4_096)
def _plain(cluster: str) -> str:
    """The plain form of a character with its marks."""
    return folding.unmarked(cluster)


@lru_cache(maxsize=4_096)
def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")
