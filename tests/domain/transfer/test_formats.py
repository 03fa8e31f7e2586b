"""Files that are no JSON Lines are named in one sentence, and numbers are never changed."""

import gzip
import json

import pytest

from domain.errors import Invalid
from domain.transfer.importing import import_cases

CASE = json.dumps({"name": "Müller ./. Weiß"}, ensure_ascii=False)
FILES = {
    "gzip": (gzip.compress(CASE.encode()), "gzip"),
    "zip": (b"PK\x03\x04\x14\x00" + b"x" * 40, "ZIP"),
    "UTF-16 with a mark": (CASE.encode("utf-16"), "UTF-16"),
    "UTF-16, little end first": (CASE.encode("utf-16-le"), "UTF-16"),
    "UTF-16, big end first": (CASE.encode("utf-16-be"), "UTF-16"),
    "an array on one line": (f"[{CASE},{CASE}]\n".encode(), "array"),
    "an array on many lines": (json.dumps([{"name": "A"}], indent=2).encode(), "array"),
    "an object on many lines": (json.dumps({"name": "A"}, indent=2).encode(), "many lines"),
    "an object after an empty line": (b"\n  \n{\n", "many lines"),
    "commas": (b"name,file_number\nA,AZ-1\n", "CSV"),
    "semicolons": ("\ufeffName;Aktenzeichen\nA;AZ-1\n".encode(), "CSV"),
    "tabs": (b"name\tfile_number\nA\tAZ-1\n", "CSV"),
    "UTF-32": (CASE.encode("utf-32"), "UTF-32"),
    "XML": (b'<?xml version="1.0"?>\n<cases/>\n', "XML"),
    "HTML": ("\ufeff<!DOCTYPE html>\n<html>\n".encode(), "HTML"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n", "PDF"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 40, "Excel"),
    "a database": (b"SQLite format 3\x00" + b"x" * 40, "SQLite"),
}


def lines_of(content):
    return content.splitlines(keepends=True)


async def imported(who, database, content):
    rejects = []
    report = await import_cases(
        who, database, lines_of(content), source="s", on_reject=rejects.append
    )
    return report, rejects


@pytest.mark.parametrize("name", FILES)
async def test_another_kind_of_file_is_named_at_once(database, clerk, stored, name):
    content, said = FILES[name]
    before = stored()

    with pytest.raises(Invalid) as refused:
        await imported(clerk, database, content)

    assert said in refused.value.message
    assert "one JSON object on each line" in refused.value.message
    assert stored() == before


@pytest.mark.parametrize("content", ["", "\ufeff", "\ufeff\n", "\n\n", "\ufeff \n\n"])
async def test_a_file_of_nothing_holds_nothing(database, clerk, content):
    report, rejects = await imported(clerk, database, content.encode())

    assert (report.imported, rejects) == (0, [])


async def test_a_mark_before_the_first_line_is_no_part_of_it(database, clerk):
    report, rejects = await imported(clerk, database, f"\ufeff{CASE}\n".encode())

    assert (report.imported, rejects) == (1, [])


@pytest.mark.parametrize("bad", ["{", "nonsense", '"text"', "7"])
async def test_one_bad_line_does_not_make_another_file_of_it(database, clerk, bad):
    report, rejects = await imported(clerk, database, f"{CASE}\n{bad}\n".encode())

    assert (report.imported, len(rejects)) == (1, 1)


@pytest.mark.parametrize("name", ["Anna\tGroß", "Anna\r\nGroß", "Anna\n\t Groß", " Anna Groß\t"])
async def test_a_tab_or_a_line_break_in_a_name_is_a_space(database, clerk, raw, name):
    line = {"name": name, "parties": [{"name": name, "role": "client"}]}

    report, rejects = await imported(clerk, database, json.dumps(line).encode())

    assert (report.imported, rejects) == (1, [])
    for table in ("cases", "party"):
        [(found,)] = raw.execute(f"SELECT name FROM {table}").fetchall()
        assert " ".join(found.split()) == "Anna Groß"
        assert "\t" not in found


def with_change(number):
    event = {
        "type": "hearing",
        "occurred_at": "2026-01-15T09:00:00Z",
        "changes": [{"field": "value", "before": None, "after": "NUMBER"}],
    }
    return json.dumps({"name": "A", "timeline": [event]}).replace('"NUMBER"', number).encode()


@pytest.mark.parametrize(
    "number",
    [
        "18446744073709551615",
        "-9223372036854775808",
        "9007199254740993",
        "1e300",
        "0.1",
        "1.50",
        "1E5",
        "0.30000000000000004",
        "-12.000000000000000000000",
        "1e23",
        "5e-324",
    ],
)
async def test_a_number_is_kept_as_it_is(database, clerk, raw, number):
    report, rejects = await imported(clerk, database, with_change(number))

    assert (report.imported, rejects) == (1, [])
    [(changes,)] = raw.execute(
        "SELECT changes FROM timeline_event WHERE type = 'hearing'"
    ).fetchall()
    assert json.loads(changes)[0]["after"] == json.loads(number)


@pytest.mark.parametrize(
    "number",
    ["18446744073709551616", "-9223372036854775809", "1" + "0" * 30, "[" + "9" * 5_000 + "]"],
)
async def test_a_number_that_would_be_changed_is_refused(database, clerk, number):
    report, rejects = await imported(clerk, database, with_change(number))

    assert report.imported == 0
    assert "64 bits" in rejects[0].reason


@pytest.mark.parametrize(
    "number",
    [
        "0.1000000000000000055",
        "1234567890.12345678901",
        "1e-400",
        "-2.5e-324",
        "[1, 1E-999]",
        "1e-99999999999999999999",
        "9007199254740993.0",
        "9007199254740993e0",
        "1.00000000000000001e5",
    ],
)
async def test_a_decimal_number_that_would_be_rounded_is_refused(database, clerk, number):
    report, rejects = await imported(clerk, database, with_change(number))

    assert report.imported == 0
    assert "digits" in rejects[0].reason


async def test_long_digits_in_a_text_are_a_text(database, clerk):
    line = json.dumps({"name": "9" * 30}).encode()

    report, rejects = await imported(clerk, database, line)

    assert (report.imported, rejects) == (1, [])


async def test_the_kinds_that_were_guessed_are_counted(database, clerk, raw):
    parties = [
        {"name": "Meyer GmbH", "role": "client"},
        {"name": "Amtsgericht Köln", "role": "court"},
        {"name": "Jörg Müller", "role": "opponent"},
        {"name": "Bank of Nowhere", "kind": "person", "role": "witness"},
        {"name": "State of Texas", "type": "organization", "role": "expert"},
    ]

    report, _ = await imported(
        clerk, database, json.dumps({"name": "A", "parties": parties}).encode()
    )

    assert (report.parties, report.guessed) == (5, 2)
    kinds = dict(raw.execute("SELECT name, kind FROM party").fetchall())
    assert kinds == {
        "Meyer GmbH": "organization",
        "Amtsgericht Köln": "court",
        "Jörg Müller": "person",
        "Bank of Nowhere": "person",
        "State of Texas": "organization",
    }
