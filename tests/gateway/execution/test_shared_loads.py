"""Lists that are loaded once for several places of an answer: what becomes of one is its own."""

import base64

import pytest

FORGED = base64.b64encode(b'{"id":"x","k":["y"],"f":"000000000000"}').decode()


@pytest.mark.parametrize(
    "shared", ["timeline { totalCount }", "timeline { __typename }", "staff { nodes { role } }"]
)
async def test_a_refused_list_does_not_cancel_what_is_shared_with_other_places(api, shared):
    for n in range(12):
        assert (await api.rest("POST", "/cases", json={"name": f"N {n}"})).status_code == 201
    refused = f'parties(after: "{FORGED}") {{ __typename }}'

    answer = await api.graphql(
        f"{{ cases {{ edges {{ node {{ {refused} {shared} }} }} nodes {{ {shared} }} }} }}"
    )

    assert answer["data"] == {"cases": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["VALIDATION_ERROR"]
