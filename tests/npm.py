"""The packages of tests/clients/package.json, installed once for all who test with them."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "clients"
SECONDS = 170

needed = pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js and npm are not installed")
"""Marks tests that need Node.js."""


def installed() -> Path:
    """The folder with node_modules: of these versions, and shared by all workers and runs."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    made = Path(tempfile.gettempdir()) / f"casegraph-npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    made.mkdir(exist_ok=True)
    done = made / "done"
    with (made / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not done.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(FOLDER / name, made)
            run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], made)
            done.touch()
    return made


def project(folder: Path, *files: str) -> Path:
    """*folder*, with some files of tests/clients, and the packages."""
    folder.mkdir(exist_ok=True)
    for name in files:
        source = FOLDER / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__generated__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(installed() / "node_modules")
    return folder


def run(command: list[str], folder: Path) -> str:
    """What the command printed; fails if it fails."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
