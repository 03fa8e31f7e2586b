"""The ends of the timelines are in the log, on every start and again and again."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from domain.reading import anchors
from domain.storage.opening import opened
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from gateway.server import anchoring


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch):
    """A logger that capture_logs() reaches, even if a server ran in this process before."""
    before = structlog.get_config()
    structlog.reset_defaults()
    monkeypatch.setattr(anchoring, "log", structlog.get_logger())
    yield
    structlog.configure(**before)


@pytest.fixture
async def database(database_url):
    async with opened(database_url) as made:
        await administration.create_workspace(made, "default")
        await administration.create_key(made, "first", ["cases:read"])
        yield made


async def test_the_log_has_what_verify_looks_for(database, monkeypatch):
    monkeypatch.setattr(anchoring, "EVERY_SECONDS", 0.01)
    with capture_logs() as logged:
        async with anchoring.anchored(database):
            await administration.create_key(database, "second", ["cases:read"])
            await asyncio.sleep(0.1)

    told = [line for line in logged if line["event"] == "timeline_head"]
    found = list(dict.fromkeys(anchors.found_in("\n".join(map(str, told)))))
    assert [one.seq for one in found] == [1, 2]
    assert {(line["workspace"], line["mode"]) for line in told} == {("default", "live")}
    checked = await verify(database, anchors=found)
    assert (checked.findings, checked.anchored) == ([], set(found))


async def test_a_database_that_cannot_be_read_ends_nothing(database):
    await database.close()
    with capture_logs() as logged:
        async with anchoring.anchored(database):
            pass

    assert [line["event"] for line in logged] == ["timeline_head_unread"]
