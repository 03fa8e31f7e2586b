"""Characters that nobody sees, and characters that look alike.

Python's unicodedata lacks three properties, so their code points are listed here: those of Unicode
16.0. Default_Ignorable_Code_Point also reserves code points for characters to come.
"""

import unicodedata
from collections.abc import Iterable


def _listed(ranges: str) -> str:
    """The characters of ranges like 2010-2015, as data files of Unicode write them."""
    ends = ([int(end, 16) for end in one.split("-")] for one in ranges.split())
    return "".join(
        chr(code) for first, *last in ends for code in range(first, (last or [first])[0] + 1)
    )


DEFAULT_IGNORABLE = frozenset(
    _listed(
        "00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F"
        " FEFF FFA0 FFF0-FFF8 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
    )
)
"""Unicode's DerivedCoreProperties.txt: Default_Ignorable_Code_Point."""
DASHES = frozenset(
    _listed(
        "002D 058A 05BE 1400 1806 2010-2015 2053 207B 208B 2212 2E17 2E1A 2E3A-2E3B 2E40 2E5D 301C"
        " 3030 30A0 FE31-FE32 FE58 FE63 FF0D 10D6E 10EAD"
    )
)
"""Unicode's PropList.txt: Dash. Hyphens are among them, and so is the minus sign."""
APOSTROPHES = frozenset(
    _listed("0027 00B4 02B9 02BB-02BD 055A 2018-201B 2032 2035 2039-203A FF07 1FFD")
)
"""The apostrophe, single quotes, and what keyboards offer beside them."""
QUOTES = frozenset(_listed("0022 00AB 00BB 02BA 201C-201F 301D-301F FF02"))
_SHOWN_FORMATS = frozenset(_listed("0600-0605 06DD 070F 0890-0891 08E2 110BD 110CD"))
"""Unicode's PropList.txt: Prepended_Concatenation_Mark, the format characters that one sees."""
_BLANKS = "\u2800\U0001d159"  # empty Braille, and a note without a head: symbols without ink
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_VIRAMA = 9  # the combining class of what joins the consonants of Indic scripts

_ALIKE = str.maketrans(
    dict.fromkeys(DASHES, "-")
    | dict.fromkeys(APOSTROPHES, "'")
    | dict.fromkeys(QUOTES, '"')
    | dict.fromkeys(DEFAULT_IGNORABLE, "")
)


def alike(text: str) -> str:
    """The text with one kind of dash, of apostrophe and of quote, without ignorable characters."""
    return text.translate(_ALIKE)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return all(
        char.isspace() or char in DEFAULT_IGNORABLE or char in _BLANKS or _is_format(char)
        for char in text
    )


def without_formats(text: str) -> str:
    """The text without invisible format characters (category Cf), which could falsify its look.

    They turn around the order of letters or hide among them: see Unicode Technical Standard 55,
    Source Code Handling. The joiner and the non-joiner stay where they shape what is seen: beside
    a virama, among Arabic letters, and the joiner between emoji (Unicode 23.2; RFC 5892, A.1).
    """
    if text.isascii():
        return text
    return "".join(
        char
        for place, char in enumerate(text)
        if not _is_format(char) or (char in (_NON_JOINER, _JOINER) and _is_shaping(text, place))
    )


def _is_format(char: str) -> bool:
    return unicodedata.category(char) == "Cf" and char not in _SHOWN_FORMATS


def _is_shaping(text: str, place: int) -> bool:
    """Whether the joiner or non-joiner at *place* makes a difference to what is seen."""
    before, after = text[:place][-1:], text[place + 1 :][:1]
    if not before or not after:
        return False
    if _VIRAMA in (unicodedata.combining(before), unicodedata.combining(after)):
        return True
    arabic = [_is_arabic(reversed(text[:place])), _is_arabic(text[place + 1 :])]
    if text[place] == _NON_JOINER:
        return all(arabic)
    category = unicodedata.category
    emoji = category(before) in ("So", "Sk") or before == "\ufe0f"
    return any(arabic) or (emoji and category(after) in ("So", "Sm"))


def _is_arabic(text: Iterable[str]) -> bool:
    """Whether the next letter joins like Arabic ones; marks before it are passed over."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return next((kind for kind in kinds if kind != "NSM"), "") == "AL"
