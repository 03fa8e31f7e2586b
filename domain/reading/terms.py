"""What a search asks for: its terms, and which texts have them, by which rule.

A term is a word, or several words in quotes. Every term must be found, in any order. A text has a
term if the term

- is a part of one of its words, in plain form; or
- is one of its words in loose form, or begins one and has at least four letters. Two words that
  people write as one, too, count as such here: see words.may_join().

A term with a digit is also compared with file numbers and references as a whole: without
separators, and group by group without leading zeros.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from itertools import pairwise

from domain import characters, words
from domain.words import Word

MOST_WORDS = 16
LOOSE_PREFIX = 4
"""Letters that a term must have to be found as the beginning of a word in loose form."""
# What people write before a file number and is no part of it.
_LABEL = re.compile(
    r"(?:(?<=\s)|^)(?:(?:az|aktenzeichen|no|nr)(?:[.:]+\s*|\s+)|#\s*)+(?=\S*\d)", re.IGNORECASE
)


class MatchRule(StrEnum):
    """By which rule a text has a term."""

    EXACT = "exact"
    NUMBER = "number"
    WORD = "word"
    PREFIX = "prefix"
    SUBSTRING = "substring"
    FOLDED = "folded"


class Score(IntEnum):
    """How well a case, a party or a staff member fits a search: the better, the higher."""

    OTHER = 0
    FOLDED = 1
    SUBSTRING = 2
    PREFIX = 3
    WORD = 4
    NAME = 5
    NUMBER = 6


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or several with a blank between them, in plain form; *number* is the file number that
    it is a part of, in words, and empty for one without a digit."""

    plain: str
    number: tuple[str, ...] = ()

    @property
    def loose(self) -> str:
        """The loose form, in upper case."""
        return words.loose(self.plain)

    @property
    def texts(self) -> tuple[str, ...]:
        """What a text of the index has one of, if it has the term; see domain/words.py."""
        loose = self.loose
        end = "" if len(loose.replace(" ", "")) >= LOOSE_PREFIX else " "
        found = [self.plain]
        if loose != self.plain:
            found.append(f" {loose}{end}")
        if loose.lower() != self.plain:
            found.append(f" {loose.lower()}{end}")
        return tuple(found)

    @property
    def codes(self) -> tuple[str, ...]:
        """What a code of the index may have instead."""
        if not self.number:
            return ()
        found = [words.squeezed(self.number), words.grouped(self.number)]
        if self.is_mixed:
            found.append(words.squeezed(self.number, unpadded=True))
        return tuple(dict.fromkeys(found))

    @property
    def is_mixed(self) -> bool:
        """Whether its number is of letters and digits that nothing divides."""
        return len(self.number) == 1 and len(words.groups(self.number)) > 1


@dataclass(frozen=True, slots=True)
class Sought:
    """The terms of a search, each once, and all of its words."""

    terms: tuple[Term, ...]
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """How a name of the index begins that is what was searched for, and nothing else."""
        return f" {' '.join(self.words)}  "

    @property
    def numbers(self) -> tuple[str, str]:
        """The lines that a code of the index has one of if it is what was searched for."""
        return f"\n{words.squeezed(self.words)}\n", f"\n{words.grouped(self.words)}\n"


@lru_cache(maxsize=1_024)
def sought(text: str) -> Sought:
    """What a text searches for. Without any letter or digit it has no terms: all is found."""
    terms: dict[Term, None] = {}
    found: list[str] = []
    for part, quoted in _parts(unicodedata.normalize("NFKC", characters.alike(text))):
        chunk = [word.plain for word in words.words(part)]
        number = tuple(chunk) if any(char.isdigit() for word in chunk for char in word) else ()
        for plain in [" ".join(chunk)] if quoted and chunk else chunk:
            terms[Term(plain, number)] = None
        found += chunk
    return Sought(tuple(terms), tuple(found))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """What is between blanks, or in quotes; whether it is in quotes."""
    parts = text.split('"')
    for index, part in enumerate(parts):
        # A quote that has no other to close it is a separator.
        if index % 2 and index < len(parts) - 1:
            yield part, True
        else:
            yield from ((chunk, False) for chunk in _LABEL.sub("", part).split())


@dataclass(frozen=True, slots=True)
class Found:
    """By which rule a text has a term, and where: its start and its end, in code points."""

    rule: MatchRule
    start: int
    end: int


_BEST = tuple(MatchRule)


def find(term: Term, text: Sequence[Word], *, is_code: bool = False) -> list[Found]:
    """Where a text, in words, has a term: the best rule first, then from the left."""
    found = [*_plainly(term.plain, text), *_loosely(term, text, joined=not is_code)]
    if is_code and term.number:
        found += _as_number(term, text)
    best: dict[tuple[int, int], Found] = {}
    for one in found:
        known = best.get((one.start, one.end))
        if known is None or _BEST.index(one.rule) < _BEST.index(known.rule):
            best[one.start, one.end] = one
    return sorted(best.values(), key=lambda one: (_BEST.index(one.rule), one.start, one.end))


def _plainly(plain: str, text: Sequence[Word]) -> Iterator[Found]:
    """Parts of words, or of words that follow each other, in plain form."""
    whole = " ".join(word.plain for word in text)
    places: list[tuple[int, int]] = []
    for index, word in enumerate(text):
        if index:
            places.append((word.start, word.start))  # the blank between two words
        places += word.places
    at = whole.find(plain)
    while at >= 0:
        end = at + len(plain)
        begins = at == 0 or whole[at - 1] == " "
        ends = end == len(whole) or whole[end] == " "
        rule = MatchRule.SUBSTRING
        if begins:
            rule = MatchRule.WORD if ends else MatchRule.PREFIX
        yield Found(rule, places[at][0], places[end - 1][1])
        at = whole.find(plain, at + 1)


def _loosely(term: Term, text: Sequence[Word], *, joined: bool) -> Iterator[Found]:
    """Words in loose form: those of the text, and two that may be one."""
    wanted = term.loose
    length = wanted.count(" ") + 1
    is_prefix = len(wanted.replace(" ", "")) >= LOOSE_PREFIX
    for index in range(len(text) - length + 1):
        run = text[index : index + length]
        yield from _fits(wanted, " ".join(word.plain for word in run), run, is_prefix)
    for one, other in pairwise(text) if joined else ():
        if words.may_join(one, other):
            yield from _fits(wanted, one.plain + other.plain, (one, other), is_prefix)


def _fits(wanted: str, plain: str, run: Sequence[Word], is_prefix: bool) -> Iterator[Found]:
    loose = words.loose(plain)
    if loose == wanted or (is_prefix and loose.startswith(wanted)):
        yield Found(MatchRule.FOLDED, run[0].start, run[-1].end)


def _as_number(term: Term, text: Sequence[Word]) -> Iterator[Found]:
    """Parts of all words as one, and whole groups without leading zeros."""
    runs = [run for word in text for run in words.runs(word)]
    unpadded = [_without_zeros(run) for run in runs]
    raw = words.squeezed(term.number)
    yield from _parts_of(text, raw)
    yield from _parts_of(unpadded, raw)
    if term.is_mixed:
        yield from _parts_of(unpadded, words.squeezed(term.number, unpadded=True))
    mine, theirs = words.groups(term.number), [run.plain for run in unpadded]
    for index in range(len(theirs) - len(mine) + 1):
        if theirs[index : index + len(mine)] == mine:
            yield Found(MatchRule.NUMBER, runs[index].start, runs[index + len(mine) - 1].end)


def _parts_of(text: Sequence[Word], wanted: str) -> Iterator[Found]:
    """Parts of all words as one that are *wanted*."""
    whole = words.squeezed([word.plain for word in text])
    places = [place for word in text for place in word.places]
    if len(whole) != len(places):
        return  # a letter with two capitals: its number is found all the same, but not shown
    at = whole.find(wanted)
    while at >= 0:
        yield Found(MatchRule.NUMBER, places[at][0], places[at + len(wanted) - 1][1])
        at = whole.find(wanted, at + 1)


def _without_zeros(run: Word) -> Word:
    plain = words.without_zeros(run.plain)
    return Word(plain, run.places[len(run.plain) - len(plain) :], run.gap)
