"""How commands behave: their version, JSON for programs, hints, Ctrl-C, and no colours in files."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from domain.demo.firm import demo_cases
from tests import forking

ROOT = Path(__file__).parents[3]


@pytest.fixture
def casegraph(tmp_path):
    """Runs a command as a process of its own, with other *variables*, where COLUMNS are 80."""

    def run(*arguments, status=0, **variables):
        kept = {name: text for name, text in os.environ.items() if "CASEGRAPH" not in name}
        environment = kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"} | variables
        done = forking.run(arguments, cwd=tmp_path, env=environment)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def test_the_version_is_told(casegraph):
    assert casegraph("--version").stdout == f"casegraph {version('casegraph')}\n"


def test_listings_are_for_people_in_80_columns_and_for_programs_in_json(casegraph):
    names = ["web app", "a name that is so long that it does not fit into one line of a table"]
    for name in names:
        casegraph("keys", "create", name, "--scope", "cases:read", "--expires", "2099-01-01")

    shown = casegraph("keys", "list").stdout
    listed = json.loads(casegraph("keys", "list", "--json").stdout)

    assert max(map(len, shown.splitlines())) <= 80
    assert {one["name"] for one in listed} == set(names)
    assert all(one["id"] in shown for one in listed)
    assert listed[0]["scopes"] == ["cases:read"]
    assert listed[0]["expires_at"] == "2099-01-01T00:00:00Z"
    assert not any("hash" in name for name in listed[0])
    assert json.loads(casegraph("cases", "deleted", "--json").stdout) == []


def test_the_next_step_names_the_database_that_was_given(casegraph, tmp_path):
    url = f"sqlite:///{tmp_path / 'mine.db'}"

    absent = casegraph("verify", "--database", url, status=1).stderr
    casegraph("init", "--database", url)
    (tmp_path / "cases.jsonl").write_text('{"name": ""}\n')
    rejected = casegraph("import", "cases.jsonl", "--database", url, status=3).stderr
    elsewhere = casegraph("verify", status=1).stderr

    assert absent.endswith(f"Run: casegraph init --database {url}\n")
    again = f"casegraph import --database {url} cases.rejects.jsonl --source cases.jsonl"
    assert rejected.endswith(f"Correct them and run: {again}\n")
    assert elsewhere.endswith("Run: casegraph init\n")


def test_a_hint_does_not_show_a_password(casegraph):
    url = "postgresql://me:hunter2@127.0.0.1:1/cases"

    told = casegraph("verify", "--database", url, status=1).stderr

    assert "hunter2" not in told


def test_an_import_that_is_interrupted_says_how_to_go_on(casegraph, tmp_path):
    lines = "".join(json.dumps(case) + "\n" for case in demo_cases(1_200))
    (tmp_path / "cases.jsonl").write_text(lines)
    casegraph("init")
    database = tmp_path / "casegraph.db"
    process = forking.launch(
        ["import", "cases.jsonl"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while count(database) <= 200:  # what one batch has is told after it is stored
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 130
    told = process.stderr.read()
    found = re.search(r"Interrupted: of the first ([\d,]+) lines all is in", told)
    assert found, told
    assert "Traceback" not in told
    there = count(database)
    assert 0 < int(found[1].replace(",", "")) <= there < 1_200
    again = casegraph("import", "cases.jsonl").stderr
    assert f"{there:,} unchanged" in again
    assert count(database) == 1_200


def count(database):
    with closing(sqlite3.connect(database)) as raw:
        return raw.execute("SELECT count(*) FROM cases").fetchone()[0]


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_log_in_a_file_has_no_colours(casegraph, tmp_path, style):
    process = forking.launch(
        ["serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CASEGRAPH_LOG_FORMAT": style},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    limit = threading.Timer(60, process.kill)
    limit.start()
    logged = b""
    for line in process.stderr:
        logged += line
        if b"startup complete" in line:
            process.send_signal(signal.SIGTERM)
    limit.cancel()
    assert process.wait(10) == -signal.SIGTERM  # which uvicorn raises again in the end

    assert b"Started server process" in logged
    assert b"\x1b[" not in logged


def test_a_demo_that_is_kept_has_one_live_key(casegraph, tmp_path):
    for _ in range(2):
        process = forking.launch(
            ["demo", "--keep", "demo.db", "--cases", "3", "--port", "0"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for line in process.stdout:
            if line.startswith("Key"):
                break
        process.send_signal(signal.SIGINT)
        process.wait(40)
    casegraph("keys", "create", "mine", "--database", "sqlite:///demo.db")

    keys = json.loads(casegraph("keys", "list", "--json", "--database", "sqlite:///demo.db").stdout)

    live = sorted(one["name"].split()[0] for one in keys if one["revoked_at"] is None)
    assert live == ["demo", "mine"]
    assert len(keys) == 3


def test_an_import_can_be_tried_first(casegraph, tmp_path):
    cases = [*demo_cases(30), {"name": ""}, {"name": "Twice", "file_number": "AZ-2023-001"}]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    absent = casegraph("import", "cases.jsonl", "--dry-run", status=1).stderr
    casegraph("init")

    tried = casegraph("import", "cases.jsonl", "--dry-run", status=3).stderr
    assert count(tmp_path / "casegraph.db") == 0
    assert not (tmp_path / "cases.rejects.jsonl").exists()
    done = casegraph("import", "cases.jsonl", status=3).stderr

    assert absent.endswith("Run: casegraph init\n")
    first, rest = tried.split("Nothing was changed. It would be:\n")
    assert first + rest == done[: done.index("The rejected lines are in")]
    assert "30 cases imported" in rest


def test_the_doctor_tells_what_to_do(casegraph, tmp_path):
    absent = casegraph("doctor", "--quiet", status=1).stdout
    casegraph("init")
    casegraph("keys", "create", "web app", "--expires", "2099-01-01")
    (tmp_path / "casegraph.db").chmod(0o600)

    well = casegraph("doctor")
    told = json.loads(casegraph("doctor", "--json").stdout)
    (tmp_path / "casegraph.db").chmod(0o644)
    readable = casegraph("doctor", "--quiet", status=1).stdout
    unusual = casegraph("doctor", "--quiet", CASEGRAPH_CORS_ORIGINS="*", status=1).stdout
    wrong = casegraph("doctor", "--quiet", CASEGRAPH_PORT="x", status=1).stdout

    assert "Run: casegraph init" in absent
    assert "problem" not in well.stdout
    assert {one["about"] for one in told} >= {"versions", "schema", "disk", "read", "keys"}
    assert all(one["advice"] for one in told if one["state"] != "ok")
    assert "chmod 600" in readable
    assert "CASEGRAPH_CORS_ORIGINS" in unusual
    assert "CASEGRAPH_PORT must be" in wrong
