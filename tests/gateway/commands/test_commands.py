"""The command line, as people use it."""

import gzip
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from gateway.__main__ import app, main
from gateway.commands import terminal
from tests import forking
from tests.postgresql import APP_ROLE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CASEGRAPH_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "CASEGRAPH_DATABASE_URL": f"sqlite:///{tmp_path / 'cases.db'}",
        "TMPDIR": str(tmp_path),
        "COLUMNS": "200",
    }


@pytest.fixture
def casegraph(tmp_path, environment, monkeypatch, capfd):
    """Runs a command in this process, which saves the second that a new one takes to load."""

    def run(*arguments, status=0):
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["casegraph", *map(str, arguments)])
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(terminal.out, "width", 200)  # COLUMNS was read when it was made
            for name in [name for name in os.environ if name.startswith("CASEGRAPH_")]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        printed = capfd.readouterr()
        done = subprocess.CompletedProcess(arguments, ended.value.code, printed.out, printed.err)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def running(tmp_path, environment):
    """Starts a server on a free port; its URL and what it printed. Stopped at the end."""
    started = []

    def start(*arguments):
        process = forking.launch(
            [*arguments, "--port", "0"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        printed = ""
        for line in process.stdout:
            printed += line
            if "/graphql" in line:
                break
        url = re.search(r"http://[\d.:]+", printed)[0]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx2.get(f"{url}/readyz").status_code == 200:
                    return process, url, printed
            except httpx2.TransportError:
                time.sleep(0.1)
        raise AssertionError(printed)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        process.stdout.close()


@pytest.fixture
def lines(tmp_path):
    def write(*cases, name="cases.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
        return path

    return write


def test_every_command_explains_itself_with_an_example(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def help_of(*command):
        done = CliRunner().invoke(app, [*command, "--help"])
        assert done.exit_code == 0
        return done.output

    told = help_of()

    for command in (
        ("demo",),
        ("serve",),
        ("init",),
        ("keys", "create"),
        ("import",),
        ("export",),
        ("verify",),
        ("purge",),
        ("backup",),
        ("schema",),
    ):
        assert command[0] in told
        assert f"casegraph {' '.join(command)}" in help_of(*command)


def test_a_key_is_made_listed_and_revoked(casegraph):
    raw = casegraph("keys", "create", "web app", "--scope", "cases:read").stdout.strip()
    assert re.fullmatch(r"cg_live_[0-9A-Z]{50}", raw)

    assert raw[8:20] in casegraph("keys", "list").stdout
    assert raw[8:20] in casegraph("keys", "revoke", raw, status=1).stderr
    guest = casegraph("keys", "create", "guest", "--expires", "2031-05-06").stdout
    assert guest[8:20] in casegraph("keys", "list").stdout
    assert "2031-05-06" in casegraph("keys", "list").stdout
    assert "future" in casegraph("keys", "create", "x", "--expires", "2001-01-01", status=1).stderr
    casegraph("keys", "revoke", raw[8:20])
    assert "(revoked)" in casegraph("keys", "list").stdout
    assert "Choose another name" in casegraph("keys", "create", "web app", status=1).stderr
    assert "no such key" in casegraph("keys", "revoke", "nothing", status=1).stderr


def test_good_lines_go_in_and_bad_ones_are_written_down(casegraph, lines, tmp_path):
    path = lines({"name": "Good"}, {"name": ""}, {"name": "Also good"})

    done = casegraph("import", path, status=3)

    assert "line 2: name: name must not be empty." in done.stderr
    assert "2 cases imported" in done.stderr
    assert (tmp_path / "cases.rejects.jsonl").read_text() == '{"name": ""}\n'
    lines({"name": "Mended"}, name="cases.rejects.jsonl")
    casegraph("import", "cases.rejects.jsonl", "--source", "cases.jsonl")
    assert "0 cases imported" in casegraph("import", path, status=3).stderr


def test_another_kind_of_file_is_named_and_nothing_is_imported(casegraph, tmp_path):
    path = tmp_path / "cases.xlsx"
    path.write_bytes(b"PK\x03\x04" + b"x" * 40)

    done = casegraph("import", path, status=1)

    assert "Excel workbook" in done.stderr
    assert not list(tmp_path.glob("*.rejects.jsonl"))


CASES = b'{"name": "One"}\n{"name": ""}\n{"name": "Two"}\n'


def test_a_file_that_is_compressed_is_decompressed(casegraph, tmp_path):
    path = tmp_path / "cases.jsonl.gz"
    path.write_bytes(gzip.compress(CASES))

    done = casegraph("import", path, status=3)

    assert "2 cases imported" in done.stderr
    assert (tmp_path / "cases.rejects.jsonl").read_bytes() == b'{"name": ""}\n'
    path.write_bytes(gzip.compress(CASES)[:-9])
    assert "cannot be decompressed" in casegraph("import", path, "--source", "x", status=1).stderr


@pytest.mark.parametrize("packed", [False, True])
def test_nothing_that_comes_through_a_pipe_is_lost(casegraph, environment, tmp_path, packed):
    content = gzip.compress(CASES) if packed else CASES
    arguments = ["import", "-", "--source", "s"]
    done = forking.run(arguments, cwd=tmp_path, env=environment, input=content)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(fifo.write_bytes, content)
        again = casegraph("import", fifo, "--source", "s", status=3)
        writing.result()

    assert done.returncode == 3, done.stderr
    assert "2 cases imported" in done.stderr
    assert (tmp_path / "s.rejects.jsonl").read_bytes() == b'{"name": ""}\n'
    assert "2 unchanged" in again.stderr


def test_standard_input_needs_the_name_of_its_source(casegraph):
    assert "--source" in casegraph("import", "-", status=1).stderr


def test_rejects_that_were_corrected_are_not_overwritten(casegraph, lines, tmp_path):
    path = lines({"name": ""})
    casegraph("import", path, status=3)
    (tmp_path / "cases.rejects.jsonl").write_text("corrected by hand")
    other = tmp_path / "elsewhere"
    (tmp_path / "cases-2.rejects.jsonl").symlink_to(other)

    done = casegraph("import", path, status=3)

    assert "cases-3.rejects.jsonl" in done.stderr
    assert (tmp_path / "cases.rejects.jsonl").read_text() == "corrected by hand"
    assert (tmp_path / "cases-3.rejects.jsonl").read_bytes() == path.read_bytes()
    assert not other.exists()


def test_a_line_that_is_too_long_is_told_by_its_number(casegraph, tmp_path):
    path = tmp_path / "cases.jsonl"
    with path.open("wb") as file:
        file.write(b'{"name": "One"}\n{"name": "' + b"x" * 51_500_000 + b'"}\n{"name": "Two"}\n')

    done = casegraph("import", path, status=3)

    assert "line 2: The line must have at most 50,000,000 bytes." in done.stderr
    assert "2 cases imported" in done.stderr
    assert not list(tmp_path.glob("*.rejects.jsonl"))


@pytest.mark.parametrize(
    "command",
    [
        ("export", "missing/out.jsonl"),
        ("export", "file/out.jsonl"),
        ("export", "/dev/full"),
        ("schema", "missing/schema.graphql"),
        ("import", "bad.jsonl", "--rejects", "missing/rejects.jsonl"),
        ("backup", "missing/copy.db"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_clear_line(casegraph, lines, tmp_path, command):
    casegraph("import", lines({"name": "One", "description": "x" * 20_000}))
    lines({"name": ""}, name="bad.jsonl")
    (tmp_path / "file").touch()

    done = casegraph(*command, status=1)

    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("casegraph: ")
    assert "missing" in last or "Not a directory" in last or "No space" in last, last


def test_the_kinds_that_were_guessed_are_told(casegraph, lines):
    parties = [{"name": name, "role": "client"} for name in ("Weiß GmbH", "Jörg Müller")]

    done = casegraph("import", lines({"name": "One", "parties": parties}))

    assert "The kind of 1 of 2 new parties was guessed" in done.stderr


def test_an_app_role_is_for_postgresql(casegraph):
    said = casegraph("init", "--app-role", "app", status=1).stderr

    assert "SQLite has no roles." in said


@pytest.mark.parametrize(
    ("read_url", "told"),
    [
        ("postgresql://casegraph@127.0.0.1:1/cases", "Only a PostgreSQL database has a standby"),
        ("nonsense://", "Only a PostgreSQL database has a standby"),
    ],
)
def test_a_standby_that_cannot_be_read_from_ends_the_start(casegraph, environment, read_url, told):
    environment["CASEGRAPH_READ_URL"] = read_url

    said = casegraph("serve", "--port", "0", status=1)

    assert told in said.stderr
    assert "http" not in said.stdout


@pytest.mark.postgresql
def test_a_role_that_owns_nothing_serves_and_runs_no_command(
    casegraph, running, environment, database_url
):
    environment["CASEGRAPH_DATABASE_URL"] = database_url
    assert f"Serve it as the role {APP_ROLE}." in casegraph("init", "--app-role", APP_ROLE).stdout
    raw = casegraph("keys", "create", "web").stdout.strip()
    environment["CASEGRAPH_DATABASE_URL"] = database_url.replace("casegraph@", f"{APP_ROLE}@")

    process, url, _printed = running("serve", "--workers", "2")
    answer = httpx2.post(
        f"{url}/api/v1/cases", json={"name": "One"}, headers={"Authorization": f"Bearer {raw}"}
    )
    for command in (["init"], ["keys", "list"], ["verify"], ["purge", "--yes"], ["export", "x"]):
        said = casegraph(*command, status=1).stderr
        assert "The database user may only serve" in said, command
    process.send_signal(signal.SIGINT)

    assert (answer.status_code, answer.json()["name"]) == (201, "One")


def test_numbers_that_two_cases_share_are_named_by_init_and_verify(casegraph, lines, tmp_path):
    casegraph("import", lines({"name": "One", "file_number": "AZ-1"}, {"name": "Two"}))
    with closing(sqlite3.connect(tmp_path / "cases.db")) as raw, raw:
        # As an older version left it, which took these for two numbers.
        raw.execute(
            "UPDATE cases SET file_number = 'az–1', number_key = (SELECT number_key FROM cases"
            " WHERE name = 'One') WHERE name = 'Two'"
        )

    for command, status in (("init", 0), ("verify", 1)):
        done = casegraph(command, status=status)
        said = done.stderr + done.stdout
        assert "One" in said
        assert "Two" in said
    refused = lines({"name": "Three", "file_number": "AZ‑1"}, name="more.jsonl")
    assert "file number" in casegraph("import", refused, status=3).stderr


def test_an_export_can_be_imported_elsewhere(casegraph, lines, tmp_path):
    casegraph("import", lines({"name": "One", "parties": [{"name": "P", "role": "client"}]}))

    casegraph("export", "out.jsonl")
    casegraph("import", "out.jsonl", "--database", "new.db")
    piped = casegraph("export", "--database", "new.db").stdout

    *lines_, anchor = piped.splitlines()
    *first, first_anchor = (tmp_path / "out.jsonl").read_text().splitlines()
    assert lines_ == first
    assert json.loads(lines_[0])["name"] == "One"
    assert json.loads(anchor).keys() == json.loads(first_anchor).keys() == {"timeline_head"}


def test_what_was_deleted_is_listed_restored_merged_and_purged(casegraph, lines, tmp_path):
    party = {"name": "Xaverius Q.", "role": "client"}
    casegraph("import", lines({"name": "One", "file_number": "AZ-1", "parties": [party]}))
    casegraph("import", lines({"name": "Two", "parties": [party | {"name": "X. Q."}]}, name="b"))
    with sqlite3.connect(tmp_path / "cases.db") as db:
        [one, two] = [id for (id,) in db.execute("SELECT id FROM party ORDER BY name DESC")]
    db.close()

    assert "names it" in casegraph("parties", "delete", one, status=1).stderr
    would = casegraph("parties", "merge", one, two, "--dry-run").stdout
    assert would == "1 roles in 1 cases would move to Xaverius Q., and 0 were joined.\n"
    assert "moved to Xaverius Q." in casegraph("parties", "merge", one, two).stdout
    assert "no staff member" in casegraph("staff", "delete", "usr_x", status=1).stderr
    assert "no case" in casegraph("cases", "restore", "x", status=1).stderr
    assert casegraph("cases", "deleted").stdout.split() == [
        "Id",
        "Deleted",
        "File",
        "number",
        "Name",
    ]
    told = casegraph("purge", "--party", two, "--yes").stdout
    assert "2 cases name it" in told
    assert b"Xaverius" not in (tmp_path / "cases.db").read_bytes()
    assert "no party" in casegraph("purge", "--party", "pty_x", "--yes", status=1).stderr
    assert "All is well." in casegraph("verify").stdout


def test_purging_a_party_tells_where_its_name_stands_and_takes_other_names(
    casegraph, lines, tmp_path
):
    letter = {"type": "letter", "occurred_at": "2001-01-01", "title": "To Xafer"}
    party = {"name": "Xaverius Q.", "role": "client"}
    line = {"name": "Re Xaverius Q.", "parties": [party], "timeline": [letter]}
    casegraph("import", lines(line))
    with sqlite3.connect(tmp_path / "cases.db") as db:
        [[id]] = db.execute("SELECT id FROM party").fetchall()
        [[case]] = db.execute("SELECT id FROM cases").fetchall()
    db.close()

    told = casegraph("purge", "--party", id, "--yes").stderr
    assert case in told
    assert b"Xafer" in (tmp_path / "cases.db").read_bytes()
    casegraph("purge", "--party", id, "--name", "Nobody", "--name", "xafer", "--yes")
    assert b"Xafer" not in (tmp_path / "cases.db").read_bytes()
    assert "--party only" in casegraph("purge", "--name", "Xafer", "--yes", status=1).stderr
    assert "All is well." in casegraph("verify").stdout


def test_verify_fails_when_something_is_wrong(casegraph, lines, tmp_path):
    casegraph("import", lines({"name": "One"}))
    assert "All is well." in casegraph("verify").stdout

    with sqlite3.connect(tmp_path / "cases.db") as db:
        db.execute("UPDATE timeline_head SET seq = 99 WHERE workspace_id = 1")
    db.close()

    assert "default: timeline:" in casegraph("verify", status=1).stdout


def test_verify_looks_for_anchors_in_what_others_keep(casegraph, lines, tmp_path):
    casegraph("import", lines({"name": "One"}))
    printed = casegraph("backup", "copy.db").stdout
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
    anchor = re.search(r"default \(live\) ends with (\d+:[0-9a-f]{64})", printed)[1]
    casegraph("export", "out.jsonl")
    (tmp_path / "casegraph.log").write_text(f'x\n{{"event": "timeline_head", "a": "{anchor}"}}\n')

    told = casegraph(
        "verify", "--anchor", anchor, "--anchor", "out.jsonl", "--anchor", "casegraph.log"
    ).stdout
    assert "1 of 1 anchors found." in told

    forged = anchor[:-1] + ("0" if anchor[-1] != "0" else "1")
    refused = casegraph("verify", "--anchor", forged, status=1).stdout
    assert "0 of 1 anchors found." in refused
    assert "events were dropped, or their chain was computed anew" in refused
    for nonsense in ("7", "none.log", f"{anchor}0", lines()):
        assert "anchor" in casegraph("verify", "--anchor", nonsense, status=1).stderr


def test_a_backup_passes_verify(casegraph, lines, tmp_path):
    casegraph("import", lines({"name": "One"}))

    casegraph("backup", "copy.db")

    assert "All is well." in casegraph("verify", "--database", "copy.db").stdout
    assert "exists" in casegraph("backup", "copy.db", status=1).stderr


def test_purge_asks_first(casegraph, lines):
    casegraph("import", lines({"name": "One"}))

    assert "0 cases" in casegraph("purge", "--dry-run").stdout
    assert "0 cases" in casegraph("purge", "--yes").stdout
    casegraph("purge", status=1)


def test_the_schema_can_be_checked(casegraph, tmp_path):
    casegraph("schema")
    assert "is current" in casegraph("schema", "--check").stdout

    (tmp_path / "schema.graphql").write_text("type Query { nothing: Int }\n")

    assert "-type Query { nothing: Int }" in casegraph("schema", "--check", status=1).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "list"), "There is no database at"),
        (("export",), "There is no database at"),
        (("verify", "--database", "nowhere/x.db"), "There is no folder"),
        (("serve", "--database", "mysql://host/db"), "must be like sqlite:///"),
        (("init", "--workspace", "Not Good"), "lower-case letters"),
        (("purge", "--before", "yesterday", "--yes"), "--before"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(casegraph, arguments, said):
    [line] = casegraph(*arguments, status=1).stderr.splitlines()

    assert line.startswith("casegraph: ")
    assert said in line


def test_a_file_that_is_no_database_is_told_of(casegraph, tmp_path):
    (tmp_path / "cases.db").write_text("This is a letter, and no database at all. " * 100)

    assert "casegraph:" in casegraph("verify", status=1).stderr


def test_a_port_that_is_taken_is_told_of(casegraph):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = casegraph("serve", "--port", taken.getsockname()[1], status=1)

    assert "Cannot listen on" in done.stderr


def test_the_demo_serves_both_surfaces_and_leaves_nothing(running, tmp_path):
    process, url, printed = running("demo", "--cases", "40")
    printed += "".join(process.stdout.readline() for _ in range(3))
    key = re.search(r"cg_live_[0-9A-Z]{50}", printed)[0]
    headers = {"Authorization": f"Bearer {key}"}

    rest = httpx2.get(f"{url}/api/v1/cases?limit=3", headers=headers)
    graphql = httpx2.post(
        f"{url}/graphql", json={"query": "{ cases { totalCount } }"}, headers=headers
    )
    page = httpx2.get(f"{url}/graphql", headers={"Accept": "text/html"})

    assert len(rest.json()["data"]) == 3
    assert graphql.json() == {"data": {"cases": {"totalCount": 40}}}
    assert key in page.text
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert list(tmp_path.glob("casegraph-demo-*")) == []


def test_several_workers_serve_one_database(running, casegraph, lines):
    casegraph("import", lines({"name": "One"}))
    key = casegraph("keys", "create", "k").stdout.strip()
    _process, url, _printed = running("serve", "--workers", "2")

    for _ in range(10):
        made = httpx2.post(
            f"{url}/api/v1/cases",
            json={"name": "Another"},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert made.status_code == 201

    assert "All is well." in casegraph("verify").stdout


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_database_that_others_may_read_is_named_at_start(
    casegraph, lines, running, tmp_path, mode, warned
):
    casegraph("import", lines({"name": "One"}))
    (tmp_path / "cases.db").chmod(mode)

    _process, _url, printed = running("serve")

    assert (f"its mode is {mode:o}" in printed) is warned
