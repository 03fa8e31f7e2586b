import hashlib
from types import SimpleNamespace

import pytest

from domain.access import keys
from domain.access.keys import KeyRing
from domain.access.principal import Scope
from domain.access.rates import Allowance, RateLimiter
from domain.errors import InsufficientScope, Invalid, InvalidKey, RateLimited
from domain.models import ApiKey, Mode
from domain.upkeep import administration
from domain.upkeep.verifying import verify


class Seconds:
    """A monotonic clock that stands still."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def seconds(monkeypatch):
    clock = Seconds()
    monkeypatch.setattr(keys, "time", SimpleNamespace(monotonic=clock))
    return clock


async def test_the_holder_of_a_key_is_found_by_its_id(database, clock):
    """For webhooks: the use is noted, and a revoked key has none."""
    _raw, entry = await made(database)
    ring = KeyRing(database)

    who = await ring.holder(entry.id)
    await ring.settled()
    [listed] = await administration.list_keys(database)

    assert (who.key_id, who.key_name, who.scopes) == (entry.id, "web", frozenset(Scope))
    assert listed.last_used_on == clock.now[:10]
    await administration.revoke_key(database, entry.id)
    with pytest.raises(InvalidKey):
        await ring.holder(entry.id)
    with pytest.raises(InvalidKey):
        await ring.holder("no key")


async def made(database, name="web", scopes=tuple(Scope), **where):
    raw, entry = await administration.create_key(database, name, scopes, **where)
    return raw, entry


@pytest.mark.parametrize("mode", list(Mode))
def test_a_key_has_a_prefix_an_id_a_secret_and_a_checksum(mode):
    raw, id = keys.new_key(mode)

    assert raw.startswith(f"cg_{mode}_{id}")
    assert (len(raw), len(id)) == (8 + 12 + 32 + 6, 12)
    assert keys.key_id(raw) == id


def test_no_two_keys_are_alike():
    assert len({keys.new_key(Mode.LIVE)[0] for _ in range(100)}) == 100


def test_a_typing_error_shows_without_the_database():
    raw, _ = keys.new_key(Mode.LIVE)

    for place in range(8, len(raw)):
        typo = raw[:place] + ("0" if raw[place] != "0" else "1") + raw[place + 1 :]
        assert keys.key_id(typo) is None, place


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        str.swapcase,
        lambda raw: raw + "0",
        lambda raw: raw[:-1],
        lambda raw: " " + raw,
        lambda raw: raw + "\n",
        lambda raw: raw.replace("cg_live_", "cg_test_"),
        lambda raw: raw.replace("cg_live_", "cg_demo_"),
        lambda raw: "",
        lambda raw: "é" * 58,
        lambda raw: "\ud800",
        lambda raw: "\0" * 58,
    ],
)
def test_what_has_another_form_is_no_key(change):
    raw, _ = keys.new_key(Mode.LIVE)

    assert keys.key_id(change(raw)) is None


async def test_a_key_tells_who_asks(database):
    raw, entry = await made(database, "web", [Scope.CASES_READ])

    who = await KeyRing(database).authenticate(raw)

    assert (who.key_id, who.key_name, who.scopes) == (entry.id, "web", {Scope.CASES_READ})
    assert (who.workspace_slug, who.mode) == ("default", Mode.LIVE)
    who.require(Scope.CASES_READ)
    with pytest.raises(InsufficientScope):
        who.require(Scope.CASES_WRITE)


async def test_a_test_key_sees_the_sandbox_only(database):
    live, _ = await made(database, "live")
    test, _ = await made(database, "test", mode=Mode.TEST)
    ring = KeyRing(database)

    at_live, at_test = await ring.authenticate(live), await ring.authenticate(test)

    assert test.startswith("cg_test_")
    assert at_test.workspace_slug == at_live.workspace_slug == "default"
    assert at_test.workspace_id != at_live.workspace_id


async def test_a_key_is_stored_as_its_digest_only(database, raw):
    key, entry = await made(database)

    [[digest]] = raw.execute("SELECT digest FROM api_key").fetchall()
    assert digest == hashlib.sha256(key.encode()).hexdigest()
    assert key[20:] not in raw.everything()
    assert entry == ApiKey(
        entry.id,
        "web",
        "default",
        Mode.LIVE,
        frozenset(Scope),
        "2026-01-15T09:00:00Z",
        None,
        None,
        None,
    )


async def test_a_key_of_the_right_form_that_does_not_exist_is_refused(database):
    unknown, _ = keys.new_key(Mode.LIVE)

    with pytest.raises(InvalidKey):
        await KeyRing(database).authenticate(unknown)


async def test_the_right_id_with_another_secret_is_refused(database):
    raw, entry = await made(database)
    body = f"cg_live_{entry.id}{'0' * 32}"
    guessed = body + keys._checksum(body)

    assert keys.key_id(guessed) == entry.id != keys.key_id(raw[:-1])
    with pytest.raises(InvalidKey):
        await KeyRing(database).authenticate(guessed)


@pytest.mark.parametrize("raw", [None, "", "nonsense", "é", "\ud800", "x" * 1_000_000])
async def test_what_is_no_key_is_refused(database, raw):
    with pytest.raises(InvalidKey):
        await KeyRing(database).authenticate(raw)


async def test_a_refusal_does_not_say_why(database):
    revoked, entry = await made(database)
    await administration.revoke_key(database, entry.id)
    unknown, _ = keys.new_key(Mode.LIVE)
    messages = set()

    for raw in (None, "nonsense", unknown, revoked):
        with pytest.raises(InvalidKey) as refused:
            await KeyRing(database).authenticate(raw)
        messages.add(refused.value.message)

    assert messages == {"The API key is missing, malformed, unknown or revoked."}


async def test_a_key_is_remembered_for_a_second(database, seconds):
    raw, entry = await made(database)
    ring = KeyRing(database)
    await ring.authenticate(raw)
    await administration.revoke_key(database, entry.id)

    seconds.now += 0.99
    assert (await ring.authenticate(raw)).key_id == entry.id
    seconds.now += 0.01
    with pytest.raises(InvalidKey):
        await ring.authenticate(raw)


async def test_a_revoked_key_is_not_remembered_again(database, seconds):
    raw, entry = await made(database)
    ring = KeyRing(database)
    await ring.authenticate(raw)
    await administration.revoke_key(database, entry.id)
    seconds.now += 1

    for _ in range(2):
        with pytest.raises(InvalidKey):
            await ring.authenticate(raw)


async def test_a_revoked_key_stays_on_the_list(database, clock, raw):
    _key, entry = await made(database)
    clock.now = "2026-02-01T12:00:00Z"

    revoked = await administration.revoke_key(database, entry.id)

    assert revoked.revoked_at == "2026-02-01T12:00:00Z"
    assert await administration.list_keys(database) == [revoked]
    events = raw.execute("SELECT type, subject_id, actor FROM timeline_event ORDER BY seq")
    assert events.fetchall() == [
        ("key_created", entry.id, "casegraph"),
        ("key_revoked", entry.id, "casegraph"),
    ]


async def test_revoking_twice_changes_nothing(database, clock, stored):
    _, entry = await made(database)
    await administration.revoke_key(database, entry.id)
    before = stored()
    clock.now = "2026-02-01T12:00:00Z"

    again = await administration.revoke_key(database, entry.id)

    assert again.revoked_at == "2026-01-15T09:00:00Z"
    assert stored() == before


@pytest.mark.parametrize("key", ["", "000000000000", "nonsense"])
async def test_an_unknown_key_is_not_revoked(database, stored, key):
    await made(database)
    before = stored()

    with pytest.raises(Invalid) as refused:
        await administration.revoke_key(database, key)

    assert refused.value.field == ("key",)
    assert stored() == before


async def test_a_whole_key_is_not_taken_where_others_can_read_it(database, stored):
    key, entry = await made(database)
    before = stored()

    with pytest.raises(Invalid) as refused:
        await administration.revoke_key(database, key)

    assert entry.id in refused.value.message
    assert key not in refused.value.message
    assert stored() == before


async def test_a_key_opens_nothing_from_the_instant_on_at_which_it_expires(
    database, clock, seconds
):
    key, entry = await administration.create_key(
        database, "guest", list(Scope), expires_at="2026-02-01"
    )
    ring = KeyRing(database)
    clock.now = "2026-01-31T23:59:59Z"
    await ring.authenticate(key)
    clock.now = "2026-02-01T00:00:00Z"
    seconds.now += 1

    for each in (ring, KeyRing(database)):
        with pytest.raises(InvalidKey):
            await each.authenticate(key)
    assert entry.expires_at == "2026-02-01T00:00:00Z"
    assert [one.expires_at for one in await administration.list_keys(database)] == [
        entry.expires_at
    ]


@pytest.mark.parametrize("when", ["2026-01-15", "2026-01-15T09:00:00Z", "tomorrow", ""])
async def test_a_key_that_is_to_expire_at_no_time_to_come_is_not_made(database, stored, when):
    before = stored()

    with pytest.raises(Invalid) as refused:
        await administration.create_key(database, "guest", list(Scope), expires_at=when)

    assert refused.value.field == ("expires_at",)
    assert stored() == before


async def test_the_day_of_a_key_s_last_use_is_noted_once_a_day(database, clock, seconds, stored):
    key, _ = await made(database)
    ring = KeyRing(database)

    async def used():
        await ring.authenticate(key)
        await ring.settled()
        [entry] = await administration.list_keys(database)
        return entry.last_used_on

    assert await used() == "2026-01-15"
    before = stored()
    seconds.now += 2
    clock.now = "2026-01-15T23:59:59Z"
    assert await used() == "2026-01-15"
    assert stored() == before
    seconds.now += 2
    clock.now = "2026-01-16T00:00:00Z"
    assert await used() == "2026-01-16"
    assert (await verify(database)).findings == []


@pytest.mark.parametrize(
    ("name", "scopes", "where", "field"),
    [
        ("", list(Scope), {}, ("name",)),
        ("x" * 101, list(Scope), {}, ("name",)),
        ("web", list(Scope), {}, ("name",)),
        ("new", [], {}, ("scopes",)),
        ("new", ["cases:read", "cases:all"], {}, ("scopes",)),
        ("new", list(Scope), {"slug": "nowhere"}, ("workspace",)),
    ],
)
async def test_a_bad_key_is_not_made(database, stored, name, scopes, where, field):
    await made(database, "web")
    before = stored()

    with pytest.raises(Invalid) as refused:
        await administration.create_key(database, name, scopes, **where)

    assert refused.value.problems[0].field == field
    assert stored() == before


async def test_a_name_of_a_revoked_key_is_not_given_again(database, stored):
    _, entry = await made(database, "web")
    await administration.revoke_key(database, entry.id)
    before = stored()

    with pytest.raises(Invalid):
        await administration.create_key(database, "web", list(Scope))

    assert stored() == before


async def test_scopes_are_listed_in_one_order(database, raw):
    await made(database, "web", ["cases:delete", "cases:read", "cases:read"])

    assert raw.execute("SELECT scopes FROM api_key").fetchall() == [("cases:read cases:delete",)]


async def test_a_workspace_comes_with_its_sandbox_once(database):
    await administration.create_workspace(database, "kanzlei-nord", "Kanzlei Nord")
    await administration.create_workspace(database, "kanzlei-nord", "Another Name")

    found = await administration.workspaces(database)
    assert [(w.slug, w.mode, w.name) for w in found if w.slug == "kanzlei-nord"] == [
        ("kanzlei-nord", Mode.LIVE, "Kanzlei Nord"),
        ("kanzlei-nord", Mode.TEST, "Kanzlei Nord"),
    ]


@pytest.mark.parametrize("slug", ["", "Nord", "-nord", "nord/süd", "x" * 64, "nord\n"])
async def test_a_workspace_has_a_plain_name(database, stored, slug):
    before = stored()

    with pytest.raises(Invalid) as refused:
        await administration.create_workspace(database, slug)

    assert refused.value.field == ("slug",)
    assert stored() == before


async def test_the_operator_may_do_everything(database):
    who = await administration.operator(database, "default", Mode.TEST)

    assert (who.scopes, who.key_name, who.mode) == (frozenset(Scope), "casegraph", Mode.TEST)


async def test_the_operator_needs_a_workspace(database):
    with pytest.raises(Invalid) as refused:
        await administration.operator(database, "nowhere")

    assert refused.value.field == ("workspace",)


async def test_calls_are_counted_by_key_until_the_window_ends(clerk, stranger):
    seconds = Seconds()
    rates = RateLimiter(3, clock=seconds)

    assert await rates.take(clerk.key_id) == Allowance(3, 2, 60)
    seconds.now += 20.5
    assert await rates.take(clerk.key_id, 2) == Allowance(3, 0, 40)
    assert await rates.take(stranger.key_id) == Allowance(3, 2, 60)
    with pytest.raises(RateLimited) as refused:
        await rates.take(clerk.key_id)
    assert refused.value.retry_after == 40
    seconds.now += 39.5
    assert await rates.take(clerk.key_id) == Allowance(3, 2, 60)


async def test_a_call_that_costs_too_much_takes_nothing(clerk):
    rates = RateLimiter(3, clock=Seconds())

    with pytest.raises(RateLimited):
        await rates.take(clerk.key_id, 4)

    assert (await rates.take(clerk.key_id)).remaining == 2
