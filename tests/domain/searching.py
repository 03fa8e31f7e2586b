"""An oracle of search: slow and plain, it shares nothing with the program but the names of fields.

A case is a mapping: its name and number, the names and references of its parties, names of staff.
"""

import re
import unicodedata
from itertools import pairwise

from domain.reading.search import DEFAULT_FIELDS, MatchField


def normal(text):
    text = unicodedata.normalize("NFKC", text).translate(SAME).casefold()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).translate(SAME)


SAME = {
    0x2019: "'",
    0x2011: "-",
    0x2010: "-",
    0x00AD: "",
    0x201E: '"',
    0x201C: '"',
    0x2013: "-",
    0x142: "l",
    0xF8: "o",
}


def split(text):
    """The words of a text, and what comes between each and the one before."""
    found, end = [], None
    text = re.sub(r"(?<=[^\W_])'(?=[^\W_])", "", normal(text))
    for one in re.finditer(r"[^\W_]+", text):
        found.append((one[0], "" if end is None else text[end : one.start()]))
        end = one.end()
    return found


def loosened(word):
    return re.sub("([aou])e+", r"\1", word)


def groups(word_list):
    runs = [run for word in word_list for run in re.findall(r"\d+|\D+", word)]
    return [re.sub(r"^0+(?=\d)", "", run) for run in runs]


def terms_of(query):
    """Terms, each with the words of the number that it is a part of."""
    found = []
    text = normal(query)
    parts = text.split('"')
    for index, part in enumerate(parts):
        if index % 2 and index < len(parts) - 1:
            chunks = [(part, True)]
        else:
            label = r"(?:(?<=\s)|^)(?:(?:az|aktenzeichen|no|nr)(?:[.:]+\s*|\s+)|#\s*)+(?=\S*\d)"
            chunks = [(chunk, False) for chunk in re.sub(label, "", part).split()]
        for chunk, quoted in chunks:
            word_list = [word for word, _ in split(chunk)]
            number = word_list if re.search(r"\d", chunk) else []
            for term in [" ".join(word_list)] if quoted and word_list else word_list:
                found.append((term, number))
    return found


def has(term, text, *, is_code=False):
    """The best rule by which a text has a term; None if it has not."""
    found = split(text)
    word_list = [word for word, _ in found]
    whole = f" {' '.join(word_list)} "
    if f" {term} " in whole:
        return "word"
    if f" {term}" in whole:
        return "prefix"
    if term in whole:
        return "substring"
    wanted = loosened(term)
    letters = len(wanted.replace(" ", ""))
    size = wanted.count(" ") + 1
    runs = [" ".join(word_list[i : i + size]) for i in range(len(word_list) - size + 1)]
    if not is_code:
        runs += [
            one + other
            for (one, _), (other, gap) in pairwise(found)
            if (one + other).isalpha() and (gap == "-" or (gap == " " and len(one + other) <= 10))
        ]
    if any(
        loosened(run) == wanted or (letters >= 4 and loosened(run).startswith(wanted))
        for run in runs
    ):
        return "folded"
    return None


def has_number(number, text):
    word_list = [word for word, _ in split(text)]
    mine, theirs = groups(number), groups(word_list)
    raw = "".join(number)
    if raw in "".join(word_list) or raw in "".join(theirs):
        return True
    if len(number) == 1 and len(mine) > 1 and "".join(mine) in "".join(theirs):
        return True
    return any(theirs[i : i + len(mine)] == mine for i in range(len(theirs)))


def texts_of(case, fields):
    """Every text that is searched, and whether it is a number."""
    own = [(MatchField.NAME, case["name"], False), (MatchField.FILE_NUMBER, case["number"], True)]
    others = [
        *((MatchField.PARTY, name, False) for name, _ in case["parties"]),
        *((MatchField.REFERENCE, reference, True) for _, reference in case["parties"]),
        *((MatchField.STAFF, name, False) for name in case["staff"]),
    ]
    return [
        (field, text, code) for field, text, code in (*own, *others) if text and field in fields
    ]


def found_in(term, number, text, is_code):
    rule = has(term, text, is_code=is_code)
    if is_code and number and has_number(number, text):
        return min(rule or "number", "number", key=RULES.index)
    return rule


RULES = ["exact", "number", "word", "prefix", "substring", "folded"]


def score(query, case, fields):
    """How well a case fits; None if it is not found."""
    terms = terms_of(query)
    texts = texts_of(case, fields)
    for term, number in terms:
        if not any(found_in(term, number, text, code) for _, text, code in texts):
            return None
    own = [one for one in texts if one[0] in (MatchField.NAME, MatchField.FILE_NUMBER)]
    asked = [word for term, _ in terms for word in term.split()]
    for field, text, _code in own:
        mine = [word for word, _ in split(text)]
        if field is MatchField.FILE_NUMBER and (
            "".join(mine) == "".join(asked) or groups(mine) == groups(asked)
        ):
            return 6
    for field, text, _code in own:
        if field is MatchField.NAME and [word for word, _ in split(text)] == asked:
            return 5
    levels = [5]
    for term, number in terms:
        level = 0
        for _field, text, code in own:
            rule = has(term, text, is_code=code)
            level = max(level, {"word": 4, "prefix": 3, "substring": 2, "folded": 1}.get(rule, 0))
            if code and number and has_number(number, text):
                mine, theirs = groups(number), groups([word for word, _ in split(text)])
                whole = any(theirs[i : i + len(mine)] == mine for i in range(len(theirs)))
                level = max(level, 4 if whole else 2)
        levels.append(level)
    return min(levels)


def finds(query, name, number=None, *, parties=(), fields=DEFAULT_FIELDS):
    """Whether a search finds a case, or a person of this name."""
    case = {"name": name, "number": number, "parties": parties, "staff": ()}
    return not terms_of(query) or score(query, case, fields) is not None
