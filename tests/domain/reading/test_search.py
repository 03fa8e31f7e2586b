import pytest

from domain import folding
from domain.inputs import (
    CaseChanges,
    CaseFilter,
    CaseOrder,
    CaseOrderField,
    PartyChanges,
    PartyRole,
    StaffChanges,
    StaffRole,
)
from domain.reading import lists, matches, objects
from domain.reading.paging import Paging
from domain.storage import turns
from domain.writing import cases, register


@pytest.fixture
def found(database, clerk):
    """The names of the cases that a search finds, in the order they were made."""

    async def search(text, who=clerk):
        async with database.read() as db:
            page = await objects.cases(who, db, CaseFilter(search=text), paging=Paging(100))
        return [case.name for case in page][::-1]

    return search


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller", "muller"),
        ("MÜLLER", "muller"),
        ("Mueller", "mueller"),
        ("Mu\u0308ller", "muller"),
        ("Weiß", "weiss"),
        ("STRAẞE", "strasse"),
        ("Señor Ñandú", "senor nandu"),
        ("Ångström", "angstrom"),
        ("Łódź", "lodz"),
        ("Bjørn", "bjorn"),
        ("Œuvre Ærø", "oeuvre aero"),
        ("İstanbul ısı", "istanbul isi"),
        ("ﬁn", "fin"),
        ("Ｆｕｌｌ", "full"),
        ("№ 7", "no 7"),
        ("  two \t spaces\u00a0here ", "two spaces here"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("Σίσυφος", "σισυφοσ"),
        ("Ёлка", "елка"),
        ("%_\"'*", "%_\"'*"),
        ("\u0301", ""),
    ],
)
def test_the_plain_form_has_no_case_and_no_marks(text, folded):
    assert folding.plain(text) == folded


@pytest.mark.parametrize("text", ["Müller", "Weiß", "Łódź", "Œuvre", "ﬁn", "İ", "№", "ΰ"])
def test_folding_twice_is_folding_once(text):
    assert folding.plain(folding.plain(text)) == folding.plain(text)


@pytest.mark.parametrize(
    ("number", "folded"),
    [
        ("AZ-2026-042", "az2026042"),
        ("az 2026/042", "az2026042"),
        ("AZ2026042", "az2026042"),
        ("§ 12 (b)", "12b"),
        ("---", ""),
    ],
)
def test_a_number_key_has_no_separators(number, folded):
    assert folding.number(number) == folded


NAMES = ["Müller", "Mueller", "Muller", "Weiß", "Weiss", "Groß & Söhne", "Größe"]


@pytest.mark.parametrize(
    ("search", "hits"),
    [
        ("Müller", ["Müller", "Mueller", "Muller"]),
        ("Mueller", ["Müller", "Mueller", "Muller"]),
        ("Muller", ["Müller", "Mueller", "Muller"]),
        ("MÜLLER", ["Müller", "Mueller", "Muller"]),
        ("Mu\u0308ller", ["Müller", "Mueller", "Muller"]),
        ("uller", ["Müller", "Muller"]),
        ("eller", ["Mueller"]),
        ("weiß", ["Weiß", "Weiss"]),
        ("WEISS", ["Weiß", "Weiss"]),
        ("eis", ["Weiß", "Weiss"]),
        ("gross", ["Groß & Söhne", "Größe"]),
        ("Größe", ["Größe"]),
        ("groesse", ["Größe"]),
        ("soehne", ["Groß & Söhne"]),
        ("&", NAMES),
        ("& söh", ["Groß & Söhne"]),
        ("söhne groß", ["Groß & Söhne"]),
        ("ß", ["Weiß", "Weiss", "Groß & Söhne", "Größe"]),
        ("mü", ["Müller", "Mueller", "Muller"]),
        ("w", ["Weiß", "Weiss"]),
        ("  müller  ", ["Müller", "Mueller", "Muller"]),
        ("groß   &\tsöhne", ["Groß & Söhne"]),
        ("maller", []),
        ("x", []),
    ],
)
async def test_every_spelling_finds_every_spelling(given_case, found, search, hits):
    for name in NAMES:
        await given_case(name)

    assert await found(search) == hits


@pytest.mark.parametrize(
    "search",
    [
        "AZ-2026-042",
        "az 2026/042",
        "AZ2026042",
        "az2026042",
        "2026-042",
        "2026042",
        "26/04",
        "026 04",
        "A Z 2 0 4 6",
        "Az.: AZ-2026-042",
        "az 2026/42",
        "AZ202642",
        "#2026/0042",
        "Nr. 2026-42",
        "Aktenzeichen 42",
        "z02026",
        "42",
    ],
)
async def test_a_file_number_is_found_with_any_separators(given_case, found, search):
    await given_case("Found", file_number="AZ-2026-042")
    await given_case("Other", file_number="AZ-2025-017")
    await given_case("None")

    assert await found(search) == ["Found"]


async def test_separators_of_names_count(given_case, found):
    await given_case("Az 2026 042")

    assert await found("az2026042") == []


PLAIN = [
    "100% Baumwolle",
    "snake_case",
    'the "Kanzlei" case',
    "O'Brien",
    "a*b",
    "NEAR(x, y)",
    "this OR that",
    "(brackets)",
    "plain: column",
    "-minus ^caret +plus",
    "back\\slash",
    "nothing of it",
]


@pytest.mark.parametrize(
    ("search", "hits"),
    [
        ("%", PLAIN),
        ("100%", ["100% Baumwolle"]),
        ("1%B", ["100% Baumwolle"]),
        ("1%C", []),
        ("_", PLAIN),
        ("snake_case", ["snake_case"]),
        ("sn____ca", ["snake_case"]),
        ('"', PLAIN),
        ('"""', PLAIN),
        ('he "Kan', ['the "Kanzlei" case']),
        ('"Kanzlei"', ['the "Kanzlei" case']),
        ('"the Kanzlei"', ['the "Kanzlei" case']),
        ('"Kanzlei the"', []),
        ('"Kanzlei" nothing', []),
        ('xyz" OR plain : "nothing', []),
        ("'", PLAIN),
        ("o'br", ["O'Brien"]),
        ("obrien", ["O'Brien"]),
        ("' OR 1=1 --", []),
        ("*", PLAIN),
        ("y*x", ["NEAR(x, y)"]),
        ("noth*", ["nothing of it"]),
        ("OR", ["this OR that"]),
        ("brackets OR nothing", []),
        ("that OR this", ["this OR that"]),
        ("this AND that", []),
        ("NOT nothing", ["nothing of it"]),
        ("NEAR(", ["NEAR(x, y)"]),
        ("NEAR(x, y)", ["NEAR(x, y)"]),
        ("NEAR(nothing it)", []),
        ("plain:", ["plain: column"]),
        ("plain : nothing", []),
        ("name : column", []),
        ("^caret", ["-minus ^caret +plus"]),
        ("-minus", ["-minus ^caret +plus"]),
        ("(brackets)", ["(brackets)"]),
        ("\\", PLAIN),
        ("ck\\sla", ["back\\slash"]),
        ("{plain}", ["plain: column"]),
        ("...", PLAIN),
    ],
)
async def test_operators_and_wildcards_are_plain_characters(given_case, found, search, hits):
    for name in PLAIN:
        await given_case(name)

    assert await found(search) == hits


async def test_a_search_without_a_letter_to_look_for_finds_everything(given_case, found):
    for name in ("One", "Other"):
        await given_case(name)

    assert await found("") == ["One", "Other"]
    assert await found(" \u00a0\n") == ["One", "Other"]
    assert await found("\u0301") == ["One", "Other"]
    assert await found("./. \u2013 \u201e \u201c 😀") == ["One", "Other"]


async def test_a_word_does_not_span_name_and_file_number(given_case, found):
    await given_case("Meier", file_number="AZ-1")

    assert await found("eier az") == ["Meier"]
    assert await found('"eier az"') == []
    assert await found("r\nA") == ["Meier"]
    assert await found("eierAZ1") == []


async def test_scripts_without_blanks_are_found_by_any_part(given_case, found):
    names = ["王小明 v. 李", "สมชาย ใจดี", "田中太郎の件"]
    for name in names:
        await given_case(name, file_number=f"第{len(name)}号")

    for search, hits in (
        ("小明", names[:1]),
        ("李", names[:1]),
        ("明 李", names[:1]),
        ("มชา", names[1:2]),
        ("太郎", names[2:]),
        ("中太郎の", names[2:]),
        ("号", names),
        ("第8号", names[:1]),
        ("明李", []),
    ):
        assert await found(search) == hits, search


async def test_short_and_long_terms_find_alike(given_case, found):
    await given_case("𝔘mlaut 𠀀𠀁𠀂", file_number="一二三四")

    for search in ("𠀀", "𠀀𠀁", "𠀀𠀁𠀂", "一", "一二", "二三四", "umlaut", "𠀀 umlaut 一"):
        assert await found(search) == ["𝔘mlaut 𠀀𠀁𠀂"], search
    assert await found("𠀀𠀁𠀂𠀀") == []


async def test_the_marks_of_the_index_are_no_words(given_case, found, clerk):
    scope = chr(0xE000) + chr(0xE000) + chr(0xE000 + clerk.workspace_id * 4)
    await given_case(f"Secret {scope}", file_number="A-1")
    await given_case("Other")

    assert await found(scope) == [f"Secret {scope}", "Other"]
    assert await found("|A|#|") == [f"Secret {scope}"]
    assert await found("|B|#|") == []


async def test_a_changed_name_is_found_by_its_new_form_only(database, clerk, given_case, found):
    case = await given_case("Alter Name", file_number="ALT-1")

    await cases.update_case(
        clerk, database, case.id, CaseChanges(name="Neuer Titel", file_number="NEU-2")
    )

    assert await found("titel") == await found("neu2") == ["Neuer Titel"]
    assert await found("alter") == await found("alt1") == await found("lt") == []


async def test_a_deleted_case_is_not_found(database, clerk, given_case, found):
    case = await given_case("Geheim")

    await cases.delete_case(clerk, database, case.id)

    assert await found("geheim") == await found("ge") == []


@pytest.mark.parametrize("search", ["Müller", "mü"])
async def test_workspaces_do_not_find_each_others_cases(given_case, found, stranger, search):
    await given_case("Müller")
    await given_case("Müller II", who=stranger)

    assert await found(search) == ["Müller"]
    assert await found(search, stranger) == ["Müller II"]


async def test_people_and_cases_of_one_name_are_found_apart(
    database, clerk, given_case, given_party, given_staff, found
):
    await given_case("Otto")
    party = await given_party("Otto")
    staff = await given_staff("Otto")

    async with database.read() as db:
        for search in ("otto", "ot"):
            assert await found(search) == ["Otto"]
            assert list(await objects.parties(clerk, db, search)) == [party]
            assert list(await objects.staff(clerk, db, search)) == [staff]


async def test_staff_is_found_by_email(database, clerk, given_staff):
    staff = await given_staff("Ben Ott", email="b.ott@example.org")

    async with database.read() as db:
        assert list(await objects.staff(clerk, db, "b.ott@EXAMPLE")) == [staff]
        assert list(await objects.staff(clerk, db, "ott b.ott")) == [staff]
        assert list(await objects.staff(clerk, db, "ott c.ott")) == []


async def test_renamed_people_are_found_by_their_new_name_only(
    database, clerk, given_party, given_staff
):
    party, staff = await given_party("Alt"), await given_staff("Alt", email="alt@example.org")

    party = await register.update_party(clerk, database, party.id, PartyChanges(name="Neu"))
    staff = await register.update_staff(
        clerk, database, staff.id, StaffChanges(name="Neu", email=None)
    )

    async with database.read() as db:
        assert list(await objects.parties(clerk, db, "alt")) == []
        assert list(await objects.staff(clerk, db, "alt")) == []
        assert list(await objects.parties(clerk, db, "neu")) == [party]
        assert list(await objects.staff(clerk, db, "neu")) == [staff]


@pytest.mark.parametrize("few", [0, 4, 500])
async def test_the_list_is_the_same_whether_its_hits_are_few_or_many(
    database, clerk, given_case, given_party, monkeypatch, few
):
    monkeypatch.setattr(lists, "FEW", few)
    monkeypatch.setattr(lists, "MANY", 2 * few)
    for n in range(11):
        await given_case(f"Case {n:02} Müller", status="closed" if n % 3 == 0 else "active")
        await given_case(f"Case {n:02} Weiß")
        await given_party(f"Müller {n:02}")
    wanted = CaseFilter(search="muller", status=["active"])
    expected = [f"Case {n:02} Müller" for n in range(11) if n % 3]

    for order in (CaseOrder(), CaseOrder(CaseOrderField.NAME, descending=False)):
        newest_first = order.field is CaseOrderField.CREATED_AT
        async with database.read() as db:
            seen, cursor = [], None
            while True:
                page = await objects.cases(clerk, db, wanted, order, Paging(2, after=cursor))
                seen += [case.name for case in page]
                if not page.has_next:
                    break
                cursor = page.end_cursor
            assert await objects.count_cases(clerk, db, wanted) == len(expected)
            back = await objects.cases(
                clerk, db, wanted, order, Paging(3, before=cursor, backwards=True)
            )
        if newest_first:
            seen.reverse()
        assert sorted(seen) == expected
        if not newest_first:
            assert seen == expected
        assert len(list(back)) == 3
    async with database.read() as db:
        people = await objects.parties(clerk, db, "muller", Paging(4))
        assert [party.name for party in people] == [f"Müller {n:02}" for n in range(4)]
        assert await objects.count(db, lists.parties(clerk, "muller")) == 11


async def test_a_cursor_holds_when_few_hits_become_many(database, clerk, given_case, monkeypatch):
    monkeypatch.setattr(lists, "FEW", 4)
    for n in range(4):
        await given_case(f"Müller {n}")
    by_name = CaseOrder(CaseOrderField.NAME, descending=False)
    wanted = CaseFilter(search="muller")
    async with database.read() as db:
        page = await objects.cases(clerk, db, wanted, by_name, Paging(2))
    for n in range(4, 8):
        await given_case(f"Müller {n}")

    async with database.read() as db:
        rest = await objects.cases(clerk, db, wanted, by_name, Paging(9, after=page.end_cursor))

    assert [case.name for case in rest] == [f"Müller {n}" for n in range(2, 8)]


@pytest.mark.parametrize("few", [1, 500])
async def test_a_search_is_made_once_for_a_page_and_its_total(
    database, clerk, given_case, monkeypatch, few
):
    monkeypatch.setattr(lists, "FEW", few)
    monkeypatch.setattr(lists, "MANY", few)
    for n in range(4):
        await given_case(f"Müller {n}")
    async with database.read(clerk.workspace_id) as db:
        asked = await lists.cases(clerk, CaseFilter(search="muller"), None).settled(db)
        assert asked.seeking is None
        assert await asked.settled(db) is asked
        page = await objects.page(db, asked, Paging(3))
        assert len(list(page)) == 3
        assert await objects.count(db, asked) == 4


async def test_what_is_short_without_its_zeros_is_found(given_case, found):
    await given_case("Found", file_number="XA-7")
    await given_case("Other", file_number="XB-7")

    assert await found("a07") == ["Found"]
    assert await found("xa007") == ["Found"]


@pytest.mark.parametrize("few", [1, 500])
async def test_what_is_at_a_cursor_of_a_search_is_outside_of_the_page(
    database, clerk, given_case, monkeypatch, few
):
    monkeypatch.setattr(lists, "FEW", few)
    monkeypatch.setattr(lists, "MANY", few)
    for n in range(3):
        await given_case(f"Müller {n}")
    async with database.read(clerk.workspace_id) as db:
        for order in (None, CaseOrder(CaseOrderField.NAME, descending=False)):
            asked = lists.cases(clerk, CaseFilter(search="muller"), order)
            counted = await asked.settled(db)
            page = await objects.page(db, counted, Paging(3))
            first, last = page.start_cursor, page.end_cursor
            for paging, expected in (
                (Paging(1, after=first), (True, False)),
                (Paging(1, before=last), (False, True)),
                (Paging(1), (False, False)),
                (Paging(1, after=last), (True, False)),  # an empty page
            ):
                paged = await asked.settled(db, paging, asked.columns)
                assert await objects.outside(db, counted, paging) == expected, order
                assert await objects.outside(db, paged, paging) == expected, order
                assert await objects.count(db, paged) == 3
                found = list(await objects.page(db, paged, paging))
                assert found == list(await objects.page(db, counted, paging))


async def test_ranges_are_counted_as_javascript_counts(database, clerk, given_case):
    await given_case("𝔘𝔫𝔡 😀 Müller 😀 Bau")
    async with database.read(clerk.workspace_id) as db:
        asked = lists.cases(clerk, CaseFilter(search="bau müller"), None)
        page = await objects.page(db, asked, Paging(1))
        [[match]] = (await matches.of(db, asked, list(page))).values()

    units = match.text.encode("utf-16-le")
    told = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in match.ranges]
    assert told == ["Müller", "Bau"]


async def test_people_of_one_name_are_each_a_match(
    database, clerk, given_case, given_party, given_staff
):
    parties = [PartyRole((await given_party("Otto")).id, "client", "R 7") for _ in range(2)]
    staff = [StaffRole((await given_staff("Otto")).id, "clerk") for _ in range(2)]
    await given_case("Case", parties=parties, staff=staff)
    async with database.read(clerk.workspace_id) as db:
        wanted = CaseFilter(search="otto", in_=["parties", "staff", "references"])
        asked = lists.cases(clerk, wanted, None)
        page = await objects.page(db, asked, Paging(1))
        [told] = (await matches.of(db, asked, list(page))).values()

    assert sorted(one.field for one in told) == ["parties", "parties", "staff", "staff"]
    assert len({(one.party or one.staff).id for one in told}) == 4


async def test_all_hits_are_counted_as_visited_though_one_is_shown(database, clerk, given_case):
    for n in range(40):
        await given_case(f"Müller {n}")
    turns.begin("key")
    async with database.read(clerk.workspace_id) as db:
        found = await objects.cases(clerk, db, CaseFilter(search="muller"), paging=Paging(1))

    assert len(list(found)) == 1
    assert turns.visited() >= 80


@pytest.mark.parametrize(("told", "counted"), [(10, 86), (300, 305)])
def test_hits_are_not_counted_twice(told, counted):
    turns.begin("key")
    turns.READING.get().visited = 5
    before = turns.visited()
    turns.READING.get().visited += told

    turns.met(40, before)

    assert turns.visited() == counted
