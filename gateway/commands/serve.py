"""casegraph serve and casegraph demo: run the gateway as a server."""

import contextlib
import os
import re
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from domain.access.principal import Scope
from domain.demo.firm import demo_cases
from domain.errors import Unavailable
from domain.storage.opening import parse_url
from domain.transfer import importing
from domain.upkeep import administration
from gateway import stopping
from gateway.commands import terminal
from gateway.commands.terminal import DatabaseUrl, err, out, progress
from gateway.loading import uncollected
from gateway.settings import DESCRIPTIONS, Settings
from gateway.telemetry import tracing

Host = Annotated[
    str | None,
    typer.Option(
        help=DESCRIPTIONS["host"] + " [env: CASEGRAPH_HOST]", show_default=Settings().host
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        help=DESCRIPTIONS["port"] + " [env: CASEGRAPH_PORT]",
        show_default=str(Settings().port),
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=64, help=DESCRIPTIONS["workers"] + " [env: CASEGRAPH_WORKERS]", show_default="1"
    ),
]

_DEMO_KEY = re.compile(r"demo \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \d+")
"""The names that _fill() gives its keys."""
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""gateway.telemetry.metrics.SHARED, which must not be imported before it is decided on."""
OTHER_FILES = 500
"""Files a process opens besides its connections: the database, and connections being closed."""


def serve(
    database: DatabaseUrl = None, host: Host = None, port: Port = None, workers: Workers = None
) -> None:
    """Run the gateway on your database: GraphQL at /graphql, REST at /api/v1.

    The database is created or brought up to date on start. First create a key with
    `casegraph keys create`.

    Examples:

        casegraph serve

        casegraph serve --database sqlite:////var/lib/casegraph/cases.db --host 0.0.0.0 --port 80

        CASEGRAPH_CORS_ORIGINS=https://app.example.org casegraph serve
    """
    settings = terminal.chosen(database, host=host, port=port, workers=workers)
    _check_files(settings)
    _warn_of_readers(settings.database_url)
    with _listening(settings) as (listener, url):
        terminal.run(_prepare(settings))
        with stopping.noted() as asked:
            out.print(f"casegraph on {url}  (GraphQL {url}/graphql, REST {url}/api/v1)")
            _run(settings, listener, asked)
        if signal.SIGTERM in asked:
            signal.raise_signal(signal.SIGTERM)  # who sent it may look at what ended the process


def demo(
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep the demo database in this file and reuse it next time."
        ),
    ] = None,
    host: Host = None,
    port: Port = None,
    cases: Annotated[
        int, typer.Option(min=1, max=100_000, help="The number of cases to create.")
    ] = 320,
) -> None:
    """Run the gateway with fictional German and English cases and a key for trying it out.

    The database is deleted at the end unless you --keep it.

    Examples:

        casegraph demo

        casegraph demo --keep demo.db --port 9000
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(stopping.as_by_ctrl_c())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="casegraph-demo-"))
        path = keep or Path(folder) / "demo.db"
        settings = terminal.chosen(f"sqlite:///{path}", host=host, port=port)
        _check_files(settings)
        shown = _example(settings)
        listener, url = stack.enter_context(_listening(settings))
        key = terminal.run(_fill(settings, cases))
        asked = stack.enter_context(stopping.noted())
        out.print(_welcome(url, key, app=bool(settings.app or shown)), markup=False)
        os.environ.setdefault("CASEGRAPH_LOG_LEVEL", "warning")
        os.environ.setdefault("CASEGRAPH_LOG_FORMAT", "text")
        _run(terminal.chosen(settings.database_url, demo_key=key, **shown), listener, asked)


def _example(settings: Settings) -> dict[str, str]:
    """The settings that show the example app, if it is built and there is no other."""
    from gateway.http import single_page

    if settings.app or not single_page.example_is_built():
        return {}
    manifest = str(single_page.EXAMPLE / single_page.MANIFEST)
    return {"app": str(single_page.EXAMPLE), "documents": settings.documents or manifest}


async def _prepare(settings: Settings) -> None:
    """Prepare the database here, to fail with a clear message before any worker starts."""
    async with terminal.opened(
        settings.database_url,
        bound=not settings.bypass_policies,
        owner=False,
        read_url=settings.read_url or None,
    ) as database:
        if await database.is_owner():
            await administration.create_workspace(database, administration.DEFAULT_SLUG)


async def _fill(settings: Settings, count: int) -> str:
    """Import the demo cases unless they exist; return a new key."""
    async with terminal.opened(settings.database_url) as database:
        slug = administration.DEFAULT_SLUG
        await administration.create_workspace(database, slug, "Kanzlei Brandt & Hartley")
        who = await administration.operator(database)
        lines = [importing.dumped(case) for case in demo_cases(count)]
        with progress() as bar:
            task = bar.add_task("Creating demo cases", total=count)
            await importing.import_cases(
                who,
                database,
                lines,
                source="demo",
                on_progress=lambda now: bar.update(task, completed=now.lines),
            )
        for key in await administration.list_keys(database):
            # Of an earlier start with --keep: nobody has that key any more.
            if _DEMO_KEY.fullmatch(key.name) and key.revoked_at is None:
                await administration.revoke_key(database, key.id)
        name = f"demo {database.clock()} {os.getpid()}"
        raw, _entry = await administration.create_key(database, name, list(Scope))
        return raw


def _welcome(url: str, key: str, *, app: bool) -> str:
    query = '{"query": "{ cases(first: 3) { totalCount nodes { name fileNumber } } }"}'
    return (
        (f"App        {url}/\n" if app else "") + f"GraphiQL   {url}/graphql\n"
        f"REST       {url}/api/v1/cases    (documentation: {url}/api/v1/docs)\n"
        f"Key        {key}\n\n"
        f"curl -H 'Authorization: Bearer {key}' \\\n"
        f"  '{url}/api/v1/cases?search=muller&limit=3'\n\n"
        f"curl -H 'Authorization: Bearer {key}' \\\n"
        f"  -H 'Content-Type: application/json' {url}/graphql \\\n"
        f"  -d '{query}'\n\n"
        "Press Ctrl-C to stop."
    )


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[tuple[socket.socket, str]]:
    """Yields the socket to serve on, bound before any other work, and its URL."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        place = f"{settings.host}:{settings.port}"
        raise Unavailable(
            f"Cannot listen on {place}: {error.strerror}. Choose another --port."
        ) from error
    with listener:
        shown = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
        yield listener, f"http://{shown}:{listener.getsockname()[1]}"


def _run(settings: Settings, listener: socket.socket, asked: list[int]) -> None:
    """Serve until a stop signal; accepted requests are finished first.

    *asked* are such signals that have come already.
    """
    # What is imported next looks at it.
    for name in (SHARED, SHARED.lower()):
        os.environ.pop(name, None)
    # Imported here so that other commands need not load the server.
    with uncollected():
        from gateway.server.connection import Connection
        from gateway.server.process import (
            GRACEFUL_SECONDS,
            START_SECONDS,
            Configuration,
            Server,
            Supervisor,
        )

    os.environ.update(settings.environment())
    _allow_open_files(settings.connections + OTHER_FILES)
    config = Configuration(
        "gateway.app:from_environment",
        factory=True,
        http=Connection,
        ws="none",  # a Connection becomes a WebSocket by itself
        ws_max_size=settings.body_bytes,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn itself believes whoever connects from this machine.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )
    if settings.workers == 1:
        server = Server(config, asked)
        server.run(sockets=[listener])
        if not server.started:
            raise typer.Exit(1)
        return
    listener.set_inheritable(True)
    with tempfile.TemporaryDirectory(prefix="casegraph-metrics-") as folder:
        os.environ[SHARED] = folder
        Supervisor(config, [listener], asked).run()


def _check_files(settings: Settings) -> None:
    """Look at what settings name here, to fail with clear messages before any worker starts.

    Raises BadSetting.
    """
    if settings.app:
        from gateway.http import single_page

        single_page.check(settings)
    tracing.check(os.environ)
    if settings.documents or settings.documents_only:
        # Imported here so that other starts need not wait for the schema.
        from gateway.http.manifests import trusted

        trusted(settings)


def _warn_of_readers(database_url: str) -> None:
    """Say that others on this machine may read the database file, if they may."""
    path = Path(parse_url(database_url).database or "")
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_file() and mode & (stat.S_IRGRP | stat.S_IROTH):
            err.print(
                f"Warning: others may read {path} (its mode is {mode:o}). Run: chmod 600 {path}",
                markup=False,
            )


def _allow_open_files(count: int) -> None:
    """Raise the soft limit of open files, often 1,024, as far as the system allows."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = count if hard == resource.RLIM_INFINITY else min(count, hard)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
