"""Lists that are loaded once for several places of an answer: what becomes of one is its own."""

import base64

import pytest

FORGED = base64.b64encode(b'{"id":"x","k":["y"],"f":"000000000000"}').decode()
REASON = (
    "graphql-core cancels the siblings of a failed list, and with them the future that the "
    "DataLoader shares with other places: the whole request fails"
)


@pytest.mark.parametrize(
    "shared",
    [
        pytest.param(
            "timeline { totalCount }", marks=pytest.mark.xfail(strict=True, reason=REASON)
        ),
        # Whether these come too late to be cancelled depends on the order of the event loop.
        pytest.param("timeline { __typename }", marks=pytest.mark.xfail(reason=REASON)),
        pytest.param("staff { nodes { name } }", marks=pytest.mark.xfail(reason=REASON)),
    ],
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
