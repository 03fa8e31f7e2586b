"""What can be set, and what is said of a value that cannot be."""

import json
import os
from pathlib import Path

import pytest

from gateway.settings import (
    DESCRIPTIONS,
    PREFIX,
    BadSetting,
    Settings,
    from_environment,
    unknown,
)
from tests import forking


@pytest.fixture
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    return lambda name, value: monkeypatch.setenv(f"{PREFIX}{name}", value)


@pytest.fixture
def gateway_run(tmp_path):
    """Runs a command in an empty folder, with no other settings than those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    clean["PYTHONPATH"] = str(Path(__file__).parents[2])

    def run(*arguments, **variables):
        return forking.run(arguments, cwd=tmp_path, env=clean | variables)

    return run


def test_every_setting_is_described():
    assert DESCRIPTIONS.keys() == Settings.model_fields.keys()
    assert all(text.endswith((".", "...")) for text in DESCRIPTIONS.values())


def test_settings_are_read_from_the_environment(environment):
    for name, value in (
        ("PORT", "0"),
        ("INTROSPECTION", "off"),
        ("CORS_ORIGINS", "https://a.example, https://b.example,"),
        ("UNKNOWN", "ignored"),
    ):
        environment(name, value)

    origins = ("https://a.example", "https://b.example")
    assert from_environment() == Settings(port=0, introspection=False, cors_origins=origins)


def test_a_name_that_is_no_setting_is_told_with_the_nearest_that_is():
    assert unknown(["casegraph_port", "CASEGRAPH_Port"]) == []
    names = ["CASEGRAPH_DATABSE_URL", "CASEGRAPH_LOGLEVEL", "CASEGRAPH_XYZ", "CASEGRAPH_PORT", "A"]

    assert unknown(names) == [
        "There is no setting CASEGRAPH_DATABSE_URL. Did you mean CASEGRAPH_DATABASE_URL?",
        "There is no setting CASEGRAPH_LOGLEVEL. Did you mean CASEGRAPH_LOG_LEVEL?",
        "There is no setting CASEGRAPH_XYZ. Run: casegraph settings",
    ]


def test_a_command_warns_once_of_a_name_that_is_no_setting(gateway_run):
    done = gateway_run("settings", CASEGRAPH_LOGLEVEL="debug")

    assert done.stderr.count("Did you mean CASEGRAPH_LOG_LEVEL?") == 1
    assert "LOGLEVEL" not in done.stdout
    looked = gateway_run("doctor", "--json", CASEGRAPH_LOGLEVEL="debug")
    told = [one["found"] for one in json.loads(looked.stdout)]
    assert "There is no setting CASEGRAPH_LOGLEVEL. Did you mean CASEGRAPH_LOG_LEVEL?" in told
    assert "LOGLEVEL" not in looked.stderr


def test_the_command_shows_what_is_set_but_no_secret(gateway_run):
    done = gateway_run(
        "settings",
        "--json",
        CASEGRAPH_PORT="81",
        CASEGRAPH_METRICS_TOKEN="hush-1",
        CASEGRAPH_DATABASE_URL="postgresql://me:hush-2@host/cases",
    )

    rows = {one["name"]: one for one in json.loads(done.stdout)}
    assert rows.keys() == {PREFIX + name.upper() for name in DESCRIPTIONS}
    assert (rows["CASEGRAPH_PORT"]["value"], rows["CASEGRAPH_PORT"]["from"]) == (81, "environment")
    assert rows["CASEGRAPH_HOST"]["from"] == "default"
    assert rows["CASEGRAPH_METRICS_TOKEN"]["value"] == "(hidden)"
    assert rows["CASEGRAPH_DATABASE_URL"]["value"] == "postgresql://me:***@host/cases"
    url = "postgresql://host/cases?sslpassword=hush&p%61ssword=hush&user=me"
    shown = gateway_run("settings", casegraph_read_url=url, CASEGRAPH_DATABASE_URL="sqlite:///x")
    assert "user=me" in shown.stdout.replace("\n", "").replace(" ", "")
    assert "hush" not in shown.stdout
    assert "hush" not in done.stdout + gateway_run("settings", CASEGRAPH_DEMO_KEY="hush").stdout


def test_workers_read_what_the_command_decided(environment):
    decided = Settings(port=81, suggestions=False, cors_origins=("a", "b"), log_level="debug")

    for name, value in decided.environment().items():
        environment(name.removeprefix(PREFIX), value)

    assert from_environment() == decided


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "abc", "must be a whole number from 0 to 65,535, not 'abc'."),
        ("PORT", "65536", "must be a whole number from 0 to 65,535, not '65536'."),
        ("WORKERS", "0", "must be a whole number from 1 to 64, not '0'."),
        ("QUERY_SECONDS", "", "must be a whole number from 1 to 3,600, not ''."),
        ("RATE_LIMIT", "-1", "must be a whole number from 1 to 1,000,000,000, not '-1'."),
        ("INTROSPECTION", "perhaps", "must be true or false, not 'perhaps'."),
        (
            "WEBHOOK_NETWORKS",
            "10.1.0.0/16, x",
            "must be networks, like 10.1.0.0/16, not '10.1.0.0/16,x'.",
        ),
        (
            "WEBHOOK_NETWORKS",
            "10.1.0.1/16",
            "must be networks, like 10.1.0.0/16, not '10.1.0.1/16'.",
        ),
        ("LOG_LEVEL", "loud", "must be one of: debug, info, warning, error, not 'loud'."),
        ("LOG_FORMAT", "xml", "must be one of: json, text, not 'xml'."),
    ],
)
def test_a_value_that_cannot_be_is_one_clear_line(environment, name, value, sentence):
    environment(name, value)

    with pytest.raises(BadSetting) as refused:
        from_environment()

    assert refused.value.problems == [f"{PREFIX}{name} {sentence}"]


def test_a_command_ends_with_status_2_for_such_a_value(gateway_run):
    done = gateway_run("keys", "list", CASEGRAPH_PORT="x", CASEGRAPH_LOG_LEVEL="y")

    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(" must be ")[0] for line in done.stderr.splitlines()] == [
        "casegraph: CASEGRAPH_PORT",
        "casegraph: CASEGRAPH_LOG_LEVEL",
    ]


def test_a_start_ends_with_status_2_for_a_document_that_does_not_fit(gateway_run, tmp_path):
    (tmp_path / "persisted.json").write_text('{"a": "{ nothing }"}')

    for command in ("serve", "demo"):
        done = gateway_run(command, "--port", "0", CASEGRAPH_DOCUMENTS="persisted.json")

        assert done.returncode == 2
        assert done.stderr == (
            "casegraph: persisted.json: the document a does not fit the schema: Cannot query field "
            "'nothing' on type 'Query'.\n"
        )


def test_other_values_are_checked_too():
    assert Settings().but(port=1).port == 1
    with pytest.raises(BadSetting):
        Settings().but(port=-1)
