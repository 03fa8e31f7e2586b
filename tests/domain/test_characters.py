"""What lines lose that nobody sees, and what keys do not tell apart."""

import unicodedata
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import characters, checks, folding
from domain.checks import Check

UNSEEN = st.sampled_from(sorted(characters.DEFAULT_IGNORABLE))


def every():
    return (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


@cache
def folded():
    """Those of which another spelling may be left."""
    ignorable = characters.DEFAULT_IGNORABLE
    return [
        one
        for one in every()
        if unicodedata.normalize("NFKD", one.casefold()) != one or one in ignorable
    ]


def line(text):
    check = Check()
    value = check.line(text, checks.NAME_MAX, "name")
    return value, [problem.message for problem in check.problems]


def test_every_dash_that_python_knows_is_listed():
    assert {one for one in every() if unicodedata.category(one) == "Pd"} <= characters.DASHES


@pytest.mark.parametrize("key", [folding.plain, lambda text: folding.number_key(text) or ""])
def test_folding_any_character_twice_or_after_nfkc_is_folding_it_once(key):
    assert [one for one in folded() if key(key(one)) != key(one)] == []
    assert [one for one in folded() if key(unicodedata.normalize("NFKC", one)) != key(one)] == []


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=8), st.text(max_size=8), UNSEEN)
def test_what_is_ignorable_makes_no_difference_anywhere(before, after, unseen):
    for key in (folding.plain, folding.number, folding.number_key, folding.number_order):
        assert key(before + unseen + after) == key(before + after)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(
            ("AZ-1", f"az{dash}1")
            for dash in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
        ),
        *(("AZ 1", f"AZ{space}1") for space in ("  ", "\u00a0", "\u202f", "\u3000", "\u2009 ")),
        ("AZ-1", "A\u00adZ-\u200b1\ufeff"),
        ("AZ-1", "ＡＺ－１"),
        ("Straße 1", "STRASSE 1"),
    ],
)
def test_file_numbers_that_look_alike_are_one(one, other):
    assert folding.number_key(one) == folding.number_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("12-123", "121-23"), ("AZ-1", "AZ 1"), ("AZ-1", "AZ1"), ("AZ-1", "AZ/1"), ("Ü-1", "U-1")],
)
def test_separators_and_accents_of_file_numbers_count(one, other):
    assert folding.number_key(one) != folding.number_key(other)


@pytest.mark.parametrize(
    "text", ["O'Neill", "O’Neill", "O‘Neill", "O´Neill", "Oʼneill", "O\u00ad'Neill"]
)
def test_apostrophes_are_one(text):
    assert folding.plain(text) == "o'neill"


@pytest.mark.parametrize(
    "text", ["\u200b", "\u00ad", "\u202e \u2069", "\u3164", "\u2800", "\ufe0f", "\u200d"]
)
def test_a_text_that_shows_nothing_is_empty(text):
    check = Check()

    assert line(text) == ("", ["name must not be empty."])
    assert check.optional_line(text, 10, "note") is check.prose(text, 10, "description") is None
    assert check.problems == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2067Weiß\u2069", "Weiß"),
        ("\ufeffMül\u00adler\u200b ", "Müller"),
        ("u\u200b\u0308", "ü"),
        ("Ad\u200cmin\u200d", "Admin"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("ه\u200d", "ه"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d⚖️ Kanzlei", "👩\u200d⚖️ Kanzlei"),
        ("\u0600\u0661", "\u0600\u0661"),
    ],
)
def test_a_line_loses_what_could_falsify_its_look(given, kept):
    assert line(given) == (kept, [])


def test_prose_keeps_its_direction_marks():
    assert Check().prose("a\u200f\nb", 10, "description") == "a\u200f\nb"


def test_an_id_with_something_unseen_is_refused():
    check = Check()

    check.identifier("pty_\u200b1", "id")

    assert len(check.problems) == 1
