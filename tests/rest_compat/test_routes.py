"""The fifteen published routes: what each answers when all is well, to the letter."""

import re
import time

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


async def test_a_created_case_is_answered_whole_and_bare(rest):
    response = await rest(
        "POST",
        "/cases",
        json={
            "name": "Müller ./. Weiß",
            "file_number": "AZ-2026-042",
            "type": "litigation",
            "description": "Line one\nline two",
            "dezernat": "Mietrecht",
        },
    )

    made = response.json()
    assert response.status_code == 201
    assert response.headers["ETag"] == '"1"'
    assert response.headers["Content-Type"] == "application/json"
    assert UUID.fullmatch(made["id"])
    assert INSTANT.fullmatch(made["created_at"])
    assert made == {
        "id": made["id"],
        "name": "Müller ./. Weiß",
        "file_number": "AZ-2026-042",
        "status": "active",
        "type": "litigation",
        "description": "Line one\nline two",
        "dezernat": "Mietrecht",
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "parties": [],
        "staff": [],
    }
    assert await rest.get(f"/cases/{made['id']}") == made


async def test_what_a_new_case_does_not_say_is_null(rest):
    made = await rest.case(name="N")

    empty = {name: made[name] for name in ("file_number", "type", "description", "dezernat")}
    assert empty == {"file_number": None, "type": None, "description": None, "dezernat": None}


async def test_a_case_shows_its_parties_and_staff(rest):
    case = await rest.case()
    party = await rest.party(case, "Jörg Müller", "client")
    staff = await rest.staff(case, "Dr. Anna Groß", "lead_attorney")

    found = await rest.get(f"/cases/{case['id']}")

    assert found["parties"] == [{"id": party["id"], "role": "client", "name": "Jörg Müller"}]
    assert found["staff"] == [{"id": staff["id"], "name": "Dr. Anna Groß", "role": "lead_attorney"}]


async def test_a_case_with_more_than_a_page_of_parties_shows_them_all(rest):
    case = await rest.case()
    body = [{"name": f"Plaintiff {index}", "role": "plaintiff"} for index in range(230)]
    await rest("PUT", f"/cases/{case['id']}/parties", json=body)

    alone = await rest.get(f"/cases/{case['id']}")
    [listed] = (await rest.get("/cases"))["data"]

    names = [f"Plaintiff {index}" for index in range(230)]
    assert [party["name"] for party in alone["parties"]] == names
    assert listed == alone


async def test_the_list_of_cases_is_newest_first_and_shows_whole_cases(rest):
    first, second = await rest.case(name="First"), await rest.case(name="Second")

    found = await rest.get("/cases")

    assert found == {"data": [second, first], "pagination": {"has_more": False}}


async def test_the_list_of_cases_is_narrowed_by_status_and_search(rest):
    mueller = await rest.case(name="Müller ./. Weiß")
    closed = await rest.case(name="Mueller II", file_number="AZ-2026-042")
    await rest("PUT", f"/cases/{closed['id']}", json={"status": "closed"})
    await rest.case(name="Schmidt")

    async def ids(query):
        return {case["id"] for case in (await rest.get(f"/cases?{query}"))["data"]}

    assert await ids("search=muller") == {mueller["id"], closed["id"]}
    assert await ids("search=muller&status=closed") == {closed["id"]}
    assert await ids("search=az2026042") == {closed["id"]}
    assert await ids("status=archived") == set()
    assert len(await ids("search=%25")) == 3


async def test_empty_and_unknown_query_parameters_are_ignored(rest):
    case = await rest.case()

    found = await rest.get(
        "/cases?search=&status=&cursor=&nothing=1&sort=&in=&matches=&facets=&reference="
    )

    assert [one["id"] for one in found["data"]] == [case["id"]]


async def test_an_update_changes_only_what_it_includes(rest):
    case = await rest.case(file_number="AZ-1", description="Why", dezernat="D")

    response = await rest("PUT", f"/cases/{case['id']}", json={"status": "closed", "name": "New"})

    changed = response.json()
    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert changed == case | {
        "status": "closed",
        "name": "New",
        "updated_at": changed["updated_at"],
    }


async def test_null_clears_a_field_in_an_update(rest):
    case = await rest.case(file_number="AZ-1", type="litigation", description="Why", dezernat="D")
    cleared = {"file_number": None, "type": None, "description": None, "dezernat": None}

    changed = (await rest("PUT", f"/cases/{case['id']}", json=cleared)).json()

    assert changed == case | cleared | {"updated_at": changed["updated_at"]}


async def test_an_update_that_changes_nothing_keeps_the_version(rest):
    case = await rest.case(name="Same")

    for body in ({}, {"name": "Same"}):
        response = await rest("PUT", f"/cases/{case['id']}", json=body)
        assert (response.status_code, response.headers["ETag"]) == (200, '"1"')
        assert response.json() == case


async def test_a_deleted_case_is_gone_everywhere(rest):
    case, other = await rest.case(file_number="AZ-1"), await rest.case()
    await rest.link(case, other, "related")

    response = await rest("DELETE", f"/cases/{case['id']}")

    assert (response.status_code, response.content) == (204, b"")
    for path in ("", "/parties", "/staff", "/timeline", "/links"):
        assert (await rest("GET", f"/cases/{case['id']}{path}")).status_code == 404
    assert [one["id"] for one in (await rest.get("/cases"))["data"]] == [other["id"]]
    assert (await rest.get(f"/cases/{other['id']}/links"))["data"] == []
    assert (await rest.case(file_number="AZ-1"))["file_number"] == "AZ-1"


async def test_an_upper_case_id_names_the_same_case(rest):
    case = await rest.case()
    path = f"/cases/{case['id'].upper()}"

    assert (await rest.get(path))["id"] == case["id"]
    assert (await rest("PUT", path, json={"name": "New"})).json()["id"] == case["id"]
    added = await rest("POST", f"{path}/parties", json={"name": "P", "role": "client"})
    assert added.status_code == 201
    assert (await rest("DELETE", path)).status_code == 204


async def test_parties_are_added_by_id_or_made_by_name(rest):
    one, two = await rest.case(), await rest.case()
    known = await rest.party(one, "Jörg Müller")

    response = await rest(
        "POST",
        f"/cases/{two['id']}/parties",
        json={
            "parties": [
                {"id": known["id"], "role": "opponent", "reference": "K-17"},
                {"name": "Amtsgericht Köln", "type": "court", "role": "court"},
            ]
        },
    )

    [mueller, court] = response.json()["data"]
    assert response.status_code == 201
    assert response.headers["ETag"] == '"2"'
    assert mueller == {
        "id": known["id"],
        "role": "opponent",
        "name": "Jörg Müller",
        "type": "person",
        "reference": "K-17",
        "added_at": mueller["added_at"],
    }
    assert court == {
        "id": court["id"],
        "role": "court",
        "name": "Amtsgericht Köln",
        "type": "court",
        "reference": None,
        "added_at": court["added_at"],
    }
    assert response.json()["pagination"] == {"has_more": False}
    assert await rest.get(f"/cases/{two['id']}/parties") == response.json()


async def test_parties_may_come_as_an_object_with_a_list_a_list_or_one(rest):
    case = await rest.case()
    new = {"role": "witness"}

    for name, body in {
        "A": {"parties": [new | {"name": "A"}]},
        "B": [new | {"name": "B"}],
        "C": new | {"name": "C"},
    }.items():
        response = await rest("POST", f"/cases/{case['id']}/parties", json=body)
        assert response.status_code == 201
        assert response.json()["data"][-1]["name"] == name


async def test_a_party_is_named_by_id_or_by_party_id(rest):
    one, two, three = [await rest.case() for _ in range(3)]
    known = await rest.party(one, "Jörg Müller")

    for case, field in ((two, "id"), (three, "party_id")):
        body = {field: known["id"], "role": "client"}
        response = await rest("POST", f"/cases/{case['id']}/parties", json=body)
        assert [party["id"] for party in response.json()["data"]] == [known["id"]]


async def test_parties_are_replaced_as_a_whole_and_in_order(rest):
    case = await rest.case()
    one, two = await rest.party(case, "One"), await rest.party(case, "Two", "opponent")

    body = [{"id": two["id"], "role": "client"}, {"name": "Three", "role": "witness"}]
    response = await rest("PUT", f"/cases/{case['id']}/parties", json=body)

    found = [(party["name"], party["role"]) for party in response.json()["data"]]
    assert response.status_code == 200
    assert found == [("Two", "client"), ("Three", "witness")]
    assert one["id"] not in {party["id"] for party in response.json()["data"]}
    emptied = await rest("PUT", f"/cases/{case['id']}/parties", json={"parties": []})
    assert emptied.json() == {"data": [], "pagination": {"has_more": False}}


async def test_the_answer_to_a_change_of_parties_is_the_whole_list(rest):
    case = await rest.case()
    body = [{"name": f"P{index}", "role": "plaintiff"} for index in range(130)]

    response = await rest("POST", f"/cases/{case['id']}/parties", json=body)

    assert len(response.json()["data"]) == 130
    assert response.json()["pagination"] == {"has_more": False}


async def test_staff_are_assigned_by_id_or_made_by_name(rest):
    one, two = await rest.case(), await rest.case()
    known = await rest.staff(one, "Dr. Anna Groß")

    response = await rest(
        "POST",
        f"/cases/{two['id']}/staff",
        json={
            "staff": [
                {"staff_id": known["id"], "role": "associate"},
                {"name": "Ben Klein", "email": "klein@example.org", "role": "paralegal"},
            ]
        },
    )

    [gross, klein] = response.json()["data"]
    assert (response.status_code, response.headers["ETag"]) == (201, '"2"')
    assert gross == {
        "id": known["id"],
        "name": "Dr. Anna Groß",
        "email": None,
        "role": "associate",
        "note": None,
        "assigned_at": gross["assigned_at"],
    }
    assert (klein["name"], klein["email"], klein["role"]) == (
        "Ben Klein",
        "klein@example.org",
        "paralegal",
    )
    assert await rest.get(f"/cases/{two['id']}/staff") == response.json()


async def test_staff_are_taken_off_by_query_or_by_any_of_the_bodies(rest):
    case = await rest.case()
    path = f"/cases/{case['id']}/staff"
    ways = {
        "A": lambda id: {"params": {"staff_id": id}},
        "B": lambda id: {"json": {"staff_id": id}},
        "C": lambda id: {"json": {"staff_ids": [id]}},
        "D": lambda id: {"json": {"staff": [{"id": id}]}},
        "E": lambda id: {"json": [id]},
    }
    stays = await rest.staff(case, "Stays")

    for name, way in ways.items():
        leaves = await rest.staff(case, name)
        response = await rest("DELETE", path, **way(leaves["id"]))
        assert (response.status_code, response.content) == (204, b""), name
        assert [one["id"] for one in (await rest.get(path))["data"]] == [stays["id"]]


async def test_several_staff_are_taken_off_at_once(rest):
    case = await rest.case()
    path = f"/cases/{case['id']}/staff"
    one, two, three = [await rest.staff(case, name) for name in ("One", "Two", "Three")]

    response = await rest("DELETE", f"{path}?staff_id={one['id']}&staff_id={two['id']}")

    assert (response.status_code, response.headers["ETag"]) == (204, '"5"')
    assert [staff["id"] for staff in (await rest.get(path))["data"]] == [three["id"]]


async def test_staff_are_taken_out_of_one_role_by_query(rest):
    case = await rest.case()
    path = f"/cases/{case['id']}/staff"
    one = await rest.staff(case, "One", "lead_attorney")
    await rest("POST", path, json={"id": one["id"], "role": "notary"})

    response = await rest("DELETE", f"{path}?staff_id={one['id']}&role=notary")

    assert response.status_code == 204
    assert [staff["role"] for staff in (await rest.get(path))["data"]] == ["lead_attorney"]


async def test_a_link_is_seen_from_both_ends_with_inverse_types(rest):
    appeal, trial = await rest.case(file_number="LG-9"), await rest.case(name="Trial")

    for name in ("target_case_id", "linked_case_id", "case_id"):
        body = {name: trial["id"], "type": "parent"}
        response = await rest("POST", f"/cases/{appeal['id']}/links", json=body)
        made = response.json()
        assert response.status_code == 201
        assert made == {
            "id": made["id"],
            "type": "parent",
            "case_id": appeal["id"],
            "linked_case_id": trial["id"],
            "linked_case": {
                "id": trial["id"],
                "name": "Trial",
                "file_number": None,
                "status": "active",
            },
            "created_at": made["created_at"],
        }
        mine = (await rest.get(f"/cases/{appeal['id']}/links"))["data"]
        [theirs] = (await rest.get(f"/cases/{trial['id']}/links"))["data"]
        assert mine == [made]
        assert (theirs["id"], theirs["type"], theirs["linked_case_id"]) == (
            made["id"],
            "child",
            appeal["id"],
        )
        removed = await rest("DELETE", f"/cases/{trial['id']}/links/{made['id']}")
        assert (removed.status_code, removed.content) == (204, b"")
        assert (await rest.get(f"/cases/{appeal['id']}/links"))["data"] == []


async def test_a_link_without_a_type_is_related(rest):
    one, two = await rest.case(), await rest.case()

    response = await rest("POST", f"/cases/{one['id']}/links", json={"target_case_id": two["id"]})

    assert response.json()["type"] == "related"


async def test_the_timeline_tells_newest_first_who_changed_what(rest):
    case = await rest.case(name="Old")
    await rest("PUT", f"/cases/{case['id']}", json={"name": "New"}, key="write")

    [updated, created] = (await rest.get(f"/cases/{case['id']}/timeline"))["data"]

    assert updated == {
        "id": updated["id"],
        "seq": created["seq"] + 1,
        "type": "case_updated",
        "source": "recorded",
        "actor": "write",
        "claimed_actor": None,
        "at": updated["at"],
        "occurred_at": updated["at"],
        "title": None,
        "changes": [{"field": "name", "before": "Old", "after": "New"}],
    }
    assert (created["type"], created["actor"]) == ("case_created", "all")
    assert {"field": "name", "before": None, "after": "Old"} in created["changes"]


async def test_every_call_counts_against_the_rate_limit_of_its_key(rest):
    first = await rest("GET", "/cases")
    second = await rest("GET", "/cases/nothing")

    assert first.headers["X-RateLimit-Limit"] == "100000"
    remaining = int(first.headers["X-RateLimit-Remaining"])
    assert int(second.headers["X-RateLimit-Remaining"]) == remaining - 1
    assert 0 <= int(second.headers["X-RateLimit-Reset"]) - time.time() <= 60
