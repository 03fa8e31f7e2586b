"""The documentation page and its files are served from here, under a strict policy."""

import hashlib
import re

import pytest

from rest_compat.explorer import FILES, FOLDER


async def test_the_page_names_no_other_host_and_has_a_policy(rest):
    page = await rest("GET", "/docs", key=None)

    assert page.status_code == 200
    assert "://" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert page.headers["cache-control"] == "no-store"
    for path in re.findall(r'(?:src|href)="/api/v1([^"]+)"', page.text):
        assert (await rest("GET", path, key=None)).status_code == 200, path


@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_served_as_what_it_is(rest, name):
    answer = await rest("GET", f"/docs/static/{name}", key=None)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(FILES[name])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", ["README.md", "..%2F..%2Froutes.py", "none.js", "SHA256SUMS"])
async def test_nothing_else_is_served(rest, name):
    assert (await rest("GET", f"/docs/static/{name}", key=None)).status_code == 404


def test_the_copies_are_unchanged():
    for line in (FOLDER / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
