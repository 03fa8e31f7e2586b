"""Kept answers hold until their workspace is written, by whomever, and not a moment longer."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from domain.access.principal import Scope
from domain.errors import Refused
from domain.inputs import CaseChanges, NewParty, PartyRole
from domain.reading.kept import Kept, KeptAnswers
from domain.storage.opening import opened
from domain.storage.tables import workspace
from domain.upkeep.forgetting import forget_party
from domain.upkeep.purging import purge
from domain.writing import cases, links, register

READ_ONLY = frozenset((Scope.CASES_READ,))


@pytest.fixture
def answers(database):
    return KeptAnswers(database, 100_000)


async def asked(answers, who, question="q", answer="answer", *, size=100, key_id=None):
    """The kept answer, or None after it was made and offered."""
    found = await answers.ask(who, question)
    if found.kept is None:
        answers.keep(found, Kept(answer, 0, 0), size, key_id)
        return None
    return found.kept.answer


async def known(answers, who, question="q", **options):
    """Ask until the answer is kept."""
    assert await asked(answers, who, question, **options) is None
    assert await asked(answers, who, question, **options) is None
    assert await asked(answers, who, question, **options) == "answer"


async def test_an_answer_is_kept_when_it_is_asked_again(answers, clerk):
    await known(answers, clerk)

    assert await asked(answers, clerk, "another question") is None
    assert answers.hits == 1


async def test_a_write_ends_it(answers, database, clerk, given_case):
    await known(answers, clerk)

    await given_case("Müller")

    assert await asked(answers, clerk, answer="newer") is None
    assert await asked(answers, clerk) == "newer"


async def test_a_write_through_another_connection_ends_it(
    answers, database_url, database, clerk, given_case
):
    case = await given_case("Müller")
    await known(answers, clerk)

    async with opened(database_url) as other:
        await cases.update_case(clerk, other, case.id, CaseChanges(name="Weiß"))

    assert await asked(answers, clerk) is None


async def test_a_write_of_another_workspace_does_not(answers, database, clerk, stranger):
    await known(answers, clerk)

    await register.create_party(stranger, database, NewParty("X"))

    assert await asked(answers, clerk) == "answer"
    assert await asked(answers, stranger) is None


async def test_what_is_refused_or_changes_nothing_does_not(answers, database, clerk, given_case):
    one = await given_case("One", file_number="A-1")
    await known(answers, clerk)

    with pytest.raises(Refused):
        await links.link_cases(clerk, database, one.id, one.id, "related")
    await cases.update_case(clerk, database, one.id, CaseChanges(name="One"))

    assert await asked(answers, clerk) == "answer"


async def test_a_transaction_that_is_rolled_back_does_not(answers, database, clerk):
    await known(answers, clerk)

    async def fail():
        async with database.write(clerk.workspace_id) as db:
            mine = workspace.c.id == clerk.workspace_id
            await db.run(update(workspace).where(mine).values(name="New"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await asked(answers, clerk) == "answer"


async def test_erasing_ends_it(answers, database, clerk, given_case, given_party):
    party = await given_party("Jörg")
    case = await given_case("Müller", parties=[PartyRole(party.id, "client")])
    await cases.delete_case(clerk, database, case.id)
    for question, erase in (
        ("of the party", lambda: forget_party(clerk, database, party.id)),
        ("of the case", lambda: purge(clerk, database)),
    ):
        await known(answers, clerk, question)

        await erase()

        assert await asked(answers, clerk, question) is None


async def test_what_is_written_while_it_is_answered_is_not_kept_from_anybody(
    answers, clerk, given_case
):
    await asked(answers, clerk)
    begun = await answers.ask(clerk, "q")
    await given_case("Müller")
    assert await asked(answers, clerk, answer="newer") is None

    answers.keep(begun, Kept("of before", 0, 0), 100)

    assert await asked(answers, clerk) == "newer"


async def test_an_answer_of_before_a_write_is_not_found_after_it(answers, clerk, given_case):
    await asked(answers, clerk)
    begun = await answers.ask(clerk, "q")
    await given_case("Müller")

    answers.keep(begun, Kept("of before", 0, 0), 100)

    assert await asked(answers, clerk) is None


async def test_nor_if_another_question_has_noticed_the_write_first(answers, clerk, given_case):
    await asked(answers, clerk)
    await asked(answers, clerk, "another")
    begun = await answers.ask(clerk, "q")
    await given_case("Müller")
    await asked(answers, clerk, "another")

    answers.keep(begun, Kept("of before", 0, 0), 100)

    assert await asked(answers, clerk) is None


async def test_callers_with_the_same_scopes_share_and_others_do_not(answers, clerk):
    await known(answers, clerk)

    assert await asked(answers, replace(clerk, key_id="another")) == "answer"
    assert await asked(answers, replace(clerk, scopes=READ_ONLY)) is None


async def test_what_depends_on_the_key_is_for_that_key_alone(answers, clerk):
    await known(answers, clerk, key_id=clerk.key_id)

    assert await asked(answers, replace(clerk, key_id="another")) is None


async def test_the_least_recently_used_goes_first(database, clerk):
    answers = KeptAnswers(database, 2_000)  # of 100 bytes and what they take beside, two fit
    for question in ("one", "two"):
        await known(answers, clerk, question)
    assert await asked(answers, clerk, "one") == "answer"

    await known(answers, clerk, "three")

    assert await asked(answers, clerk, "one") == "answer"
    assert await asked(answers, clerk, "two") is None


async def test_what_is_larger_than_the_room_is_not_kept(answers, clerk):
    await known(answers, clerk)
    for _ in range(3):
        assert await asked(answers, clerk, "large", size=100_000) is None

    assert await asked(answers, clerk) == "answer"


async def test_after_a_write_nothing_of_before_is_in_memory(answers, clerk, given_case):
    for question in ("one", "two", "three"):
        await known(answers, clerk, question)
    await given_case("Müller")

    await asked(answers, clerk, "one")

    assert answers.bytes == sum(size for _of, size, _kept in answers._answers.values())
    assert len(answers._answers) == 1


async def test_no_room_keeps_nothing(database, clerk):
    answers = KeptAnswers(database, 0)

    assert [await asked(answers, clerk) for _ in range(4)] == [None] * 4


@pytest.mark.sqlite
async def test_a_lost_connection_keeps_nobody_from_an_answer(answers, database, clerk):
    await known(answers, clerk)

    database._inline._connection.close()

    assert await asked(answers, clerk) is None
    assert await asked(answers, clerk) == "answer"
