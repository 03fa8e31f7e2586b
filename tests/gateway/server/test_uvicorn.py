"""What the gateway relies on of uvicorn's inside, by name: the first to fail after an upgrade."""

import inspect
import re
import tomllib
from pathlib import Path

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.server import ServerState
from uvicorn.supervisors import multiprocess

ROOT = Path(__file__).parents[3]


async def _answer(_scope, _receive, _send):
    """An application that is never called."""


def made():
    config = Config(_answer, lifespan="off")
    config.load()
    return httptools_impl.HttpToolsProtocol(config, ServerState(), {})


def assigned_in(function):
    """The attributes of self that a method sets."""
    return set(re.findall(r"self\.(\w+)(?:: [^=]+)? = ", inspect.getsource(function)))


def test_the_pin_allows_one_minor_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [pin] = [one for one in project["dependencies"] if one.startswith("uvicorn")]

    low, high = re.fullmatch(r"uvicorn>=0\.(\d+),<0\.(\d+)", pin).groups()
    assert int(high) == int(low) + 1
    assert uvicorn.__version__.startswith(f"0.{low}.")


async def test_a_connection_has_what_is_relied_on():
    state = ("cycle", "connections", "flow", "loop", "parser", "pipeline", "transport")
    methods = [
        "_start_asgi_task",
        "connection_lost",
        "connection_made",
        "data_received",
        "on_body",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_response_complete",
        "pause_writing",
        "shutdown",
    ]
    connection = made()

    assert [name for name in state if not hasattr(connection, name)] == []
    assert {"headers", "url"} <= assigned_in(httptools_impl.HttpToolsProtocol.on_message_begin)
    assert [name for name in methods if not callable(getattr(connection, name, None))] == []


def test_a_request_has_what_is_relied_on():
    relied_on = {
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
        "transport",
        "waiting_for_100_continue",
    }

    assert relied_on <= assigned_in(httptools_impl.RequestResponseCycle.__init__)


def test_the_flow_control_has_what_is_relied_on():
    assert {"read_paused", "write_paused"} <= assigned_in(flow_control.FlowControl.__init__)
    assert callable(flow_control.FlowControl.pause_reading)
    assert callable(flow_control.FlowControl.resume_reading)


def test_a_server_has_what_is_relied_on():
    server = uvicorn.Server(Config(_answer, lifespan="off"))

    assert {"connections", "default_headers", "total_requests"} <= vars(server.server_state).keys()
    assert {"config", "server_state", "started"} <= vars(server).keys()
    assert inspect.iscoroutinefunction(server.on_tick)
    assert inspect.iscoroutinefunction(server.shutdown)
    assert "servers" in assigned_in(uvicorn.Server.startup)
    assert "lifespan" in inspect.getsource(uvicorn.Server._serve)
    assert httptools_impl.STATUS_LINE[431].startswith(b"HTTP/1.1 431 ")


def test_a_supervisor_has_what_is_relied_on():
    supervisor = multiprocess.Multiprocess
    assert {"processes", "sockets"} <= assigned_in(supervisor.__init__)
    for name in ("init_processes", "join_all", "run", "terminate_all"):
        assert callable(getattr(supervisor, name))
    # Each new process is made by this name, which Supervisor replaces.
    assert "Process(" in inspect.getsource(supervisor.init_processes)

    process = multiprocess.Process
    assert "_server" in assigned_in(process.__init__)
    assert {"process"} <= assigned_in(process.__init__)
    assert isinstance(process.server, property)
    assert isinstance(process.exitcode, property)
    assert callable(process.kill)
