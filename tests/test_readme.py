"""What the README states is what the code does."""

import re
from pathlib import Path

from gateway.settings import DESCRIPTIONS, PREFIX, Settings
from rest_compat.errors import STATUS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table[2:]
    ]


def test_the_table_of_settings_is_the_code_s():
    defaults = Settings()

    assert rows("Settings") == [
        [f"`{PREFIX}{name.upper()}`", _shown(getattr(defaults, name)), text]
        for name, text in DESCRIPTIONS.items()
    ]


def _shown(value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return f"`{text}`" if text else ""


def test_the_table_of_errors_is_the_code_s():
    told = {
        code: int(status)
        for codes, statuses, _when in rows("Errors")
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


def test_no_line_of_the_transcript_is_missing():
    assert "TRANSCRIPT" not in README
    assert "SETTINGS" not in README
