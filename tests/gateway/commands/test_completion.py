"""Tab in real shells, with the completion that the command installs there."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"needs {name}"))
    for name in ("bash", "zsh")
]
STARTS = {"bash": ["bash", "-i"], "zsh": ["zsh", "-d", "-i"]}  # -d: not what all users share
PROMPT = "ready> "


class Terminal:
    """An interactive shell in a terminal of its own."""

    def __init__(self, shell, environment):
        self.process, self.tty = pty.fork()
        if self.process == 0:
            os.execvpe(shell, STARTS[shell], environment)
        self.shown = ""
        self.wait_for(re.escape(PROMPT))

    def type(self, keys):
        self.shown = ""
        os.write(self.tty, keys.encode())

    def wait_for(self, pattern):
        """Wait until it shows something, since the last keys; what it was."""
        until = time.monotonic() + 20
        while not (found := re.search(pattern, self.shown)):
            assert time.monotonic() < until, self.shown
            if select.select([self.tty], [], [], 0.2)[0]:
                self.shown += os.read(self.tty, 65536).decode(errors="replace")
        return found[0]

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.tty)


@pytest.fixture(params=SHELLS)
def terminal(request, tmp_path):
    """A new shell of somebody who has installed the completion."""
    shell = request.param
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "casegraph"
    # The name of the program is that of the file, as for the one that pip installs.
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom gateway.__main__ import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "COLUMNS": "120",
    }
    prompt = tmp_path / f".{shell}rc"
    prompt.write_text(f"PS1='{PROMPT}'\n")
    installed = subprocess.run(
        # "true" keeps the shell from making way for the command, which looks for it.
        [shell, "-c", "casegraph --install-completion; true"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{shell} completion installed" in installed.stdout, installed.stderr
    # compinit asks about folders that are not the user's own, as another one's here may be.
    prompt.write_text(prompt.read_text().replace("; compinit\n", "; compinit -u\n"))
    made = Terminal(shell, environment)
    yield made
    made.close()


def test_commands_and_options_are_completed_from_the_first_tab_on(terminal):
    terminal.type("casegraph key\t")
    terminal.wait_for("casegraph keys ")

    terminal.type("\t\t")
    listed = [terminal.wait_for(rf"(?<!\w){name}\b") for name in ("create", "list", "revoke")]
    assert len(listed) == 3

    terminal.type("\x15casegraph serve --d\t")
    terminal.wait_for("serve --database ")
