"""What looks like a new database is like its template, whatever a test before has done."""

from contextlib import closing

import pytest

from tests.databases import fresh_database
from tests.postgresql import Raw

INTO = "INSERT INTO workspace (slug, mode, name, created_at)"
FIRM = f"{INTO} VALUES ('x', 'live', 'X', '2026-01-01T00:00:00Z')"


def past_rules(url):
    """A superuser's connection."""
    return Raw(url.replace("//casegraph@", "//casegraph_admin@"))


@pytest.fixture
def used(postgresql):
    """Does something in a fresh database; its name, and that of the next one with what is there."""

    def use(*statements):
        with fresh_database(postgresql) as url, closing(past_rules(url)) as past:
            for statement in statements:
                past.execute(statement)
        with fresh_database(postgresql) as after, closing(past_rules(after)) as past:
            return url, after, past.everything()

    return use


def test_one_in_which_only_rows_were_written_is_emptied_and_used_again(used):
    _url, _after, empty = used()

    before, after, there = used(FIRM, "UPDATE workspace SET name = 'Y'")

    assert before == after
    assert there == empty


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX more ON cases (name)",
        "ALTER TABLE cases ADD COLUMN more text",
        "ALTER TABLE cases DISABLE ROW LEVEL SECURITY",
        "DROP TABLE webhook_delivery",
        "DROP TRIGGER timeline_event_is_final ON timeline_event",
        "GRANT SELECT ON cases TO casegraph_app",
        "CREATE SCHEMA theirs",
        "ANALYZE workspace",
    ],
)
def test_one_that_was_changed_otherwise_is_not_used_again(used, statement):
    before, after, there = used(FIRM, statement)

    assert before != after
    assert "'X'" not in there


def test_one_that_grew_is_not_used_again(used):
    much = "repeat(md5(random()::text), 1000)"
    before, after, there = used(
        f"{INTO} SELECT 's' || n, 'live', {much}, '2026-01-01T00:00:00Z' "
        "FROM generate_series(1, 2000) AS n"
    )

    assert before != after
    assert "'s1'" not in there


def test_whoever_is_still_connected_is_sent_away(postgresql):
    with fresh_database(postgresql) as url:
        late = past_rules(url)
        late.execute("BEGIN")
        late.execute(FIRM)

    with fresh_database(postgresql) as again, closing(past_rules(again)) as past:
        assert url == again
        assert past.execute("SELECT * FROM workspace").fetchall() == []
    with pytest.raises(Exception, match=r"terminat|closed"):
        late.execute("SELECT 1")


def test_numbers_begin_anew(used, postgresql):
    used(FIRM, FIRM.replace("'x'", "'y'"))

    with fresh_database(postgresql) as url, closing(past_rules(url)) as past:
        [[id]] = past.execute(f"{FIRM} RETURNING id").fetchall()

    assert id == 1
