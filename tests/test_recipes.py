"""README's recipes, run as they stand against a running demonstration."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from domain.models import LinkType
from tests.fault.servers import wait_until_ready

ROOT = Path(__file__).parent.parent
SECTION = (
    (ROOT / "README.md")
    .read_text(encoding="utf-8")
    .split("## Ten recipes\n", 1)[1]
    .split("\n## ", 1)[0]
)
PRELUDE, *RECIPES = re.split(r"(?m)^\*\*(?=\d+\. )", SECTION)
ADDRESS = "http://127.0.0.1:8000"


def commands(text):
    """What follows the prompts of its blocks, as a script."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return "".join(re.sub(r"(?m)^\$ ", "", block) for block in blocks)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A folder with a demonstration that is kept and runs, and what its commands need."""
    folder = tmp_path_factory.mktemp("recipes")
    tool = folder / "bin" / "casegraph"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n')
    tool.chmod(0o755)
    environment = {
        **{name: text for name, text in os.environ.items() if "CASEGRAPH" not in name},
        "PYTHONPATH": str(ROOT),
        "PATH": f"{tool.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with subprocess.Popen(
        ["casegraph", "demo", "--keep", "demo.db", "--port", "0"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Press"):
                break
        url = re.search(r"http://[\d.:]+", printed)[0]
        key = re.search(r"cg_live_\w+", printed)[0]

        wait_until_ready(url)

        def run(text, **variables):
            script = f"set -euo pipefail\n{commands(PRELUDE)}\n{commands(text)}"
            done = subprocess.run(
                ["bash", "-c", script.replace(ADDRESS, url)],
                cwd=folder,
                env=environment | {"KEY": key} | variables,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        yield folder, run
        process.terminate()


def recipe(number):
    [found] = [text for text in RECIPES if text.startswith(f"{number}. ")]
    return found


def nodes(answer, field):
    content = json.loads(answer)
    assert "errors" not in content, content
    return content["data"][field]["nodes"]


def test_there_are_ten(demo):
    assert [int(text.partition(".")[0]) for text in RECIPES] == list(range(1, 11))


def test_1_the_cases_of_a_staff_member(demo):
    found = nodes(demo[1](recipe(1)), "cases")

    assert len(found) > 5
    assert any(one["parties"]["nodes"] for one in found)


def test_2_a_company_in_whatever_role(demo):
    [company] = nodes(demo[1](recipe(2)), "parties")

    assert company["name"] == "Kupferhof Elektrogroßhandel KG"
    assert len(company["cases"]["nodes"]) > 5


def test_3_a_status_under_a_lock(demo):
    changed = json.loads(demo[1](recipe(3)))
    stale = recipe(3).replace("$ ETAG=", '$ ETAG=\\"1-old\\" #')

    refused = json.loads(demo[1](stale))

    assert changed["status"] == "closed"
    assert refused["error"]["code"] == "VERSION_CONFLICT"
    assert refused["error"]["details"][0]["current"]["id"] == changed["id"]


def test_4_everything_as_csv(demo):
    folder, run = demo
    run(recipe(4))

    with (folder / "cases.csv").open(newline="", encoding="utf-8") as file:
        heads, *rows = csv.reader(file)
    assert heads == ["file_number", "name", "status", "clients", "opponents"]
    assert len(rows) >= 320
    assert sum(bool(row[3] and row[4]) for row in rows) > 50


def test_5_ones_own_json(demo):
    run = demo[1]
    run(recipe(5))

    found = run("```console\n$ graphql '{ case(fileNumber: \"X-1\") { name } }'\n```")
    assert json.loads(found) == {"data": {"case": {"name": "Doe v. Roe"}}}


def test_6_a_reference(demo):
    [found] = json.loads(demo[1](recipe(6)))["data"]

    assert found["file_number"] == "AZ-2023-001"


def test_7_what_changed_and_who_did_it(demo):
    found = json.loads(demo[1](recipe(7)))["data"]["changes"]["edges"]

    assert len(found) == 20
    assert all(one["node"]["actor"] and one["cursor"] for one in found)
    assert all(one["node"]["case"] for one in found if one["node"]["caseUuid"])


def test_8_a_parent_and_a_child(demo):
    found = nodes(demo[1](recipe(8)), "cases")

    links = [(one["name"], link) for one in found for link in one["links"]["nodes"]]
    assert "PARENT" in {link["type"] for _name, link in links}
    for name, link in links:
        back = link["linkedCase"]["links"]["nodes"]
        opposite = LinkType(link["type"].lower()).inverse.upper()
        assert {"type": opposite, "linkedCase": {"name": name}} in back


def test_9_a_page_with_its_filter_menus(demo):
    found = json.loads(demo[1](recipe(9)))["data"]["cases"]

    assert found["totalCount"] >= len(found["edges"]) > 5
    assert [one["field"] for one in found["facets"]] == ["STATUS", "TYPE", "STAFF"]
    assert all(one["values"] for one in found["facets"])
    assert all(edge["matches"] for edge in found["edges"])


def test_10_a_firm_moves(demo, postgresql):
    name = "recipes"
    postgresql.sql(f"CREATE DATABASE {name} OWNER casegraph")

    printed = demo[1](recipe(10), POSTGRESQL_URL=postgresql.url(name, "casegraph"))

    assert printed.endswith("All is well.\n")
