"""The rules of the house that a reader would otherwise have to remember."""

import ast
import graphlib
import inspect
from pathlib import Path

import pytest

from domain.access.principal import Principal
from domain.errors import CODES, Refused
from domain.reading import lists, lookups, related
from domain.writing import cases, links, register, roles
from gateway.schema.scalars import UserErrorCode
from rest_compat.errors import STATUS

ROOT = Path(__file__).parent.parent
WEB = {"fastapi", "graphql", "pydantic", "starlette", "strawberry", "uvicorn"}
MAY_NOT_IMPORT = {
    "domain": WEB | {"gateway", "rest_compat", "typer", "rich"},
    "gateway": {"rest_compat", "sqlalchemy", "aiosqlite"},
    "rest_compat": {"gateway", "graphql", "sqlalchemy", "aiosqlite", "strawberry"},
}
COMPOSITION_ROOT = ROOT / "gateway" / "app.py"  # the one place where both surfaces meet
SERVICES = (lists, lookups, related, cases, roles, links, register)


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


FLOORS = {
    "domain": [
        {"domain.words": "models inputs errors ids instants checks characters folding words"},
        {
            "domain.storage": "database opening statements spellings tables seals turns watch"
            " cancellation revisions migrating",
            "domain.storage.sqlite": "file readers writer groups lock errors backup swap",
            "domain.storage.postgresql": "server standby connecting listening snapshots sessions"
            " grants damage errors",
            "domain.storage.migrations": "env",
            "domain.storage.migrations.versions": "0001_first_schema 0002_number_keys"
            " 0003_numbers_of_roles 0004_events_of_people 0005_last_instants"
            " 0006_provable_record 0007_merged_parties 0008_secured_search"
            " 0009_counted_writes 0010_expiry_by_workspace 0011_read_heads"
            " 0012_two_roles 0013_rate_windows 0014_numbered_heads"
            " 0015_words 0016_webhooks",
        },
        {"domain.access": "principal keys rates leases positions"},
        {
            "domain.reading": "lists changes following facets lookups relations narrowing related"
            " objects"
            " revisions filters conditions"
            " terms search matches mixed paging cursors anchors sizes kept fences"
        },
        {
            "domain.writing": "cases roles wanted register merging links rows"
            " role_rows timeline idempotency showing"
        },
        {"domain.webhooks": "registering listing claims rows signing addresses"},
        {
            "domain.transfer": "importing batches lines links marks formats kinds exporting",
            "domain.upkeep": "administration comparing copying diagnosing erasing forgetting"
            " redacting purging replaying restoring verifying",
            "domain.demo": "firm words",
            "domain": "services",
        },
    ],
    "gateway": [
        {"gateway": "settings logs globalids loading stopping threads"},
        {"gateway.telemetry": "metrics sampling scraping tracing"},
        {
            "gateway.server": "process connection exchange sockets edge caps compression anchoring",
            "gateway.limits": "text fragments shapes costs points measured",
        },
        {
            "gateway.execution": "declarations arguments loads context requests selections plans"
            " planning source operations documents explaining feeds"
        },
        {
            "gateway.schema": "types queries mutations subscriptions inputs connections facets"
            " searching scalars refusals webhooks assembled"
        },
        {
            "gateway.http": "endpoint accept parameters persisted manifests pipeline validating "
            "introspection graphiql single_page telling subscribing feeding pacing events sockets"
            " repeats"
        },
        {"gateway.webhooks": "payloads sending telling delivering"},
        {
            "gateway.root": "app",
            "gateway.commands": "cases completion copying database doctor explain keys records"
            " schema serve settings terminal",
            "gateway.commands.entry": "__main__",
        },
    ],
    "rest_compat": [
        {
            "rest_compat": "answers application bodies conditions documentation models door errors"
            " explorer"
            " changes parameters people equivalents routes schemas webhooks"
        }
    ],
}
"""Each package from the ground up. A wing imports only itself and what is below its floor."""

HALLS = {
    "domain.words": "domain",
    "gateway.root": "gateway",
    "gateway.commands.entry": "gateway",
}
"""Wings whose modules stand in the package itself."""


def rooms(package: str) -> dict[str, tuple[int, str]]:
    """The floor and the wing of each module that the table names."""
    return {
        f"{HALLS.get(wing, wing)}.{name}": (floor, wing)
        for floor, wings in enumerate(FLOORS[package])
        for wing, names in wings.items()
        for name in names.split()
    }


def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name, without the maps of the wings."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "__init__.py"
    }


def imported_by(path: Path, known: set[str]) -> set[str]:
    """The modules among *known* that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & known


@pytest.mark.parametrize("package", FLOORS)
def test_the_table_names_every_module(package):
    assert rooms(package).keys() == modules(package).keys()


@pytest.mark.parametrize("package", FLOORS)
def test_a_wing_imports_only_itself_and_what_is_below_it(package):
    place = rooms(package)
    upwards = [
        f"{name} -> {other}"
        for name, path in modules(package).items()
        for other in imported_by(path, set(place))
        if place[name][1] != place[other][1] and place[name][0] <= place[other][0]
        if not wing_within(place[name][1], place[other][1])
    ]

    assert upwards == []


def wing_within(one: str, other: str) -> bool:
    """Whether a wing is a part of another one."""
    return one.startswith(f"{other}.") or other.startswith(f"{one}.")


@pytest.mark.parametrize("package", FLOORS)
def test_no_files_import_each_other_in_a_circle(package):
    files = modules(package)
    order = graphlib.TopologicalSorter(
        {name: imported_by(path, set(files)) - {name} for name, path in files.items()}
    )

    order.prepare()  # raises CycleError, which names the circle


def test_every_wing_maps_its_rooms_in_under_ten_lines():
    for package in FLOORS:
        for path in (ROOT / package).rglob("__init__.py"):
            if "migrations" in path.parts or path.parent == ROOT / "domain":
                continue
            text = path.read_text(encoding="utf-8")
            wing = {one.stem for one in path.parent.glob("*.py")} - {"__init__", "__main__"}
            assert len(text.strip().splitlines()) < 10, path
            if path.parent != ROOT / package and path.parent.name != "commands":
                assert [name for name in wing if name not in text] == [], path


@pytest.mark.parametrize("layer", MAY_NOT_IMPORT)
def test_each_layer_imports_only_what_it_may_know(layer):
    for path in (ROOT / layer).rglob("*.py"):
        if path != COMPOSITION_ROOT:
            assert not imports_of(path) & MAY_NOT_IMPORT[layer], path


def test_only_the_composition_root_imports_the_rest_surface():
    importers = [
        path for path in (ROOT / "gateway").rglob("*.py") if "rest_compat" in imports_of(path)
    ]

    assert importers == [COMPOSITION_ROOT]


@pytest.mark.parametrize(
    "function",
    [
        function
        for module in SERVICES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == module.__name__
        and next(iter(inspect.signature(function).parameters)) == "who"
    ],
    ids=lambda function: f"{function.__module__}.{function.__name__}",
)
def test_every_service_function_checks_the_scope_first(function):
    body = ast.parse(inspect.getsource(function)).body[0].body
    statements = [
        part for part in body if not isinstance(getattr(part, "value", None), ast.Constant)
    ]

    assert ast.unparse(statements[0]).startswith("who.require(Scope.")


def test_principals_are_made_in_two_places_only():
    makers = {
        path.name
        for layer in MAY_NOT_IMPORT
        for path in (ROOT / layer).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == Principal.__name__
    }

    assert makers == {"keys.py", "administration.py"}


def test_every_code_has_a_status():
    assert CODES.keys() <= STATUS.keys()


def test_every_refusal_can_be_a_user_error():
    refusals = {code for code, error in CODES.items() if issubclass(error, Refused)}

    assert refusals == set(UserErrorCode.__members__)


def test_no_module_is_a_room_without_a_subject():
    names = {path.stem for layer in MAY_NOT_IMPORT for path in (ROOT / layer).rglob("*.py")}

    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "base"}
