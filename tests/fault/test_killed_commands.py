"""A command that is killed at any moment and run again has lost, doubled and left over nothing.

CASEGRAPH_COMMAND_KILLS says how often each is tried.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from sqlalchemy import select

from domain.access.principal import Principal
from domain.storage import tables
from domain.storage.opening import opened
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from domain.writing import cases
from tests import forking
from tests.conftest import DATABASES
from tests.databases import fresh_database
from tests.fault.servers import Gateway

KILLS = int(os.environ.get("CASEGRAPH_COMMAND_KILLS", "2"))
SEED = int(os.environ.get("CASEGRAPH_SEED", "0")) or time.time_ns() % 1_000_000
MANY = 10
"""With so many tries, one at least must have come in time."""
LINES = 1_200
DELETED = 60
SECRET = "Xaverius Quetzal"
_NAMED = select(tables.cases.c.id).where(
    tables.cases.c.name.like(f"{SECRET}%"), tables.cases.c.deleted_at.is_(None)
)


@pytest.fixture
def office(tmp_path):
    """A folder in which commands run on a database of their own."""
    made = Gateway(tmp_path)
    made.command("init")
    return made


def killed(office, delay, *arguments):
    """Run a command, and kill it after so many seconds; whether it was still running."""
    process = forking.launch(
        arguments,
        cwd=office.database.parent,
        env=office.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.wait(30) == -signal.SIGKILL


def delays(duration):
    """When to kill, if the command takes *duration* seconds; some .1 s of it is only starting."""
    chance = random.Random(SEED)
    print("seed", SEED)
    return [chance.uniform(0.1 * duration, duration) for _ in range(KILLS)]


def sound(office):
    async def check():
        async with opened(str(office.database)) as database:
            return [str(one) for one in (await verify(database)).findings]

    assert asyncio.run(check()) == []


def counted(office, statement):
    with closing(sqlite3.connect(office.database)) as db:
        return db.execute(statement).fetchone()[0]


def test_an_import(office):
    lines = office.database.parent / "cases.jsonl"
    interrupted = 0
    for number, delay in enumerate(delays(0.5)):
        made = [
            {"name": f"Case {number}.{n}", "parties": [{"name": f"P {n % 97}", "role": "client"}]}
            for n in range(LINES)
        ]
        lines.write_text("\n".join(map(json.dumps, made)))
        source = f"file {number}"
        interrupted += killed(office, delay, "import", lines, "--source", source)
        office.command("import", lines, "--source", source)
        assert counted(office, "SELECT count(*) FROM cases") == LINES * (number + 1)
        assert counted(office, "SELECT count(*) FROM party") == 97 * (number + 1)

    assert interrupted or KILLS < MANY
    sound(office)


async def _deleted(office, number):
    async with opened(str(office.database)) as database:
        who: Principal = await administration.operator(database)
        made = [
            dumped(
                {
                    "name": f"{SECRET} {number}.{n}",
                    "parties": [{"name": f"{SECRET} {number}.{n}", "role": "client"}],
                }
            )
            for n in range(DELETED)
        ]
        await import_cases(who, database, [*made, dumped({"name": f"Kept {number}"})], source="s")
        async with database.read(who.workspace_id) as db:
            rows = await db.rows(_NAMED)
        for (id,) in rows:
            await cases.delete_case(who, database, id)


def test_a_purge(office):
    interrupted = 0
    for number, delay in enumerate(delays(0.5)):
        asyncio.run(_deleted(office, number))
        interrupted += killed(office, delay, "purge", "--yes")
        office.command("purge", "--yes")
        files = office.database.parent.glob(f"{office.database.name}*")
        content = b"".join(path.read_bytes() for path in files)
        assert SECRET.encode() not in content
        assert SECRET.lower().encode() not in content
        assert counted(office, "SELECT count(*) FROM cases") == number + 1
        assert counted(office, "SELECT count(*) FROM party") == 0

    assert interrupted or KILLS < MANY
    sound(office)


def test_a_backup(office):
    lines = office.database.parent / "cases.jsonl"
    lines.write_text("\n".join(json.dumps({"name": f"Case {n}"}) for n in range(LINES)))
    office.command("import", lines)
    copy = office.database.parent / "copy.db"
    interrupted = 0
    for delay in delays(0.25):
        interrupted += killed(office, delay, "backup", copy, "--overwrite")
        office.command("backup", copy, "--overwrite")
        assert [path.name for path in copy.parent.glob(".*")] == []
        with closing(sqlite3.connect(copy)) as db:
            assert db.execute("SELECT count(*) FROM cases").fetchone() == (LINES,)

    assert interrupted or KILLS < MANY
    office.command("verify", "--database", copy)


def test_a_copy(office, request):
    """What was killed left an empty target behind, and the next one is whole."""
    lines = office.database.parent / "cases.jsonl"
    made = [
        {"name": f"Case {n}", "parties": [{"name": f"P {n % 97}", "role": "client"}]}
        for n in range(LINES)
    ]
    lines.write_text("\n".join(map(json.dumps, made)))
    office.command("import", lines)
    interrupted = 0
    for number, delay in enumerate(delays(1.8)):
        with target_of(number, office, request) as url:
            arguments = ("copy", "--from", f"sqlite:///{office.database}", "--to", url)
            interrupted += killed(office, delay, *arguments)
            again = forking.run(arguments, cwd=office.database.parent, env=office.environment)
            # It may have been killed after it had copied everything.
            told = "The copy is verified." if again.returncode == 0 else "casegraph verify"
            assert told in again.stdout + again.stderr
            assert f"{LINES:,} cases" in office.command("verify", "--database", url)

    assert interrupted or KILLS < MANY
    sound(office)


def test_an_upgrade(office):
    """It is done whole or not at all, and the next start makes good what is missing."""
    lines = office.database.parent / "cases.jsonl"
    made = [
        {"name": f"Case {n}", "parties": [{"name": f"P {n % 97}", "role": "client"}]}
        for n in range(LINES)
    ]
    lines.write_text("\n".join(map(json.dumps, made)))
    office.command("import", lines)
    interrupted = 0
    for delay in delays(0.6):
        before_words(office.database)
        interrupted += killed(office, delay, "init")
        entries = counted(office, "SELECT count(*) FROM search_entry")
        whole = counted(office, "SELECT version_num > '0014' FROM alembic_version")
        assert entries == (LINES + 97 if whole else 0)
        office.command("init")
        sound(office)

    assert interrupted or KILLS < MANY


def before_words(path):
    """Bring a file to the schema before the search by words, with an index of nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(
            """
            DROP TABLE webhook_delivery;
            DROP TABLE webhook;
            DROP TABLE search_index;
            DROP TABLE search_entry;
            CREATE TABLE search_entry (
                entry INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL, kind TEXT NOT NULL,
                id TEXT NOT NULL, scope TEXT NOT NULL, plain TEXT NOT NULL, loose TEXT NOT NULL,
                number TEXT NOT NULL);
            CREATE VIRTUAL TABLE search_index USING fts5(
                scope, plain, loose, number, content='search_entry', content_rowid='entry',
                tokenize='trigram case_sensitive 1');
            UPDATE alembic_version SET version_num = '0014';
            """
        )


@contextlib.contextmanager
def target_of(number, office, request):
    """The URL of a new database: a file, or one on a server, in turn."""
    if number % 2 and "postgresql" in DATABASES:
        with fresh_database(request.getfixturevalue("postgresql")) as url:
            yield url
    else:
        yield f"sqlite:///{office.database.parent / f'copy-{number}.db'}"
