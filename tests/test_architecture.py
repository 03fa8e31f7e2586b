"""The rules of the house that a reader would otherwise have to remember."""

import ast
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
