"""Which media type answers: Accept with weights (RFC 9110, section 12.5.1)."""

import pytest

from gateway.http.accept import RESPONSE_TYPE, media_type, wants_page
from gateway.http.parameters import JSON_TYPE, BadRequest


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON_TYPE),
        ("", JSON_TYPE),
        ("*/*", JSON_TYPE),
        ("application/*", JSON_TYPE),
        (RESPONSE_TYPE, RESPONSE_TYPE),
        (f"{RESPONSE_TYPE}, {JSON_TYPE}", RESPONSE_TYPE),
        (f"{JSON_TYPE}, {RESPONSE_TYPE}", RESPONSE_TYPE),
        (f"{RESPONSE_TYPE};q=0.5, {JSON_TYPE}", JSON_TYPE),
        (f"{RESPONSE_TYPE};q=0.9, {JSON_TYPE};q=0.8", RESPONSE_TYPE),
        (f"{JSON_TYPE};q=0.00, {RESPONSE_TYPE}", RESPONSE_TYPE),
        (f"{RESPONSE_TYPE};q=0.000, */*", JSON_TYPE),
        (f"{RESPONSE_TYPE};charset=utf-8;q=0, {JSON_TYPE}", JSON_TYPE),
        (f"{RESPONSE_TYPE} ; Q=0 , {JSON_TYPE}", JSON_TYPE),
        (f"{JSON_TYPE};q=0, */*", RESPONSE_TYPE),
        (f"{JSON_TYPE};q=0.1, */*;q=0.5", RESPONSE_TYPE),
        (f'{RESPONSE_TYPE};charset="UTF-8"', RESPONSE_TYPE),
        (f"{RESPONSE_TYPE};charset=latin-1, {JSON_TYPE}", JSON_TYPE),
        ("text/html, */*;q=0.1", JSON_TYPE),
    ],
)
def test_the_media_type_is_the_one_the_client_likes_best(accept, answered):
    assert media_type(None if accept is None else accept.encode()) == answered


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        f"{JSON_TYPE};q=0",
        f"{JSON_TYPE};q=0.0, {RESPONSE_TYPE};q=0.00",
        f"{JSON_TYPE};charset=utf-8;q=0, text/html",
        "*/*;q=0",
        "application/*;q=0, */*",
        "*/json",
    ],
)
def test_a_client_that_accepts_neither_is_told_so(accept):
    with pytest.raises(BadRequest) as refused:
        media_type(accept.encode())

    assert (refused.value.status, refused.value.code) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("*/*", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML;q=0.1", True),
        ("text/html;q=0", False),
        ("text/html ; Q=0.000, application/json", False),
        ("text/htmlx, application/json", False),
    ],
)
def test_a_browser_gets_the_page(accept, wanted):
    assert wants_page(None if accept is None else accept.encode()) is wanted


async def test_a_repeated_header_is_one_list(api):
    accepted = [("Accept", "text/plain"), ("Accept", "application/json")]

    response = await api.http.post("/graphql", headers=accepted, json={"query": "{ __typename }"})

    assert response.status_code != 406
