"""The rules for text: the checks behind every field that a caller fills in.

A *Check* collects problems instead of raising the first, so that a form can show them all.
"""

import re
import unicodedata
from dataclasses import dataclass, field

from domain import characters, instants
from domain.errors import Invalid, Path, Problem, Refused, Several
from domain.instants import Instant

NAME_MAX = 500
FILE_NUMBER_MAX = 100
DESCRIPTION_MAX = 20_000
DEZERNAT_MAX = 200
WORD_MAX = 100
REFERENCE_MAX = 200
NOTE_MAX = 1_000
EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
SEARCH_MAX = 200
IDEMPOTENCY_KEY_MAX = 255
ID_MAX = 100

_WORD = re.compile(r"[^\W\d_][\w-]*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(slots=True)
class Check:
    """Checks values and collects the problems; call done() before using the results."""

    problems: list[Problem] = field(default_factory=list)
    _refusals: list[Refused] = field(default_factory=list)

    def wrong(self, message: str, *path: str) -> None:
        self.problems.append(Problem(Invalid.code, message, path))

    def refuse(self, refusal: Refused) -> None:
        """Collect a refusal that is not about one value alone, like an id that nothing has."""
        self._refusals.append(refusal)
        self.problems += refusal.problems

    def done(self) -> None:
        """Raise all the problems, if there are any: Invalid, the one refusal, or Several."""
        if not self.problems:
            return
        if len(self.problems) == len(self._refusals) == 1:
            raise self._refusals[0]
        if all(problem.code == Invalid.code for problem in self.problems):
            raise Invalid(self.problems)
        raise Several(self.problems)

    def line(self, value: object, longest: int, *path: str) -> str:
        """A single line of text, trimmed and in NFC, of 1 to *longest* characters.

        Format characters are dropped, so that it is what it looks like (Unicode 23.2 to 23.9), and
        one of invisible characters only is empty.
        """
        text = self._text(value, longest, path, formats=False)
        if text is None:
            return ""
        if not text:
            self.wrong(f"{_noun(path)} must not be empty.", *path)
        elif any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in text):
            self.wrong(f"{_noun(path)} must not contain control characters or line breaks.", *path)
        return text

    def optional_line(self, value: object, longest: int, *path: str) -> str | None:
        """Like line(), but null stays null and blank text becomes null."""
        if value is None or (
            isinstance(value, str) and len(value) <= longest and characters.is_blank(value)
        ):
            return None
        return self.line(value, longest, *path)

    def prose(self, value: object, longest: int, *path: str) -> str | None:
        """Multi-line text of up to *longest* characters; null if it shows nothing.

        Format characters stay: prose may quote, or be written in two directions, and none of them
        acts beyond its paragraph.
        """
        if value is None:
            return None
        text = self._text(value, longest, path, formats=True)
        if text and any(
            unicodedata.category(char) == "Cc" and char not in "\n\r\t" for char in text
        ):
            self.wrong(f"{_noun(path)} must not contain control characters.", *path)
        return text or None

    def stored(self, value: object, longest: int, *path: str) -> str:
        """A text to compare with stored lines; blank becomes "", which no stored text equals."""
        text = characters.without_formats(self.prose(value, longest, *path) or "")
        return unicodedata.normalize("NFC", text).strip()

    def word(self, value: object, *path: str, like: str = "lead_attorney") -> str:
        """Any lower-case word of letters, digits, - and _ that begins with a letter."""
        text = self._text(value, WORD_MAX, path, formats=False)
        if text is None:
            return ""
        if not _WORD.fullmatch(text) or text != text.lower():
            self.wrong(f"{_noun(path)} must be one lower-case word, like {like}.", *path)
        return text

    def optional_word(self, value: object, *path: str, like: str = "litigation") -> str | None:
        return None if value is None else self.word(value, *path, like=like)

    def email(self, value: object, *path: str) -> str | None:
        text = self.optional_line(value, EMAIL_MAX, *path)
        if text and not _EMAIL.fullmatch(text):
            self.wrong("email must look like name@example.org.", *path)
        return text

    def one_of(self, value: object, allowed: tuple[str, ...], *path: str) -> str:
        if isinstance(value, str) and value in allowed:
            return str(value)
        self.wrong(f"{_noun(path)} must be one of: {', '.join(allowed)}.", *path)
        return ""

    def instant(self, value: object, *path: str) -> Instant | None:
        if value is None:
            return None
        try:
            return instants.parse(value) if isinstance(value, str) else instants.parse("")
        except ValueError:
            self.wrong(f"{_noun(path)} must be an instant like 2026-01-15T09:00:00Z.", *path)
            return None

    def identifier(self, value: object, *path: str) -> str:
        """An id from any system: one line, unchanged, with nothing that line() would change."""
        text = self.line(value, ID_MAX, *path)
        if isinstance(value, str) and text and text != value:
            self.wrong(
                f"{_noun(path)} must be an id in NFC without spaces at its ends"
                " or invisible characters.",
                *path,
            )
        return text

    def _text(self, value: object, longest: int, path: Path, *, formats: bool) -> str | None:
        if not isinstance(value, str):
            self.wrong(f"{_noun(path)} must be a string.", *path)
            return None
        # Checked first because it is cheap: a name may be 10 MB long.
        if len(value) > 2 * longest + 1000:
            self.wrong(f"{_noun(path)} must have at most {longest} characters.", *path)
            return None
        if not _storable(value):
            self.wrong(f"{_noun(path)} must not contain NUL or lone surrogates.", *path)
            return None
        kept = value if formats else characters.without_formats(value)
        text = unicodedata.normalize("NFC", kept).strip()
        if characters.is_blank(text):
            return ""
        if len(text) > longest:
            self.wrong(f"{_noun(path)} must have at most {longest} characters.", *path)
            return None
        return text


def may_be_id(text: str) -> bool:
    """Whether a row can have the id *text*: it may be a megabyte or contain a lone surrogate."""
    return len(text) <= ID_MAX and _storable(text)


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _noun(path: Path) -> str:
    """The field's name in words, like "file number"; the surfaces differ only in case."""
    return next((part for part in reversed(path) if not part.isdigit()), "value").replace("_", " ")
