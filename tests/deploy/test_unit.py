"""The systemd unit of deploy/, and the names of settings in all files there."""

import configparser
import re
import shutil
import subprocess

import pytest

from gateway.server.process import GRACEFUL_SECONDS
from gateway.settings import PREFIX, Settings
from tests.fault.servers import ROOT

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "casegraph.service"
PROGRAM = "/opt/casegraph/bin/casegraph"
systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def service():
    """The lines of [Service]; of those that stand there more than once, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


@systemd
def test_systemd_has_nothing_to_say_about_the_unit(tmp_path):
    text = UNIT.read_text(encoding="utf-8")
    assert PROGRAM in text
    # The program must exist for this.
    there = tmp_path / UNIT.name
    there.write_text(text.replace(f"ExecStart={PROGRAM}", "ExecStart=/bin/true"), encoding="utf-8")

    done = analyze("verify", "--man=no", there)

    told = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert (done.returncode, told) == (0, [])


@systemd
def test_the_unit_is_as_closed_as_it_says():
    # In tenths, of which 100 is a service that may do anything.
    done = analyze("security", "--offline=yes", "--no-pager", "--threshold=15", UNIT)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stop_is_waited_for_longer_than_the_server_takes(service):
    # The supervisor of workers waits 5 s longer than they do.
    assert int(service["TimeoutStopSec"]) > GRACEFUL_SECONDS + 5


def test_the_default_of_connections_fits_into_the_files_that_may_be_open(service):
    from gateway.commands.serve import OTHER_FILES

    assert int(service["LimitNOFILE"]) >= Settings().connections + OTHER_FILES


def test_the_unit_runs_a_command_that_exists(service):
    from gateway.__main__ import app

    program, command = service["ExecStart"].split()

    assert program == PROGRAM
    assert command in {one.name or one.callback.__name__ for one in app.registered_commands}


COMPOSE = {"APP_PASSWORD", "OWNER_PASSWORD", "IMAGE", "PUBLISH"}
"""What compose.yaml alone reads from its .env."""


def test_every_setting_that_is_named_exists():
    known = {PREFIX + name for name in COMPOSE | {name.upper() for name in Settings.model_fields}}
    named = {
        path.name: set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text(encoding="utf-8")))
        for path in DEPLOY.iterdir()
        if path.is_file()
    }

    assert {name: unknown for name, found in named.items() if (unknown := found - known)} == {}
    assert sum(map(bool, named.values())) >= 7


def test_every_value_that_the_unit_sets_can_be_used():
    lines = re.findall(rf"(?m)^Environment={PREFIX}(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"))

    settings = Settings().but(**{name.lower(): value for name, value in lines})

    assert settings.database_url == "sqlite:////var/lib/casegraph/casegraph.db"
    assert settings.trusted_proxies == (settings.host,)


def test_a_proxy_lets_go_of_a_connection_before_the_gateway_does():
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    caddy = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    [one] = re.findall(r"keepalive_timeout (\d+)s;", nginx)
    [other] = re.findall(r"keepalive (\d+)s\n", caddy)

    assert max(int(one), int(other)) < Settings().idle_seconds


def test_a_proxy_waits_longer_than_the_gateway_may_take():
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    caddy = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    waits = re.findall(r"proxy_read_timeout (\d+)s;", nginx)
    waits += re.findall(r"response_header_timeout (\d+)s\n", caddy)
    bodies = re.findall(r"client_body_timeout (\d+)s;", nginx)
    bodies += re.findall(r"read_body (\d+)s\n", caddy)

    assert len(waits) == len(bodies) == 2
    assert min(map(int, waits)) > GRACEFUL_SECONDS
    assert min(map(int, bodies)) > Settings().body_seconds
