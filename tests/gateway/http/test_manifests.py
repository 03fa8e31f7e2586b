"""Manifests of trusted documents: what is read, and what ends the start."""

import json

import pytest

from gateway.http.manifests import trusted
from gateway.http.persisted import digest
from gateway.settings import BadSetting, Settings

QUERY = "query Mine { cases { totalCount } }"
HASH = f"sha256:{digest(QUERY)}"


def settings_for(path, **others):
    return Settings(documents=str(path), **others)


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ({"81fd8aff": QUERY}, "81fd8aff"),
        ({HASH: QUERY}, HASH),
        (
            {
                "format": "apollo-persisted-query-manifest",
                "version": 1,
                "operations": [{"id": "a", "name": "Mine", "type": "query", "body": QUERY}],
            },
            "a",
        ),
    ],
)
def test_the_manifests_of_the_usual_tools_are_read(tmp_path, manifest, name):
    (tmp_path / "one.json").write_text(json.dumps(manifest))
    (tmp_path / "notes.txt").write_text("no manifest")

    for path in (tmp_path, tmp_path / "one.json"):
        assert trusted(settings_for(path)) == {name: QUERY, HASH: QUERY}


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({"a": "{ nothing }"}, "the document a does not fit the schema: Cannot query field"),
        ({"a": "{ cases("}, "the document a cannot be executed: Syntax Error"),
        ({"a": "{" * 200}, "the document a cannot be executed:"),
        ({"a": "query A { cases { totalCount } } {"}, "the document a cannot be executed:"),
        ({"a": "fragment F on Case { id }"}, "the document a has no operation."),
        ({f"sha256:{'0' * 64}": QUERY}, "has another SHA-256 than its id says."),
        ([QUERY], "one.json is no manifest"),
        ({"a": 7}, "one.json is no manifest"),
        ({"": QUERY}, "one.json is no manifest"),
        ({"operations": [{"name": "A"}]}, "one.json is no manifest"),
        ({"operations": [{"id": "a", "body": QUERY}] * 2}, "one.json is no manifest"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, manifest, problem):
    (tmp_path / "one.json").write_text(json.dumps(manifest))

    with pytest.raises(BadSetting, match=r"one\.json") as refused:
        trusted(settings_for(tmp_path))

    assert problem in str(refused.value)


def test_every_problem_is_told_at_once(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": "{ x }", "b": QUERY, "c": "{ y }"}))
    (tmp_path / "b.json").write_text(json.dumps({"b": "{ cases { totalCount } }"}))
    (tmp_path / "c.json").write_text("{")

    with pytest.raises(BadSetting) as refused:
        trusted(settings_for(tmp_path))

    told = [line.partition(": ")[2] or line for line in refused.value.problems]
    assert [line.split()[2] for line in told[:3]] == ["a", "c", "b"]
    assert "has another text" in told[2]
    assert told[3] == "it must be JSON, with documents by their ids."


def test_a_document_keeps_to_the_limits(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps({"a": QUERY}))

    with pytest.raises(BadSetting, match="cannot be executed: The operation is 2 levels deep"):
        trusted(settings_for(tmp_path, query_depth=1))


@pytest.mark.parametrize(
    ("path", "only", "told"),
    [
        ("", True, "CASEGRAPH_DOCUMENTS_ONLY needs documents"),
        ("absent", False, "does not exist"),
        (".", False, "has no file that ends in .json"),
    ],
)
def test_documents_that_are_not_there_are_told_of(tmp_path, path, only, told):
    chosen = Settings(documents=str(tmp_path / path) if path else "", documents_only=only)

    with pytest.raises(BadSetting, match=told):
        trusted(chosen)
