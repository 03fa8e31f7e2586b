"""What the README states is what the code does."""

import re
from pathlib import Path

from gateway.commands.settings import documented
from gateway.settings import DESCRIPTIONS
from rest_compat.errors import STATUS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading of a page in docs/."""
    section = (
        (ROOT / "docs" / page)
        .read_text(encoding="utf-8")
        .split(f"## {heading}\n", 1)[1]
        .split("\n## ", 1)[0]
    )
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table[2:]
    ]


def test_the_table_of_settings_is_the_code_s():
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")

    assert documented() in page, "Put in what this prints: casegraph settings --markdown"
    assert len(rows("operating.md", "Settings")) == len(DESCRIPTIONS)


def test_the_table_of_errors_is_the_code_s():
    told = {
        code: int(status)
        for codes, statuses, _when in rows("api.md", "Errors")
        for code, status in zip(
            re.findall(r"`(\w+)`", codes),
            (statuses.split(", ") * 9)[: codes.count("`") // 2],
            strict=True,
        )
    }

    assert told == STATUS


def test_the_two_commands_are_the_ones_that_ci_runs():
    commands = re.findall(r"^\$ (python3 -m venv .*)$", README, re.MULTILINE)

    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_link_leads_somewhere():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), (page.name, target)
            if anchor:
                heads = re.findall(r"(?m)^#+ (.*)$", there.read_text(encoding="utf-8"))
                slugs = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
                assert anchor in slugs, (page.name, target)


def test_a_command_is_named_in_the_table_of_commands():
    from gateway.__main__ import app

    names = {one.name or one.callback.__name__ for one in app.registered_commands}
    names |= {one.name for one in app.registered_groups}

    told = re.findall(r"(?m)^\| (`casegraph .*?) \|", README)
    assert names <= set(re.findall(r"`casegraph (\w+)", " ".join(told)))
