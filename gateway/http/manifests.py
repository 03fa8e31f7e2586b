"""Manifests of trusted documents: what relay-compiler, graphql-codegen and Apollo write.

    {"<id>": "query …"}                                relay-compiler, graphql-codegen
    {"operations": [{"id": "<id>", "body": "query …"}]}    Apollo

An id that begins with sha256: is the hash of its document.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError, OperationDefinitionNode

from gateway.http.persisted import PREFIX, digest
from gateway.http.pipeline import SCHEMA, parsed
from gateway.http.validating import NotValid, check_valid
from gateway.limits.measured import measured
from gateway.limits.text import check_text
from gateway.settings import BadSetting, Settings

SUFFIX = ".json"


def trusted(settings: Settings) -> dict[str, str]:
    """The documents of all manifests, by their ids, and by PREFIX with their hashes.

    Raises BadSetting with a line for everything that is wrong: a file that is no manifest, a
    document that does not fit the schema or exceeds a limit, an id of two documents.
    """
    if not settings.documents:
        if settings.documents_only:
            raise BadSetting(["CASEGRAPH_DOCUMENTS_ONLY needs documents: set CASEGRAPH_DOCUMENTS."])
        return {}
    found: dict[str, str] = {}
    problems = []
    for file in _files(Path(settings.documents)):
        try:
            entries = list(_entries(orjson.loads(file.read_bytes())))
        except OSError as error:
            problems.append(f"{file} cannot be read: {error.strerror}.")
            continue
        except ValueError:
            problems.append(f"{file} is no manifest: it must be JSON, with documents by their ids.")
            continue
        for name, text in entries:
            problem = _problem(name, text, found, settings)
            if problem is not None:
                problems.append(f"{file}: the document {name} {problem}")
            found[name] = text
            found[PREFIX + digest(text)] = text
    if problems:
        raise BadSetting(problems)
    return found


def _files(path: Path) -> list[Path]:
    """The file, or the JSON files of the folder. Raises BadSetting if there is none."""
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        found = "has no file that ends in .json" if path.is_dir() else "does not exist"
        raise BadSetting([f"CASEGRAPH_DOCUMENTS must be a manifest, or a folder; {path} {found}."])
    return files


def _entries(manifest: Any) -> Iterator[tuple[str, str]]:
    """The ids and texts. Raises ValueError for another shape."""
    if not isinstance(manifest, dict):
        raise ValueError
    operations = manifest.get("operations")
    if isinstance(operations, list):
        manifest = {one["id"]: one["body"] for one in operations if _is_operation(one)}
        if len(manifest) < len(operations):
            raise ValueError
    for name, text in manifest.items():
        if not isinstance(name, str) or not isinstance(text, str) or not name or not text:
            raise ValueError
        yield name, text


def _is_operation(one: Any) -> bool:
    return isinstance(one, dict) and {"id", "body"} <= one.keys()


def _problem(name: str, text: str, found: dict[str, str], settings: Settings) -> str | None:
    """What is wrong with a document, as the end of a sentence that begins with its id."""
    if found.get(name, text) != text:
        return "has another text in another place."
    if name.startswith(PREFIX) and name != PREFIX + digest(text):
        return "has another SHA-256 than its id says."
    try:
        check_text(text, settings)
        document = parsed(text)
        operations = [
            one for one in document.definitions if isinstance(one, OperationDefinitionNode)
        ]
        if not operations:
            return "has no operation."
        for operation in operations:
            measured(SCHEMA, document, operation, settings)
        check_valid(SCHEMA, document, settings)
    except NotValid as refusal:
        return f"does not fit the schema: {refusal.errors[0].message}"
    except GraphQLError as error:
        return f"cannot be executed: {error.message}"
    return None
