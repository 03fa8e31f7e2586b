"""Floor (b): finished bytes. What HTTP alone costs with this server, whatever the answers are."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from benchmarks.data import Firm
from benchmarks.floor import Floor, Receive, Scope, Send, read_body, send_json, serve
from benchmarks.works import WORKS, Sample, calls, numbered


def finished(firm: Firm) -> dict[str, bytes]:
    """The bytes of one answer of each work, by path; those that write are done once."""
    floor, sample = Floor(firm.path, firm.workspace_id, firm.seal), Sample.of(firm)
    answers: dict[str, bytes] = {}
    for work in WORKS:
        if work.name == "Q1p":
            continue
        call = numbered(calls(work, sample, 0)[0], "finished")
        path = (call.path or f"/{work.name}").partition("?")[0]
        answer = orjson.dumps(floor.answer(path, call.variables or {}))
        answers["/api/v1/cases/" if work.name == "R2" else path] = answer
    floor.close()
    return answers


def application(answers: dict[str, bytes]) -> Any:
    """The bare ASGI application."""
    one_case = answers["/api/v1/cases/"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive)
        await send_json(send, answers.get(scope["path"], one_case))

    return app


def main(
    database: Annotated[Path, typer.Option()],
    workspace: Annotated[int, typer.Option()],
    seal: Annotated[str, typer.Option()],
    port: Annotated[int, typer.Option()],
) -> None:
    """Serve the finished bytes; started by the benchmark."""
    firm = Firm(database, 0, workspace, "", seal)
    serve(application(finished(firm)), port)


if __name__ == "__main__":
    typer.run(main)
