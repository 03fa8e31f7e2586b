"""Pages that cannot be read back: a refusal of its own, and what is sound stays readable."""

import shutil

import pytest

from tests.fault import pages
from tests.fault.servers import Gateway, gateway
from tests.fault.surfaces import Surfaces, assert_done, codes, messages

TOLD = (
    "Part of the database is damaged."
    " The operator should run `casegraph verify` and restore a backup."
)
LIST = "{ cases(first: 100) { nodes { uuid } } }"
BY_NUMBER = '{ case(fileNumber: "AZ-3") { uuid } }'


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A gateway that was stopped, and the ids of its cases."""
    with gateway(tmp_path_factory.mktemp("sound")) as server:
        with Surfaces(server) as client:
            ids = [
                client.given_case(description="x" * 700, file_number=f"AZ-{number}")
                for number in range(60)
            ]
        server.stop()
        yield server, ids


@pytest.fixture
def copied(sound, tmp_path):
    """A gateway that is not running, over a copy of its own."""
    original, _ = sound
    copy = Gateway(tmp_path)
    copy.key = original.key
    shutil.copy(original.database, copy.database)
    yield copy
    if copy.process is not None:
        copy.kill()


def assert_damaged(answers):
    """Refused for good, on both surfaces, without a word of SQL or of what is stored."""
    assert codes(answers) == ["DATABASE_DAMAGED"] * 2
    assert messages(answers) == [TOLD] * 2
    rest, graphql = answers
    assert (rest.status_code, graphql.status_code) == (500, 200)
    assert "Retry-After" not in rest.headers


def assert_verify_tells(server, *words):
    told = server.command("verify", status=1)
    assert "Traceback" not in told
    assert "findings." in told
    assert all(word in told for word in words), told


def test_cases_on_sound_pages_stay_readable_and_the_others_are_refused(sound, copied):
    _, ids = sound
    leaves = pages.leaves_of(copied.database, "cases")
    pages.spoil(copied.database, *leaves[2:4])
    copied.start()
    with Surfaces(copied) as client:
        readable, refused = [], []
        for uuid in ids:
            answers = client.read(uuid)
            if answers[0].status_code == 200:
                assert_done(answers)
                readable.append(uuid)
            else:
                assert_damaged(answers)
                refused.append(uuid)

        assert len(readable) > len(refused) > 2
        assert_done(client.write())
        assert client.ready().status_code == 200
    copied.stop()
    assert "Traceback" not in copied.logged()
    assert "SQLITE_CORRUPT" in copied.logged()
    assert_verify_tells(copied, "database: file:", "default: search entries:")


def test_without_an_index_what_needs_it_is_refused_and_the_rest_is_not(sound, copied):
    _, ids = sound
    pages.spoil(copied.database, pages.root_of(copied.database, "ix_cases_number_key"))
    copied.start()
    with Surfaces(copied) as client:
        assert_done(client.read(ids[3]))
        by_number = client.graphql(BY_NUMBER).json()
        [error] = by_number["errors"]
        write = client.write(file_number="AZ-new")

    assert error["extensions"]["code"] == "DATABASE_DAMAGED"
    assert_damaged(write)
    copied.stop()
    assert "Traceback" not in copied.logged()
    assert_verify_tells(copied, "database: file:")


def test_damage_that_everything_meets_makes_the_process_not_ready(copied):
    copied.start()
    pages.spoil(copied.database, pages.root_of(copied.database, "alembic_version"))
    with Surfaces(copied) as client:
        ready = client.ready()

    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "reason": TOLD}


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("verify",), ("backup", "copy.db")])
@pytest.mark.parametrize("part", ["header", "schema", "revision"])
def test_a_file_that_cannot_be_opened_is_told_of_in_one_line(copied, part, command):
    with copied.database.open("rb+") as file:
        if part == "header":
            file.write(b"\0" * 100)
        elif part == "schema":
            file.seek(100)
            file.write(b"\xa5" * 400)
    if part == "revision":
        pages.spoil(copied.database, pages.root_of(copied.database, "alembic_version"))

    told = copied.command(*command, status=1)

    assert told.startswith("casegraph: ")
    assert told.count("\n") == 1
    assert "restore a backup" in told


def test_a_file_that_was_cut_off_is_found_out(copied):
    with copied.database.open("rb+") as file:
        file.truncate(copied.database.stat().st_size // 2)

    told = copied.command("verify", status=1)

    assert "Traceback" not in told
    assert "damaged" in told
