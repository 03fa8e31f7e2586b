"""Log lines: the access log is written without structlog, and nobody must see the difference."""

import asyncio
import io
import json
import logging
import sys

import pytest
import structlog

from gateway import logs

FACTS = {"method": "GET", "path": "/cases/{id}", "status": 200, "ms": 1.5, "key": None}


@pytest.fixture
def written(monkeypatch):
    """Configures logging, and gives back what is written from then on."""
    root = logging.getLogger()
    before, level = root.handlers[:], logging.getLogger(logs.ACCESS).level

    def configure(style, stream=None):
        taken = io.TextIOWrapper(stream or io.BytesIO(), encoding="utf-8", write_through=True)
        monkeypatch.setattr(sys, "stderr", taken)
        logs.configure("info", style)
        return lambda: taken.buffer.getvalue().decode()

    yield configure
    root.handlers[:] = before
    logging.getLogger("casegraph").setLevel(logging.NOTSET)
    logging.getLogger(logs.ACCESS).setLevel(level)
    monkeypatch.setattr(logs, "_lines", None)
    structlog.reset_defaults()


def test_a_line_of_the_access_log_has_what_structlog_would_give_it(written):
    read = written("json")
    token = logs.REQUEST_ID.set("find-me")
    logs.access("request", **FACTS)
    structlog.get_logger(logs.ACCESS).info("request", **FACTS)
    logs.REQUEST_ID.reset(token)

    mine, theirs = map(json.loads, read().splitlines())

    assert mine.keys() == theirs.keys()
    assert mine.pop("timestamp")[:16] == theirs.pop("timestamp")[:16]
    assert (
        mine
        == theirs
        == FACTS
        | {
            "event": "request",
            "level": "info",
            "logger": "casegraph.access",
            "request_id": "find-me",
        }
    )


def test_lines_for_people_are_text(written):
    read = written("text")

    logs.access("refused", status=408, code="REQUEST_TIMEOUT", request_id="r1")

    assert "REQUEST_TIMEOUT" in read()
    assert not read().startswith("{")


def test_at_warning_there_is_no_access_log(written):
    read = written("json")
    logging.getLogger("casegraph").setLevel(logging.WARNING)

    logs.access("request", **FACTS)

    assert read() == ""


class Full(io.BytesIO):
    """A disk without room."""

    def write(self, _data):
        raise OSError(28, "No space left on device")


def test_a_full_disk_under_the_log_fails_no_request(written):
    written("json", Full())

    logs.access("request", **FACTS)


async def test_lines_of_one_go_are_written_together(written):
    read = written("json")

    for n in range(3):
        logs.access("request", **FACTS | {"ms": n})
    assert read() == ""
    await asyncio.sleep(0)

    assert [json.loads(line)["ms"] for line in read().splitlines()] == [0, 1, 2]


def test_what_python_cannot_raise_is_logged_without_its_words(written, monkeypatch):
    class Finalized:
        def __del__(self):
            raise ValueError("Müller ./. Weiß")

    read = written("json")
    monkeypatch.setattr(sys, "unraisablehook", logs.unraisable)

    one = Finalized()
    del one

    [line] = map(json.loads, read().splitlines())
    assert (line["event"], line["level"]) == ("unraisable", "warning")
    assert "builtins.ValueError" in line["exception"]
    assert "ller" not in read()
