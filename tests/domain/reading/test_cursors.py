import base64
import json

import pytest

from domain.errors import Invalid
from domain.inputs import CaseFilter, CaseOrder, CaseOrderField
from domain.reading import cursors, objects
from domain.reading.paging import Paging, checked_limit, relay_paging

SECRET, ANOTHER = "01" * 32, "02" * 32
SEAL = cursors.seal(SECRET, "cases")
PRIVATE = cursors.seal(SECRET, "cases", private=True)
MARK = SEAL.mark


def forged(**content):
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    ("position", "types"),
    [
        (("2026-01-15T09:00:00Z", "019bc8f0"), (str, str)),
        (('quote " and \\', "id"), (str, str)),
        (("Müller 😀", "id"), (str, str)),
        ((7,), (int,)),
        ((2**63 - 1,), (int,)),
        (("lnk_0",), (str,)),
    ],
)
@pytest.mark.parametrize("seal", [SEAL, PRIVATE])
def test_a_cursor_is_read_as_it_was_written(position, types, seal):
    cursor = cursors.encode(position, seal)

    assert cursors.decode(cursor, seal, types, "after") == position
    assert cursors.encode(position, seal) == cursor


def test_a_private_key_is_not_to_be_read_moved_or_made():
    cursor = cursors.encode(("muller ./. weiss", "019bc8f0"), PRIVATE)
    content = json.loads(base64.b64decode(cursor))

    assert content.keys() == {"id", "k", "f"}
    assert content["id"] == "019bc8f0"
    for form in (cursor.encode(), base64.b64decode(cursor), base64.b64decode(content["k"])):
        assert b"muller" not in form
    other = cursors.seal(ANOTHER, "cases", private=True)
    for forged_cursor in (
        forged(**content | {"id": "019bc8f1"}),
        forged(**content | {"k": ["muller"]}),
        forged(**content | {"k": content["k"][:-4]}),
        forged(**content | {"k": None}),
        forged(**content | {"k": ""}),
        cursors.encode(("muller", "019bc8f0"), SEAL),
        cursors.encode(("muller", "019bc8f0"), other._replace(mark=PRIVATE.mark)),
    ):
        with pytest.raises(Invalid):
            cursors.decode(forged_cursor, PRIVATE, (str, str), "after")
    with pytest.raises(Invalid):
        cursors.decode(cursor, SEAL, (str, str), "after")


def test_a_cursor_is_padded_base64_of_compact_json_that_starts_with_the_id():
    cursor = cursors.encode(("2026-01-15T09:00:00Z", "019bc8f0"), cursors.Seal("0123456789ab"))

    assert base64.b64decode(cursor, validate=True) == (
        b'{"id":"019bc8f0","k":["2026-01-15T09:00:00Z"],"f":"0123456789ab"}'
    )


def test_a_plus_that_became_a_space_is_a_plus_again():
    position = next(
        position
        for position in ((f"{'~' * n}>>>", "id") for n in range(10))
        if "+" in cursors.encode(position, SEAL)
    )
    cursor = cursors.encode(position, SEAL).replace("+", " ")

    assert cursors.decode(cursor, SEAL, (str, str), "after") == position


def test_a_seal_tells_lists_apart():
    lists = [
        (SECRET, "cases"),
        (ANOTHER, "cases"),
        (SECRET, "parties"),
        (SECRET, "cases", ["active"]),
        (SECRET, "cases", ["closed"]),
        (SECRET, "cases", None, True),
        (SECRET, "cases", None, False),
    ]

    assert len({cursors.seal(*arguments) for arguments in lists}) == len(lists)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "=",
        "é",
        "\ud800",
        "NUL\0",
        "A" * 5_000,
        base64.b64encode(b"[" * 2_000).decode(),
        base64.b64encode(b'{"id":"x","k":[],"f":"' + MARK.encode() + b'"').decode(),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b'{"id":"\\ud800","k":["x"],"f":"' + MARK.encode() + b'"}').decode(),
        forged(),
        forged(id="x", k=["y"]),
        forged(id="x", k=["y"], f="000000000000"),
        forged(id="x", k=["y"], f=MARK, more=1),
        forged(id="x", k="y", f=MARK),
        forged(id="x", k=[], f=MARK),
        forged(id="x", k=["y", "z"], f=MARK),
        forged(id=7, k=["y"], f=MARK),
        forged(id="x", k=[None], f=MARK),
        forged(id="x", k=[["y"]], f=MARK),
        forged(id={"x": 1}, k=["y"], f=MARK),
        forged(id="NUL \0", k=["y"], f=MARK),
        cursors.encode(("y", "x"), SEAL)[:-4],
        cursors.encode(("y", "x"), SEAL) + "!",
        cursors.encode(("y", "x"), cursors.seal(ANOTHER, "cases")),
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor):
    with pytest.raises(Invalid) as refused:
        cursors.decode(cursor, SEAL, (str, str), "before")

    assert refused.value.field == ("before",)
    assert refused.value.message == (
        "before must be a cursor of this list, with the same filter and order."
    )


@pytest.mark.parametrize("part", [True, 1.0, "1", 2**63, -(2**63) - 1, None])
def test_a_number_in_a_cursor_is_a_whole_number_that_fits(part):
    with pytest.raises(Invalid):
        cursors.decode(forged(id=part, k=[], f=MARK), SEAL, (int,), "after")


async def test_a_cursor_of_another_list_is_refused(database, clerk, stranger, given_case):
    for _ in range(2):
        await given_case("Case")
        await given_case("Case", who=stranger)
    lists = {
        "cases": lambda db, paging: objects.cases(clerk, db, paging=paging),
        "closed": lambda db, paging: objects.cases(
            clerk, db, CaseFilter(not_=CaseFilter(status=["closed"])), paging=paging
        ),
        "archived": lambda db, paging: objects.cases(
            clerk, db, CaseFilter(not_=CaseFilter(status=["archived"])), paging=paging
        ),
        "search": lambda db, paging: objects.cases(
            clerk, db, CaseFilter(search="case"), paging=paging
        ),
        "oldest first": lambda db, paging: objects.cases(
            clerk, db, order=CaseOrder(descending=False), paging=paging
        ),
        "by name": lambda db, paging: objects.cases(
            clerk, db, order=CaseOrder(CaseOrderField.NAME), paging=paging
        ),
        "foreign": lambda db, paging: objects.cases(stranger, db, paging=paging),
    }
    async with database.read() as db:
        ends = {name: (await read(db, Paging(1))).end_cursor for name, read in lists.items()}

        for name, read in lists.items():
            for other, cursor in ends.items():
                if name == other:
                    assert len((await read(db, Paging(1, after=cursor))).edges) == 1
                    continue
                with pytest.raises(Invalid) as refused:
                    await read(db, Paging(1, after=cursor))
                assert refused.value.field == ("after",), (name, other)


async def test_a_filter_is_known_by_its_meaning(database, clerk, given_case):
    for _ in range(2):
        await given_case("Müller")

    async with database.read() as db:
        page = await objects.cases(clerk, db, CaseFilter(search="Müller"), paging=Paging(1))
        again = await objects.cases(
            clerk, db, CaseFilter(search=" MÜLLER "), paging=Paging(1, after=page.end_cursor)
        )

    assert len(again.edges) == 1


async def test_a_forged_position_stays_within_the_callers_own_list(
    database, clerk, stranger, given_case
):
    mine = await given_case("Mine")
    await given_case("Foreign", who=stranger)
    async with database.read() as db:
        seal = (await objects.cases(clerk, db)).edges[0].seal
        everything = Paging(after=forged(id="~", k=["~"], f=seal.mark))

        page = await objects.cases(clerk, db, paging=everything)

    assert list(page) == [mine]


def test_a_connection_reads_fifty_unless_told_otherwise():
    assert relay_paging(None, None, None, None) == Paging(50)
    assert relay_paging(None, "a", None, "b") == Paging(50, "a", "b")
    assert relay_paging(None, None, 7, "b") == Paging(7, None, "b", backwards=True)


@pytest.mark.parametrize("limit", [1, 100])
def test_a_limit_may_be_as_low_and_as_high_as_said(limit):
    assert checked_limit(limit, "first") == limit


@pytest.mark.parametrize("limit", [-1, 0, 101, 2**63])
def test_a_limit_outside_is_refused(limit):
    for arguments, field in (
        ((limit, None, None, None), "first"),
        ((None, None, limit, None), "last"),
    ):
        with pytest.raises(Invalid) as refused:
            relay_paging(*arguments)
        assert refused.value.field == (field,)
        assert refused.value.message == f"{field} must be between 1 and 100."


def test_a_page_is_read_from_one_end():
    with pytest.raises(Invalid) as refused:
        relay_paging(1, None, 1, None)

    assert refused.value.field == ("first",)
