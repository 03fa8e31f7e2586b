"""One cell: a server under the load of wrk for some seconds, with the calls of one work.

wrk runs on another core than the server. It counts what is finished within its window, which takes
something from slow servers: a cell with few requests is measured again for longer.
"""

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.data import Firm
from benchmarks.databases import raw
from benchmarks.servers import LOAD_CORE, BenchmarkError, Request, Running, pinned
from benchmarks.works import NUMBER, Call, Work

FEW = 50
"""Requests a connection below which a cell is measured again."""
LONGER = 3
_SCRIPT = """
local headers = {%(headers)s}
local calls = {
%(calls)s
}
local numbered = %(numbered)s
local made = {}
-- wrk takes one request to look at, which it does not send.
local count = -1

function init(args)
  for index, call in ipairs(calls) do
    made[index] = wrk.format(call[1], call[2], headers, call[3])
  end
end

function request()
  count = count + 1
  if numbered then
    local call = calls[(count - 1) %% #calls + 1]
    local path = string.gsub(call[2], "%(number)s", tostring(count))
    local body = call[3] and string.gsub(call[3], "%(number)s", tostring(count))
    return wrk.format(call[1], path, headers, body)
  end
  return made[(count - 1) %% #made + 1]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write("\\nFIGURES ", string.format(
    '{"requests": %%d, "seconds": %%f, "refused": %%d, "lost": %%d, "p50": %%f, "p99": %%f}\\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured: times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    sent: int = 0
    """All requests, those of a cell that was measured again, too."""
    database_ms: float | None = None
    """Processor time of the database's server for each request."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def require_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise BenchmarkError("wrk is missing. On Debian and Ubuntu: apt-get install wrk")
    return found


def measure(
    running: Running, work: Work, calls: Sequence[Call], connections: int, seconds: int
) -> Cell:
    """Raises BenchmarkError if anything but success was answered."""
    cell = _measure_once(running, work, calls, connections, seconds)
    # Writes are not repeated: their calls are good for one cell.
    if cell.requests < FEW * connections and not work.writes:
        longer = _measure_once(running, work, calls, connections, seconds * LONGER)
        cell = replace(longer, sent=cell.sent + longer.sent)
    if not cell.requests:
        raise BenchmarkError(
            f"{running.server.name} answered nothing of {work.name} at {connections} connections "
            "in time. Raise --seconds, or leave it out with --only or --servers."
        )
    return cell


def _measure_once(
    running: Running, work: Work, calls: Sequence[Call], connections: int, seconds: int
) -> Cell:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(running, work, calls))
        script.flush()
        command = [
            *pinned(LOAD_CORE),
            require_wrk(),
            *("-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s"),
            *("-s", script.name, f"http://127.0.0.1:{running.port}"),
        ]
        ended = subprocess.run(  # noqa: S603 (our own command)
            command, capture_output=True, text=True, check=False
        )
    line = next((line for line in ended.stdout.splitlines() if line.startswith("FIGURES ")), None)
    place = f"{running.server.name}, {work.name} at {connections} connections"
    if line is None:
        raise BenchmarkError(f"{place}: wrk failed: {ended.stdout}{ended.stderr}")
    found = json.loads(line.removeprefix("FIGURES "))
    if found["refused"] or found["lost"]:
        raise BenchmarkError(
            f"{place}: {found['requests']} answers, of which {found['refused']} are refusals, "
            f"and {found['lost']} requests without an answer."
        )
    count = found["requests"]
    return Cell(count, found["seconds"], found["p50"], found["p99"], count)


def _script(running: Running, work: Work, calls: Sequence[Call]) -> str:
    lines = []
    unlike = running.server.is_ours and not running.server.again and not work.writes
    requests = [running.request(work, call) for call in calls]
    if unlike:
        run = secrets.token_hex(4)  # another run begins to count anew
        requests = [unlike_others(request, f"{run}-{NUMBER}") for request in requests]
    for request in requests:
        body = "nil" if request.body is None else _quoted(request.body)
        lines.append(f"  {{{_quoted(request.method)}, {_quoted(request.path)}, {body}}},")
    headers = (f"[{_quoted(name)}] = {_quoted(value)}" for name, value in running.headers.items())
    first = requests[0].body or b""
    return _SCRIPT % {
        "headers": ", ".join(headers),
        "calls": "\n".join(lines),
        "numbered": "true" if unlike or NUMBER.encode() in first else "false",
        "number": NUMBER,
    }


def unlike_others(request: Request, number: str) -> Request:
    """The same request, but with a *number* that is ignored: so it is no other's, and no answer to
    it is a kept one.
    """
    if request.body is None:
        path = f"{request.path}{'&' if '?' in request.path else '?'}n={number}"
        return Request(request.method, path, None)
    extensions = f',"extensions":{{"n":"{number}"}}}}'.encode()
    return Request(request.method, request.path, request.body[:-1] + extensions)


def _quoted(text: str | bytes) -> str:
    """A Lua string, byte for byte."""
    content = text.encode() if isinstance(text, str) else text
    made = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}"
        for byte in content
    )
    return f'"{made}"'


def written(firm: Firm) -> int:
    """How many events the timeline has: every write is one."""
    with raw(firm) as connection:
        [seq] = connection.execute(
            "SELECT seq FROM timeline_head WHERE workspace_id = ?", [firm.workspace_id]
        ).fetchone()
    return int(seq)
