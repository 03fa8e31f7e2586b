"""A real PgBouncer between casegraph and its database server, where it is installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOBODY = 65534
CONNECTIONS = 3
"""Connections to the server: fewer than the clients have, so that they change hands."""


@contextlib.contextmanager
def pooler(target: int) -> Iterator[int]:
    """The port of a pooler of transactions, for the server on the port *target*."""
    if PROGRAM is None:
        if "CI" in os.environ:
            raise AssertionError("PgBouncer is missing: .ci/run installs it.")
        pytest.skip("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users").write_text('"casegraph" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={target}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder}/users\npool_mode = transaction\n"
            f"default_pool_size = {CONNECTIONS}\nlogfile = {folder}/log\n"
        )
        as_nobody: dict[str, object] = {}
        if os.geteuid() == 0:  # as whom it refuses to run
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
            as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        process = subprocess.Popen([PROGRAM, str(folder / "pgbouncer.ini")], **as_nobody)
        try:
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()
            process.wait(10)
